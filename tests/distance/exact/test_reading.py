"""What exact methods read of a module, against the module itself."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn
from torch.nn.utils import parametrizations, prune

from oracles import (
    check_adversarials,
    closed_form,
    linear_layer,
    network,
    predict_with,
    relu_layers,
)
from robfair import ThreatModel, boundary_distance
from robfair.distance.exact import relu_distance
from robfair.models import Standardize


def test_layers_compute_what_the_module_does():
    torch_state = torch.get_rng_state()
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Flatten(),
        nn.Sequential(nn.BatchNorm1d(6), nn.Linear(6, 5), nn.Dropout(0.5), nn.Linear(5, 4)),
        nn.ReLU(),
        nn.Sequential(nn.BatchNorm1d(4), nn.Identity(), nn.Linear(4, 4, bias=False), nn.ReLU()),
        nn.ReLU(),
        nn.Linear(4, 3),
        nn.BatchNorm1d(3),
        nn.ReLU(),
    )
    X = torch.randn(200, 2, 3)
    with torch.no_grad():
        module(3 * X + 1)  # statistics that are not the first ones
    torch.set_rng_state(torch_state)
    state = copy.deepcopy(module.state_dict())
    layers = relu_layers(module)
    assert len(layers) == 4
    out = X.numpy().reshape(200, 6).astype(float)
    for k, (weight, bias) in enumerate(layers):
        assert weight.dtype == bias.dtype == np.float64
        out = (out if k == 0 else np.maximum(out, 0)) @ weight.T + bias
    with torch.no_grad():
        expected = copy.deepcopy(module).eval()(X)
    assert_allclose(out, expected, atol=1e-5)
    x = X[0].numpy().ravel().astype(float)
    label = int(expected[0].argmax())
    low, high, _ = relu_distance(
        module, x, label, norm=2, shape=(2, 3), box=None, mask=None, upper=5.0
    )
    assert low <= high
    assert module.training
    assert all(part.training for part in module.modules())
    for name, value in module.state_dict().items():
        assert torch.equal(value, state[name])
    assert all(parameter.grad is None for parameter in module.parameters())


def test_one_output_is_two_logits():
    module = network([3, 5, 1], nn.ReLU)
    layers = relu_layers(module)
    assert_array_equal(layers[-1][0][0], np.zeros(5))
    assert layers[-1][1][0] == 0
    twice = nn.Sequential(module[0], nn.ReLU(), linear_layer(*layers[-1]))
    x = np.array([0.1, 0.2, 0.3])
    label = int(predict_with(twice)(x[None])[0])
    options = {"norm": 2, "shape": (3,), "box": None, "mask": None}
    assert_allclose(
        relu_distance(module, x, label, **options)[:2],
        relu_distance(twice, x, label, **options)[:2],
        rtol=1e-9,
    )


@pytest.mark.parametrize(
    ("layers", "match"),
    [
        ([nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 2)], r"layer 1, Tanh\(\).*Supported: Linear"),
        ([nn.Linear(2, 3), nn.Sequential(nn.Softmax(dim=1))], r"layer 1\.0, Softmax"),
        (
            [nn.ReLU(), nn.Linear(2, 2)],
            r"layer 0, ReLU\(\), where it stands",
        ),
        ([nn.Linear(2, 3), nn.BatchNorm1d(3, track_running_stats=False)], "layer 1, BatchNorm1d"),
        ([nn.Linear(2, 3), nn.Flatten()], "layer 1, Flatten"),
        ([nn.Identity()], "at least one Linear"),
    ],
)
def test_unsupported_modules(layers, match):
    with pytest.raises(ValueError, match=match):
        relu_layers(nn.Sequential(*layers))


def test_a_lone_layer_has_a_name():
    with pytest.raises(ValueError, match="layer 0, Tanh"):
        relu_layers(nn.Tanh())


# --- Held against the module


class Noisy(nn.Dropout):
    """Random in evaluation mode, too."""

    def forward(self, data):
        return nn.functional.dropout(data, self.p, training=True)


class Scaled(nn.Identity):
    def forward(self, data):
        return 3 * data - 1


class Shuffled(nn.Sequential):
    def forward(self, data):
        return super().forward(data.flip(1))


class Rows(nn.Flatten):
    def forward(self, data):
        return super().forward(data).cumsum(dim=1)


class Centred(nn.BatchNorm1d):
    def forward(self, data):
        return super().forward(data) - 5


def normalised():
    module = network([4, 3])
    module.register_forward_pre_hook(lambda part, args: ((args[0] - 1) / 5,))
    return module


def clamped():
    """Another function only far from all samples, where comparing logits would not see it."""
    module = network([4, 3])
    module[0].register_forward_pre_hook(lambda part, args: (args[0].clamp(-3, 3),))
    return module


def with_own_forward():
    module = network([4, 3])
    module[0].forward = lambda data: 2 * nn.functional.linear(data, module[0].weight)
    return module


OTHERS = {
    "a hook that normalises": normalised(),
    "a hook that clamps": clamped(),
    "a forward of the instance": with_own_forward(),
    "an Identity that scales": nn.Sequential(Scaled(), network([4, 3])),
    "a Sequential that flips": Shuffled(network([4, 3])),
    "a Flatten that sums": nn.Sequential(Rows(), network([4, 3])),
    "a BatchNorm1d that shifts": nn.Sequential(Centred(4).double(), network([4, 3])),
}
X4 = np.random.default_rng(0).normal(size=(12, 4))


@pytest.mark.parametrize("relu", [False, True])
@pytest.mark.parametrize("name", OTHERS)
def test_a_module_that_computes_something_else_is_searched(name, relu):
    module = (
        nn.Sequential(OTHERS[name], nn.ReLU(), network([3, 3], seed=1)) if relu else OTHERS[name]
    )
    method = "exact" if relu else "linear"
    with pytest.raises(ValueError, match=rf'"{method}" (needs an affine|does not support)'):
        boundary_distance(module, X4, method=method)
    result = boundary_distance(module, X4)
    assert result.method == "auto"
    assert set(result.status) <= {"found", "censored"}
    check_adversarials(result, X4, predict_with(copy.deepcopy(module).eval()))


def test_a_random_module_is_not_read():
    module = nn.Sequential(Noisy(0.5), network([4, 3]))
    result = boundary_distance(module, X4)
    assert "exact" not in result.status
    assert any("the model is random" in text for text in result.warnings_)


@pytest.mark.parametrize("sizes", [[4, 3], [4, 5, 3]])
def test_what_the_layers_do_not_show_is_seen_by_their_logits(sizes, monkeypatch):
    module = network(sizes, nn.ReLU)
    method = "linear" if len(sizes) == 2 else "exact"
    linear = nn.functional.linear
    monkeypatch.setattr(  # as autocast or a library that patches a class does
        nn.functional, "linear", lambda data, weight, bias: linear(data.flip(1), weight, bias)
    )
    for asked in (method, "exact"):
        with pytest.raises(ValueError, match=r"does not compute what its layers say.*auto"):
            boundary_distance(module, X4, method=asked)
    if method == "linear":
        for asked in ("auto", "strong"):
            result = boundary_distance(module, X4, method=asked)
            assert result.method == asked
            assert set(result.status) == {"found"}
            assert any("does not compute what its layers say" in w for w in result.warnings_)
            assert (predict_with(module)(result.adversarial) != result.predicted).all()


def test_autocast_is_seen():
    module = network([4, 3], dtype=torch.float32)
    autocast = torch.autocast("cpu", dtype=torch.bfloat16)
    with autocast, pytest.raises(ValueError, match="more than rounding does"):
        boundary_distance(module, X4, method="linear")


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: prune.l1_unstructured(layer, "weight", 0.4),
        parametrizations.weight_norm,
        parametrizations.orthogonal,
        nn.utils.spectral_norm,
    ],
)
def test_weights_that_are_computed_are_read(change):
    module = network([4, 3])
    change(module[0])
    module.eval()(torch.zeros(1, 4, dtype=torch.float64))
    weight, bias = (t.detach().numpy() for t in (module[0].weight, module[0].bias))
    result = boundary_distance(module, X4)
    assert set(result.status) == {"exact"}
    assert_allclose(result.distance, closed_form(weight, bias, X4, 2), rtol=1e-9)


# --- Rounding


def keeps(module, X, result, rng, n=4000):
    """Whether no point within the lower bounds of L-inf is predicted differently."""
    predict, kept = predict_with(module), []
    for x, low, label in zip(X, result.lower, result.predicted, strict=True):
        steps = rng.uniform(-1, 1, size=(n, len(x)))
        steps[::2] = np.sign(steps[::2])  # to the corners of the ball
        sizes = np.linspace(0, low * (1 - 1e-9), n)
        kept.append((predict(x + steps * sizes[:, None]) == label).all())
    return np.array(kept)


def shifted(n_in, shift, dtype=torch.float32, seed=0):
    module = network([n_in, 2], dtype=dtype, seed=seed)
    module[0].bias.data += shift
    return module


def cancelling(n_in, shift):
    """Two layers, of which the second takes away what the first has added."""
    module = network([n_in, 4, 2], nn.Identity, dtype=torch.float32)
    module[0].bias.data += shift
    module[2].weight.data -= module[2].weight.data.mean(dim=1, keepdim=True)
    return module


def standardised(n_in, mean):
    """Scales features of a size that float32 hardly tells apart."""
    scale = Standardize(np.full(n_in, mean), np.ones(n_in))
    return nn.Sequential(scale, network([n_in, 2], dtype=torch.float32))


ROUNDED = {
    "a large bias": (lambda d: shifted(d, 1e5), 0),
    "layers that cancel": (lambda d: cancelling(d, 1e5), 0),
    "large features": (lambda d: standardised(d, 1e6), 1e6),
}


@pytest.mark.filterwarnings("ignore:the network computes in float32, which rounds")
@pytest.mark.parametrize("n_in", [1, 3])
@pytest.mark.parametrize("name", ROUNDED)
def test_lower_is_what_the_module_itself_keeps(name, n_in):
    build, centre = ROUNDED[name]
    rng = np.random.default_rng(0)
    X = centre + rng.normal(size=(30, n_in))
    module = build(n_in)
    result = boundary_distance(module, X, threat_model=ThreatModel(np.inf))
    assert keeps(module, X, result, rng).all()
    assert not (np.isnan(result.adversarial).any(axis=1) & (result.status == "exact")).any()
    # The distance of the weights in exact arithmetic is more than the module keeps.
    free = replace(result, lower=result.distance)
    assert not keeps(module, X, free, rng).all()


def test_a_margin_that_rounding_takes_is_neither_exact_nor_certified():
    layer = linear_layer([[1.0], [0.0]], [1e6, 1e6], torch.float32)  # x itself, in exact arithmetic
    X = np.array([[-0.05], [-0.03], [-5.0]], dtype=np.float32)
    assert layer(torch.tensor(X)).argmax(dim=1).tolist() == [1, 0, 1]
    result = boundary_distance(layer, X, certify=True)
    assert result.lower[0] <= 0.02
    assert_array_equal(result.status, "found")
    check_adversarials(result, X, predict_with(layer))
    assert 0 < result.lower[2] < 5


def test_relu_networks_allow_for_rounding():
    module = network([2, 6, 2], nn.ReLU, dtype=torch.float32)
    module[0].bias.data += 1e4
    module[2].weight.data -= module[2].weight.data.mean(dim=1, keepdim=True)
    X = np.random.default_rng(1).normal(size=(6, 2))
    result = boundary_distance(module, X, method="exact", threat_model=ThreatModel(np.inf))
    assert keeps(module, X, result, np.random.default_rng(2)).all()
    assert (result.lower > 0).any()
