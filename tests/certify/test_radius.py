"""Certified radii: exact where that is known, and below what any attack finds."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import nn
from torch.nn.utils import parametrizations, prune

from oracles import linear_distances, linear_layer, network, random_linear
from robfair import ThreatModel, boundary_distance
from robfair.adapters import LogitModel, as_logits
from robfair.certify import UnsupportedLayer, certified_radius
from robfair.certify._ball import BoxedBall
from robfair.certify._crown import Crown
from robfair.certify._radius import TOLERANCE
from robfair.certify._trace import trace

NORMS = [2, np.inf]
SEEDS = st.integers(0, 2**32 - 1)


def certify(model, X, upper=np.inf, norm=2, bounds=None, mutable=None, **options):
    X = np.asarray(X)
    threat_model = ThreatModel(norm, bounds, mutable)
    shape = X.shape[1:]
    box, mask = threat_model.box(shape), threat_model.mask(shape)
    model = as_logits(model)
    with torch.no_grad(), model.forward(shape) as forward:
        label = forward(model.tensor(X)).argmax(dim=1)
    return certified_radius(
        model,
        torch.from_numpy(X.reshape(len(X), int(np.prod(shape)))).double(),
        label,
        torch.from_numpy(np.broadcast_to(upper, len(X)).astype(np.float64)),
        norm=norm,
        shape=shape,
        box=None if box is None else tuple(torch.from_numpy(side.copy()) for side in box),
        mask=None if mask is None else torch.from_numpy(mask.copy()),
        **{"batch_size": 512, "progress": lambda n: None} | options,
    ).numpy()


@pytest.mark.parametrize("attacked", [False, True])
@pytest.mark.parametrize("norm", NORMS)
@given(seed=SEEDS)
@settings(max_examples=5, deadline=None)
def test_affine_models(norm, attacked, seed):
    rng = np.random.default_rng(seed)
    weight, bias, X = random_linear(rng, int(rng.integers(2, 5)), n=10)
    low, high = X.min(axis=0), X.max(axis=0) + rng.exponential(1, 6)
    for bounds, mutable in [(None, None), ((low, high), [True] * 4 + [False] * 2)]:
        right = linear_distances(
            weight, bias, X, norm, *(bounds or (-np.inf, np.inf)), mutable=mutable or True
        )
        upper = right * (1 + rng.exponential(0.1, 10)) if attacked else np.inf
        found = certify(linear_layer(weight, bias), X, upper, norm, bounds, mutable)
        near = right < 1e-4  # here the allowance for rounding shows
        assert (found <= right).all()
        assert_allclose(found[~near], right[~near], rtol=1e-4)


def holds(module, X, radius, norm, bounds):
    """Whether bounds propagated in balls of some radii keep the label."""
    x, low, high = (
        torch.from_numpy(np.array(np.broadcast_to(a, X.shape), dtype=float)).T for a in (X, *bounds)
    )
    crown = Crown(trace(module, X.shape[1:]), torch.device("cpu"))
    label, unit = module(x.T).argmax(dim=1), torch.eye(3).double()
    rows = torch.stack([unit[label] - unit[(label + k) % 3] for k in (1, 2)]).permute(2, 1, 0)
    ball = BoxedBall(x, torch.from_numpy(radius), norm, x - low, high - x)
    margins = crown.margins(ball, crown.intermediate(ball), rows.contiguous())
    return (margins > 0).all(dim=1).numpy()


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", [5, 8])
def test_the_search_ends_at_a_radius_that_fails(norm, seed):
    # Walls of the box make kinks in the margin, and guesses of the end go astray there.
    module = network([4, 8, 8, 3], nn.ReLU, seed=seed)
    X = np.random.default_rng(seed).uniform(size=(30, 4))
    found = certify(module, X, norm=norm, bounds=(0, 1))
    X, found = X[np.isfinite(found)], found[np.isfinite(found)]
    beyond = [holds(module, X, found * (1 + k * TOLERANCE), norm, (0, 1)) for k in (1, 2, 5)]
    assert not np.all(beyond, axis=0).any()


def descend(module, X, label, radius, norm, bounds, rng):
    """The smallest margin that sixty projected steps from a random point find."""
    low, high = bounds
    start = torch.from_numpy(X)
    delta = torch.from_numpy(rng.uniform(-1, 1, X.shape)) * radius[:, None] / X.shape[1] ** 0.5
    least = torch.full((len(X),), torch.inf, dtype=torch.float64)
    for _ in range(60):
        delta = (start + delta).clamp(low, high) - start
        size = torch.linalg.vector_norm(delta, norm, dim=1, keepdim=True)
        delta = delta * (radius[:, None] / size.clamp(min=1e-300)).clamp(max=1)
        points = (start + delta).requires_grad_()
        logits = module(points)
        own = logits.gather(1, label[:, None])[:, 0]
        margin = own - logits.scatter(1, label[:, None], -torch.inf).amax(dim=1)
        least = torch.minimum(least, margin.detach())
        (slope,) = torch.autograd.grad(margin.sum(), points)
        step = slope.sign() if norm == np.inf else slope / slope.norm(dim=1, keepdim=True)
        delta = delta - 0.1 * radius[:, None] * step.nan_to_num()
    return least


@pytest.mark.slow
@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh, nn.Sigmoid, lambda: nn.LeakyReLU(0.2)])
@pytest.mark.parametrize("norm", NORMS)
@given(seed=SEEDS)
@settings(max_examples=2, deadline=None)
def test_no_attack_succeeds_within(norm, activation, seed):
    rng = np.random.default_rng(seed)
    module = network([4, 8, 8, 3], activation, seed=seed % 2**31)
    X = rng.uniform(size=(8, 4))
    attack = boundary_distance(module, X, threat_model=ThreatModel(norm, (0, 1)))
    found = certify(module, X, attack.distance, norm, (0, 1))
    assert (found <= attack.distance).all()
    assert (found > 0).all()
    radius = torch.from_numpy(np.minimum(found, 10))
    label = torch.from_numpy(attack.predicted)
    assert (descend(module, X, label, radius, norm, (0, 1), rng) > 0).all()


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
def test_radii_are_tight(norm):
    module = network([4, 8, 8, 3], nn.ReLU, seed=3)
    X = np.random.default_rng(0).uniform(-2, 2, size=(60, 4))
    attack = boundary_distance(module, X, threat_model=ThreatModel(norm, (-2, 2)))
    X = (0.1 * X + 0.9 * attack.adversarial)[attack.status == "found"]
    attack = boundary_distance(module, X, threat_model=ThreatModel(norm, (-2, 2)))
    found = certify(module, X, attack.distance, norm, (-2, 2))
    assert found.sum() > 0.75 * attack.distance.sum()
    # Without the box there is more to fear.
    assert (certify(module, X, attack.distance, norm) <= found * (1 + 2 * TOLERANCE)).all()


@pytest.mark.parametrize("norm", NORMS)
def test_a_box_without_a_boundary(norm):
    module = nn.Sequential(linear_layer(np.eye(2), [0, 0]), nn.ReLU(), nn.Linear(2, 2).double())
    module[2] = linear_layer([[1, 0], [0, 1]], [0, -5])  # class 1 where x1 > x0 + 5
    X = np.array([[0.5, 0.5], [0.0, 1.0]])
    assert np.isinf(certify(module, X, norm=norm, bounds=(0, 1))).all()
    assert np.isfinite(certify(module, X, norm=norm)).all()
    assert np.isfinite(certify(module, X, norm=norm, bounds=(0, np.inf))).all()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [1e-3, 100.0])
def test_radii_scale_with_the_features(scale, norm):
    module = network([5, 12, 12, 3], nn.ReLU, seed=1)
    scaled = copy.deepcopy(module)
    with torch.no_grad():
        scaled[0].weight /= scale
    X = np.random.default_rng(1).uniform(size=(20, 5))
    plain = certify(module, X, 0.7, norm, (0, 1))
    found = certify(scaled, X * scale, 0.7 * scale, norm, (0, scale))
    assert_allclose(found, plain * scale, rtol=2 * TOLERANCE)


def test_float32_and_images():
    module = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 1)
    )
    X = np.random.default_rng(0).uniform(size=(6, 1, 6, 6)).astype(np.float32)
    state = copy.deepcopy(module.state_dict())
    with torch.random.fork_rng():
        before = torch.get_rng_state()
        found = certify(module, X, bounds=(0, 1))
        assert torch.equal(before, torch.get_rng_state())
    assert (found > 0).all()
    assert all(part.training for part in module.modules())
    assert all(p.grad is None and p.dtype == torch.float32 for p in module.parameters())
    assert all(torch.equal(state[key], value) for key, value in module.state_dict().items())


def test_a_margin_lost_in_rounding_is_not_certified():
    weight, offset = np.array([[1.0, 2.0], [2.0, 1.0]]), 1e4
    layer = linear_layer(weight, -weight.sum(axis=1) * offset, torch.float32)
    X = np.array([[offset, offset + 1e-3], [offset, offset + 100]], dtype=np.float32)
    found = certify(layer, X)
    assert found[0] == 0
    assert 60 < found[1] < 100 / 2**0.5


def test_batches_and_progress():
    module = network([4, 8, 8, 3], nn.ReLU)
    X = np.random.default_rng(0).normal(size=(7, 4))
    finished = []
    found = certify(module, X, batch_size=3, progress=finished.append)
    assert finished == [3, 3, 1]
    assert_allclose(found, certify(module, X), rtol=1e-9)


def test_what_cannot_be_certified():
    X = np.zeros((2, 3))
    with pytest.raises(UnsupportedLayer, match="transformed into logits"):
        certify(LogitModel(network([3, 4, 2]), to_logits=torch.log), X)
    with pytest.raises(UnsupportedLayer, match=r"GELU \(module '1'\)"):
        certify(network([3, 4, 2], nn.GELU), X)
    module = network([3, 4, 2])
    module[1].register_forward_hook(lambda layer, args, out: 2 * out)
    with pytest.raises(UnsupportedLayer, match=r"Tanh \(module '1'\): a hook, or a forward"):
        certify(module, X)
    module = network([3, 4, 2])
    module.register_forward_hook(lambda layer, args, out: 2 * out.detach())
    with pytest.raises(UnsupportedLayer):
        certify(module, X)


def test_terms_that_cancel_in_the_module_are_not_certified():
    """The logits are x and 0, after a layer that float32 rounds; at x itself it happens not to."""
    bias, step = 1e6, 2.0 * np.spacing(np.float32(1e6))
    first = linear_layer([[1.0], [0.0]], [bias, bias], torch.float32)
    last = linear_layer([[1.0, -1.0], [0.0, 0.0]], [0.0, 0.0], torch.float32)
    module = nn.Sequential(first, nn.ReLU(), last)
    X = np.array([[-step], [-64 * step]], dtype=np.float32)
    with torch.no_grad():
        near = module(torch.tensor([[-step], [-0.1 * step]]).float()).argmax(dim=1)
    assert near.tolist() == [1, 0]  # within the distance that the weights have from x
    found = certify(module, X)
    assert found[0] == 0
    assert 0 < found[1] < 64 * step
    with pytest.raises(UnsupportedLayer, match="half precision"):
        certify(module.half(), X)


class Single(nn.Module):
    """Runs in float32 only."""

    def __init__(self):
        super().__init__()
        self.layer = network([3, 2], dtype=torch.float32)

    def forward(self, data):
        return self.layer(data + torch.zeros(3)) @ torch.eye(2)


def test_a_module_that_does_not_run_in_float64_is_named():
    with pytest.raises(UnsupportedLayer, match=r"Single cannot be copied and run in float64.*type"):
        certify(Single(), np.zeros((2, 3), dtype=np.float32))


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: prune.l1_unstructured(layer, "weight", 0.5),
        nn.utils.weight_norm,
        nn.utils.spectral_norm,
        parametrizations.weight_norm,
        parametrizations.orthogonal,
    ],
)
@pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_weights_that_are_computed_are_certified(change, dtype):
    module, same = (network([3, 6, 2], nn.ReLU, dtype=dtype) for _ in range(2))
    change(module[0])
    module.eval()(torch.ones(1, 3, dtype=dtype)).sum().backward()  # its weight has a graph now
    with torch.no_grad():
        same[0].weight.copy_(module[0].weight)
    X = np.random.default_rng(0).normal(size=(6, 3))
    found = certify(module, X)
    assert (found > 0).any()
    assert_allclose(found, certify(same, X), rtol=2 * TOLERANCE)


def test_no_samples():
    assert certify(network([3, 4, 2]), np.zeros((0, 3))).shape == (0,)
