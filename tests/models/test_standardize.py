"""Standardize: the layer, and the rooms that look into modules know it."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler
from torch import nn

from robfair import ThreatModel, boundary_distance
from robfair.adapters import affine_map
from robfair.models import Standardize, lenet5, tabular_network
from robfair.training import _objectives


@given(st.integers(0, 2**32 - 1))
def test_it_scales_as_scikit_learn_does(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(rng.normal(0, 9, 5), rng.uniform(0.1, 9, 5), (30, 5))
    scaler = StandardScaler().fit(X)
    layer = Standardize(scaler.mean_, scaler.scale_).double()
    # The buffers went through float32, torch's default: half a unit off in mean and scale.
    rounding = 2.0**-24 * np.abs(scaler.mean_ / scaler.scale_).max()
    torch.testing.assert_close(
        layer(torch.from_numpy(X)),
        torch.from_numpy(scaler.transform(X)),
        atol=1.01 * rounding,
        rtol=2.0**-23,
    )


def test_shapes():
    X = torch.rand(4, 3, 2, 2)
    one = Standardize(0.5, 2)
    assert (one.mean.shape, one.scale.shape) == ((), ())
    torch.testing.assert_close(one(X), X / 2 - 0.25)
    per_channel = Standardize(np.arange(3).reshape(3, 1, 1), 2)
    assert per_channel.scale.shape == (3, 1, 1)
    torch.testing.assert_close(per_channel(X)[:, 2], X[:, 2] / 2 - 1)
    assert [repr(one), repr(per_channel)] == [
        "Standardize(mean=0.5, scale=2)",
        "Standardize(shape=(3, 1, 1))",
    ]


def test_it_is_saved_and_not_trained():
    layer = Standardize([1, 2], [3, 4])
    assert list(layer.parameters()) == []
    other = Standardize([0, 0], [1, 1])
    other.load_state_dict(layer.state_dict())
    X = torch.rand(3, 2)
    assert torch.equal(other(X), layer(X))
    assert layer.double().mean.dtype == torch.float64


def test_it_keeps_a_copy():
    mean, scale = np.zeros(2, dtype=np.float32), torch.ones(2)
    layer = Standardize(mean, scale)
    mean += 7
    scale += 7
    assert layer(torch.zeros(1, 2)).tolist() == [[0, 0]]
    layer.mean += 1
    assert mean.tolist() == [7, 7]


@pytest.mark.parametrize(
    ("mean", "scale", "message"),
    [
        ([0, 0], [1, 0], r"scale must be above 0 .* smallest is 0. Use 1 for"),
        (0, -1, "smallest is -1"),
        ([0, np.nan], 1, "must be finite"),
        (0, np.inf, "must be finite"),
        ([0, 0], [1, 1, 1], r"must broadcast; got shapes \(2,\) and \(3,\)"),
    ],
)
def test_bad_arguments(mean, scale, message):
    with pytest.raises(ValueError, match=message):
        Standardize(mean, scale)


def test_distances_are_in_the_unit_of_the_data():
    """A linear model on scaled inputs has a known distance in front of the scaling."""
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(2, 3)), rng.normal(size=2)
    mean, scale = [40.0, 0.5, 1000.0], [10.0, 0.25, 500.0]
    linear = nn.Linear(3, 2).double()
    linear.load_state_dict({"weight": torch.tensor(weight), "bias": torch.tensor(bias)})
    module = nn.Sequential(Standardize(mean, scale).double(), linear)
    X = rng.normal(mean, scale, (20, 3))
    w = (weight[0] - weight[1]) / scale
    b = bias[0] - bias[1] - w @ mean
    expected = np.abs(X @ w + b) / np.linalg.norm(w)
    for method in ("linear", "auto"):
        found = boundary_distance(module, X, method=method, threat_model=ThreatModel())
        np.testing.assert_allclose(found.distance, expected, rtol=1e-6)
    map_weight, map_bias = affine_map(module)
    np.testing.assert_allclose(
        X @ map_weight.numpy().T + map_bias.numpy(), module(torch.from_numpy(X)).detach()
    )


def test_only_a_number_per_feature_is_written_as_a_matrix():
    """For one number, and for images, the matrix would need the shape of a sample."""
    assert affine_map(nn.Sequential(Standardize(0, 2), nn.Linear(2, 2))) is None
    assert affine_map(nn.Sequential(Standardize(np.zeros((3, 1, 1)), 2), nn.Flatten())) is None


def test_exact_distances_go_through_it():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = tabular_network(2, 2, (6,)).double()
    scaled = nn.Sequential(Standardize([10, 20], [4, 4]).double(), *network)
    X = np.random.default_rng(0).normal(size=(8, 2))
    inner = boundary_distance(network, X, method="exact")
    outer = boundary_distance(scaled, 4 * X + [10, 20], method="exact")
    np.testing.assert_allclose(outer.distance, 4 * inner.distance, rtol=1e-6)


def test_it_is_the_same_in_both_modes():
    parts = {type(part) for part in lenet5().modules()}
    assert Standardize in parts
    assert parts <= set(_objectives._SAME_IN_BOTH_MODES)
