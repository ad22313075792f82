"""DeepFool: on affine models against the closed form, on networks against what must hold."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from oracles import (
    Rows,
    check_adversarials,
    closed_form,
    linear_distances,
    linear_layer,
    network,
    predict_with,
    random_linear,
)
from robfair import ThreatModel, boundary_distance

NORMS = [2, np.inf]
FEW = settings(max_examples=25, deadline=None)


def deepfool(model, X, norm=2, bounds=None, mutable=None, method="deepfool", **options):
    threat_model = ThreatModel(norm, bounds, mutable)
    return boundary_distance(model, X, method=method, threat_model=threat_model, **options)


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# --- Affine models


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("k", range(2, 11))
def test_affine(k, norm):
    weight, bias, X = random_linear(np.random.default_rng(k), k)
    layer, exact = linear_layer(weight, bias), closed_form(weight, bias, X, norm)
    result = deepfool(layer, X, norm)  # all classes
    assert set(result.status) == {"found"}
    assert result.lower is None
    assert (result.distance <= exact * 1.002).all()
    assert (result.distance >= exact * (1 - 1e-6)).all()
    assert_array_equal(result.n_backward, k - 1)
    check_adversarials(result, X, predict_with(layer))
    paper = deepfool(layer, X, norm, method="paper")
    assert_allclose(paper.distance, exact / 2, rtol=1e-9)
    flipped = predict_with(layer)(paper.adversarial)
    assert (flipped != paper.predicted).all()
    fewer = deepfool(layer, X, norm, n_candidates=1)
    assert (fewer.distance >= exact * (1 - 1e-6)).all()


@pytest.mark.parametrize("norm", NORMS)
def test_all_classes_are_considered(norm):
    weight, bias, X = random_linear(np.random.default_rng(7), 7, n=300)
    layer, exact = linear_layer(weight, bias), closed_form(weight, bias, X, norm)
    every = deepfool(layer, X, norm)
    assert (every.distance <= exact * 1.002).all()
    assert_array_equal(every.n_backward, 6)
    # The nearest class is not always among the three with the greatest logits.
    three = deepfool(layer, X, norm, n_candidates=3)
    assert (three.distance / exact).max() > 1.05


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("k", range(2, 11))
def test_affine_in_a_box_with_immutable_features(k, norm):
    rng = np.random.default_rng(200 + k)
    weight, bias, X = random_linear(rng, k)
    layer, mutable = linear_layer(weight, bias), np.array([True, False, True, True, True, False])
    low, high = X.min(axis=0), X.max(axis=0) + np.array([np.inf, 0, 1, 0.1, 0, 2])
    for mask in (None, mutable):
        exact = linear_distances(weight, bias, X, norm, low, high, True if mask is None else mask)
        # Near a corner a step a little beyond can be much longer, hence the small overshoot.
        options = {"n_candidates": k - 1, "overshoot": 1e-6}
        result = deepfool(layer, X, norm, (low, high), mask, **options)
        assert_array_equal(result.status, np.where(np.isinf(exact), "censored", "found"))
        # A clipped step is followed by another: a bound, and not the nearest point in the box.
        finite = np.isfinite(exact)
        assert (result.distance[finite] <= exact[finite] * 2).all()
        assert result.distance[finite].mean() <= exact[finite].mean() * 1.05
        assert (result.distance >= exact * (1 - 1e-6)).all()
        check_adversarials(result, X, predict_with(layer))


def test_a_rival_out_of_reach_is_no_detour():
    # Class 1 needs x0 = 1 and the box ends at 0.1, a short way; class 2 needs x1 = 0.5.
    layer = linear_layer([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [0.0, -1.0, -0.5])
    result = deepfool(layer, np.zeros((1, 2)), bounds=(-1, [0.1, 1]))
    assert_allclose(result.distance, 0.5, rtol=2e-3)
    assert_allclose(result.adversarial, [[0, 0.5]], atol=1e-3)


@given(seed=st.integers(0, 2**32 - 1), norm=st.sampled_from(NORMS), k=st.integers(2, 5))
@FEW
def test_never_below_the_exact_distance(seed, norm, k):
    weight, bias, X = random_linear(np.random.default_rng(seed), k, n=6)
    exact = closed_form(weight, bias, X, norm)
    result = deepfool(linear_layer(weight, bias), X, norm)
    assert (result.distance >= exact * (1 - 1e-6)).all()
    assert (result.distance[result.status == "found"] > 0).all()


# --- Networks


@pytest.mark.slow
@given(
    seed=st.integers(0, 2**32 - 1),
    k=st.integers(2, 4),
    activation=st.sampled_from([nn.ReLU, nn.Tanh]),
    norm=st.sampled_from(NORMS),
    boxed=st.booleans(),
)
@FEW
def test_networks(seed, k, activation, norm, boxed):
    module = network([3, 5, 5, k], activation, seed=seed % 1000)
    X = normal(6, 3, seed=seed)
    bounds = (X.min(axis=0) - 0.5, X.max(axis=0) + 0.5) if boxed else None
    result = deepfool(module, X, norm, bounds, [True, True, not boxed])
    assert (result.distance > 0).all()
    check_adversarials(result, X, predict_with(module))
    if norm == 2:  # the same point in L-inf is nearer, and the least one nearer still
        hit = result.status == "found"
        delta = np.abs(result.adversarial - X)[hit].max(axis=1, initial=0)
        assert (delta <= result.distance[hit]).all()


def plain_deepfool(module, x, overshoot=0.001):
    """DeepFool as published: one sample, two classes, L2; then a bisection. Steps and distance."""
    start, total = torch.from_numpy(x)[None], torch.zeros(1, len(x), dtype=torch.float64)
    inside, point, k, steps = start, start, module(start).argmax(), 0
    while module(point).argmax() == k:
        inside, steps = point, steps + 1
        leaf = point.clone().requires_grad_(True)
        gap = module(leaf)[0, k] - module(leaf)[0, 1 - k]
        (w,) = torch.autograd.grad(gap, leaf)
        total = total - gap.detach() * w / (w**2).sum()
        point = start + (1 + overshoot) * total
    for _ in range(40):
        middle = (inside + point) / 2
        inside, point = (middle, point) if module(middle).argmax() == k else (inside, middle)
    return steps, np.linalg.norm(point.numpy() - x)


def test_agrees_with_plain_deepfool():
    module, X = network([4, 10, 2], gain=1.5), normal(60, 4)
    result = deepfool(module, X, batch_size=1)
    steps, distance = np.transpose([plain_deepfool(module, x) for x in X])
    assert steps.max() >= 3
    # The overshoot grows with the steps here, so that some samples need fewer.
    assert (result.n_backward == steps).mean() > 0.75
    assert (result.n_backward <= steps).mean() > 0.95
    same = result.n_backward == steps
    assert_allclose(result.distance[same], distance[same], rtol=0.02)


@pytest.mark.parametrize("norm", NORMS)
def test_the_paper_averages_the_last_two_perturbations(norm):
    module, iterates = network([4, 10, 3]), []
    module.register_forward_hook(
        lambda module, args, out: iterates.append(args[0].detach().numpy())
    )
    several = 0
    for x in normal(30, 4):
        iterates.clear()
        result = deepfool(module, x[None], norm, method="paper")
        del iterates[-2:]  # the diagnostics predict the sample twice more
        assert result.status[0] == "found"
        assert_array_equal(result.adversarial, iterates[-1])
        before, after = (np.linalg.norm(p[0] - x, norm) for p in iterates[-2:])
        # Eq. 8, but for the overshoot in the last iterate.
        assert (before + 0.98 * after) / 2 < result.distance[0] < (before + after) / 2
        several += before > 0
    assert several >= 10


@pytest.mark.parametrize("x", [-4.0, -8.0, -20.0])
def test_a_vanishing_gradient_does_not_inflate_the_distance(x):
    # Steps of gap / slope fly far beyond: the search has a long way back to the boundary at 0.
    module = nn.Sequential(
        linear_layer([[1.0]], [0.0]), nn.Sigmoid(), linear_layer([[0.0], [2.0]], [1.0, 0.0])
    )
    result = deepfool(module, np.array([[x]]))
    assert_allclose(result.distance, -x, rtol=0.01)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [1e-3, 100, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_distances_scale_with_the_features(dtype, scale, norm):
    module, X = network([4, 8, 3], dtype=dtype), normal(30, 4)
    bounds = np.array([X.min(axis=0) - 1, X.max(axis=0) + 1])
    scaled = network([4, 8, 3], dtype=dtype)
    with torch.no_grad():
        scaled[0].weight /= scale
    plain = deepfool(module, X, norm, tuple(bounds))
    result = deepfool(scaled, X * scale, norm, tuple(bounds * scale))
    assert_array_equal(result.status, plain.status)
    assert_allclose(result.distance / scale, plain.distance, rtol=3e-3)


# --- Samples that give trouble


class Valley(nn.Module):
    """A margin that falls to a minimum above zero, and never flips."""

    def forward(self, x):
        return torch.stack([(x**2).sum(dim=1) + 1, torch.zeros(len(x)).to(x)], dim=1)


class Plateau(nn.Module):
    """Flat logits with a drop far away: a gradient of exactly zero at the samples."""

    def forward(self, x):
        return torch.stack([torch.ones_like(x[:, 0]), torch.relu(x[:, 0] - 1e6)], dim=1)


class Terrace(nn.Module):
    """From 0 the margin falls until 1, is flat and positive until 3, and is 0 at 3.5."""

    def forward(self, x):
        margin = 0.5 + torch.relu(1 - x) - torch.relu(x - 3)
        return torch.cat([margin, torch.zeros_like(x)], dim=1)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("bounds", [None, (-10, 10)])
def test_where_it_is_flat_the_direction_is_kept(bounds, norm):
    assert_allclose(deepfool(Terrace(), np.zeros((1, 1)), norm, bounds).distance, 3.5, rtol=2e-3)


def dead_network(k):
    module = network([3, 4, k], nn.ReLU)
    with torch.no_grad():
        module[0].bias.fill_(-1e9)
    return module


@pytest.mark.parametrize(
    "module",
    [Valley(), Plateau(), dead_network(2), dead_network(4), network([3, 4, 3], nn.Tanh, gain=0)],
    ids=["valley", "plateau", "dead2", "dead4", "zero weights"],
)
@pytest.mark.parametrize("method", ["deepfool", "paper"])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("bounds", [None, (-10, 10)])
def test_what_cannot_be_flipped_is_censored(module, method, norm, bounds):
    result = deepfool(module, normal(7, 3), norm, bounds, method=method, batch_size=3)
    assert result.counts() == {"censored": 7}
    assert np.isinf(result.distance).all()
    assert np.isnan(result.adversarial).all()
    assert (result.n_forward <= 51 + 2).all()  # two more passes by the diagnostics


class BiasOnly(nn.Module):
    """A constant classifier whose output does not depend on its input at all."""

    def __init__(self):
        super().__init__()
        self.bias = nn.Parameter(torch.arange(3.0))

    def forward(self, x):
        return self.bias.expand(len(x), 3)


def test_logits_that_do_not_depend_on_the_input_are_censored():
    assert deepfool(BiasOnly(), normal(3, 2)).counts() == {"censored": 3}


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("bounds", [None, (-1, 1)])
@pytest.mark.parametrize("k", [2, 3])
def test_samples_on_the_boundary(k, bounds, norm):
    module = nn.Sequential(nn.Linear(3, 5, bias=False), nn.Tanh(), nn.Linear(5, k, bias=False))
    with torch.no_grad():
        module.double().load_state_dict(
            {n: torch.from_numpy(normal(*p.shape)) for n, p in module.named_parameters()}
        )
    X = np.vstack([np.zeros(3), 0.5 * normal(1, 3)])  # at 0 all logits are 0: a tie
    result = deepfool(module, X, norm, bounds)
    assert set(result.status) == {"found"}
    assert result.distance[0] < 1e-6 < result.distance[1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_samples_next_to_the_boundary(dtype):
    # The gap is of the size of the rounding of the logits.
    layer = linear_layer([[1.0, 1.0], [-1.0, 1.0]], [1e3, 1e3], dtype)
    module = nn.Sequential(layer, nn.ReLU(), linear_layer(np.eye(2), [0, 0], dtype))
    X = np.array([[0.0, 1.0], [1e-9, 1.0], [-1e-9, 1.0], [1e-3, 1.0]])
    result = deepfool(module, X)
    assert set(result.status) == {"found"}
    assert (result.distance[:3] < 1e-2).all()
    check_adversarials(result, X, predict_with(module))


@pytest.mark.parametrize("norm", NORMS)
def test_a_step_never_leaves_the_box_by_rounding(norm):
    # From -1 to a wall at 1e-9: in float32 the difference rounds to more than the way.
    high = 1e-9
    module = nn.Sequential(
        linear_layer([[1.0]], [-0.5e-9], torch.float32),
        nn.Tanh(),
        linear_layer([[-1.0], [1.0]], [0, 0], torch.float32),
    )
    result = deepfool(module, np.linspace(-1, -0.1, 50)[:, None], norm, (-1, high))
    check_adversarials(result, np.linspace(-1, -0.1, 50)[:, None], predict_with(module))


# --- Work


@pytest.mark.parametrize("method", ["deepfool", "paper"])
@pytest.mark.parametrize(("k", "batch_size"), [(2, 1), (2, 8), (2, 512), (4, 8), (4, 512)])
def test_passes_are_counted(k, batch_size, method):
    module, X = network([4, 10, k]), normal(60, 4)
    rows = Rows(module)
    result = deepfool(module, X, method=method, batch_size=batch_size)
    # All, to see what the outputs are, and one, forwards and backwards, to check them.
    assert sum(rows.forward) == result.n_forward.sum() + 60 + 1
    assert sum(rows.backward) == result.n_backward.sum() + 1
    assert max(rows.forward) <= batch_size
    assert max(rows.backward) <= batch_size
    if batch_size == 1:  # alone in the batch, a sample pays for nobody's steps but its own
        steps = result.n_backward
        assert (steps >= 1).all()
        again = np.where(np.arange(60) < batch_size, 2, 0)  # by the diagnostics
        if method == "paper":
            assert_array_equal(result.n_forward, steps + 1 + again)
        else:
            extra = result.n_forward - steps - 1 - again
            assert extra.mean() <= 5
            assert (extra >= 1).all()


class Stubborn(nn.Module):
    """Rows whose last feature is 1 never flip, and need every step they can get."""

    def forward(self, x):
        margin = torch.where(x[:, 1] == 1, x[:, 0] ** 2 + 1, x[:, 0])
        return torch.stack([margin, torch.zeros_like(margin)], dim=1)


@pytest.mark.parametrize("method", ["deepfool", "paper"])
def test_stubborn_samples_do_not_hold_up_the_others(method):
    X = np.column_stack([np.linspace(1, 2, 60), np.zeros(60)])
    X[[0, 6, 12], 1] = 1
    module = Stubborn()
    rows = Rows(module)
    result = deepfool(module, X, mutable=[True, False], method=method, batch_size=6)
    assert_array_equal(np.flatnonzero(result.status == "censored"), [0, 6, 12])
    # Batch by batch, each of the three would take 51 passes of its own.
    assert len(rows.forward) < 90 + (0 if method == "paper" else 40)
    assert max(rows.forward) <= 6


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("method", ["deepfool", "paper"])
def test_batch_size_and_order_do_not_matter(method, norm):
    module, X = network([4, 8, 3], nn.ReLU), normal(50, 4)
    bounds = (X.min(axis=0) - 1, X.max(axis=0) + 1)
    y = predict_with(module)(X)
    y[::7] = (y[::7] + 1) % 3
    results = [
        deepfool(module, X, norm, bounds, method=method, y=y, batch_size=b) for b in (1, 3, 8, 512)
    ]
    order = np.random.default_rng(1).permutation(50)
    shuffled = deepfool(module, X[order], norm, bounds, method=method, y=y[order], batch_size=8)
    for other in results[1:]:
        assert_array_equal(other.status, results[0].status)
        assert_array_equal(other.predicted, results[0].predicted)
        assert_allclose(other.distance, results[0].distance, rtol=1e-6)
        assert_allclose(other.adversarial, results[0].adversarial, rtol=1e-5, atol=1e-9)
    assert_allclose(shuffled.distance, results[0].distance[order], rtol=1e-6)
    assert_allclose(shuffled.adversarial, results[0].adversarial[order], rtol=1e-5, atol=1e-9)


def test_max_iter_limits_the_steps():
    module, X = network([4, 10, 2]), normal(60, 4)
    steps = deepfool(module, X, batch_size=1).n_backward
    assert steps.max() >= 3
    limited = deepfool(module, X, batch_size=1, max_iter=2)
    assert_array_equal(limited.status == "censored", steps > 2)
    assert_array_equal(limited.n_backward, np.minimum(steps, 2))
