"""The affine maps of a ReLU network, against the module itself."""

import copy

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from oracles import linear_layer, network, predict_with
from robfair.distance.exact import relu_distance, relu_layers


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
