"""Distances of affine models, against the closed form and against scipy."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

from oracles import (
    check_adversarials,
    closed_form,
    linear_distances,
    linear_layer,
    predict_with,
    random_linear,
)
from robfair import ThreatModel, boundary_distance

NORMS = [2, np.inf]
SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=30, deadline=None)


def random_box(rng, X, share_open=0.3):
    """A box around the samples; some sides are open, and some samples lie on a wall."""
    low, high = X.min(axis=0), X.max(axis=0) + rng.exponential(1, X.shape[1])
    low[rng.random(len(low)) < share_open] = -np.inf
    high[rng.random(len(high)) < share_open] = np.inf
    return low, high


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("k", range(2, 11))
def test_closed_form(k, norm):
    weight, bias, X = random_linear(np.random.default_rng(k), k)
    layer = linear_layer(weight, bias)
    result = boundary_distance(layer, X, threat_model=ThreatModel(norm=norm))
    assert result.method == "linear"
    assert set(result.status) == {"exact"}
    assert_allclose(result.distance, closed_form(weight, bias, X, norm), rtol=1e-9)
    assert (result.lower < result.distance).all()
    assert_allclose(result.lower, result.distance, rtol=1e-9)
    check_adversarials(result, X, predict_with(layer), rtol=1.1e-6)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("k", range(2, 11))
def test_box_and_immutable_features(k, norm):
    rng = np.random.default_rng(100 + k)
    weight, bias, X = random_linear(rng, k)
    layer, low, high = linear_layer(weight, bias), *random_box(rng, X)
    mutable = np.array([True, False, True, True, False, True])
    for mask in (None, mutable):
        threat_model = ThreatModel(norm, (low, high), mask)
        result = boundary_distance(layer, X, threat_model=threat_model)
        expected = linear_distances(
            weight, bias, X, norm, low, high, True if mask is None else mask
        )
        assert_allclose(result.distance, expected, rtol=1e-9)
        assert_array_equal(result.status, np.where(np.isinf(expected), "censored", "exact"))
        check_adversarials(result, X, predict_with(layer), rtol=1.1e-6)
    free = boundary_distance(layer, X, threat_model=ThreatModel(norm, mutable=mutable))
    expected = linear_distances(weight, bias, X, norm, mutable=mutable)
    assert_allclose(free.distance, expected, rtol=1e-9)


@pytest.mark.parametrize("norm", NORMS)
def test_unreachable_is_censored(norm):
    layer = linear_layer([[1.0, 1.0]], [0.0])  # class 1 where x0 + x1 > 0
    X = np.array([[-0.25, -0.5], [-1.0, -1.0], [0.5, 0.5]])
    threat_model = ThreatModel(norm, bounds=(-1, [0.6, 0.5]), mutable=[True, False])
    result = boundary_distance(layer, X, threat_model=threat_model)
    assert_allclose(result.distance, [0.75, np.inf, 1.0])
    assert_array_equal(result.status, ["exact", "censored", "exact"])
    assert_array_equal(result.predicted, [0, 0, 1])
    assert_array_equal(np.isnan(result.adversarial).all(axis=1), [False, True, False])


@pytest.mark.slow
@pytest.mark.parametrize("norm", NORMS)
@given(seed=SEEDS)
@settings(max_examples=12, deadline=None)  # of eight rows, in five threat models
def test_a_smaller_room_is_never_nearer(norm, seed):
    rng = np.random.default_rng(seed)
    weight, bias, X = random_linear(rng, int(rng.integers(2, 5)), n_features=4, n=8)
    layer, (low, high) = linear_layer(weight, bias), random_box(rng, X)
    wider = (low - rng.exponential(1, 4), high + rng.exponential(1, 4))
    more = np.array([True, *(rng.random(3) < 0.7)])
    fewer = more & np.array([True, *(rng.random(3) < 0.7)])

    def distance(bounds, mutable):
        threat_model = ThreatModel(norm, bounds, mutable)
        return boundary_distance(layer, X, threat_model=threat_model).distance

    distances = [
        distance(None, None),
        distance(wider, None),
        distance((low, high), None),
        distance((low, high), more),
        distance((low, high), fewer),
    ]
    for near, far in pairwise(distances):
        assert (near <= far * (1 + 1e-12)).all()


@pytest.mark.slow
@given(seed=SEEDS)
@FEW
def test_linf_is_at_most_l2(seed):
    rng = np.random.default_rng(seed)
    weight, bias, X = random_linear(rng, 3, n=5)
    layer, box = linear_layer(weight, bias), random_box(rng, X)
    l2, linf = (
        boundary_distance(layer, X, threat_model=ThreatModel(norm, box)).distance for norm in NORMS
    )
    assert (linf <= l2 * (1 + 1e-12)).all()
    assert (l2 <= linf * 6**0.5 * (1 + 1e-12)).all()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scale", [1e-3, 100, 1e4])
def test_distances_scale_with_the_features(scale, norm):
    rng = np.random.default_rng(3)
    weight, bias, X = random_linear(rng, 4)
    low, high = random_box(rng, X)
    plain = boundary_distance(
        linear_layer(weight, bias), X, threat_model=ThreatModel(norm, (low, high))
    )
    scaled = boundary_distance(
        linear_layer(weight / scale, bias),
        X * scale,
        threat_model=ThreatModel(norm, (low * scale, high * scale)),
    )
    assert_allclose(scaled.distance, plain.distance * scale, rtol=1e-9)
    assert_allclose(scaled.adversarial, plain.adversarial * scale, rtol=1e-9, atol=1e-9 * scale)


def test_a_tie_is_at_distance_zero():
    layer = linear_layer([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], [0.0, 0.0, -5.0])
    X = np.array([[1.0, 1.0], [0.0, 0.0], [1.0, 0.0]])
    result = boundary_distance(layer, X)
    assert_allclose(result.distance, [0, 0, 0.5**0.5], atol=1e-13)
    assert (result.distance > 0).all()  # of points that are predicted differently
    assert_array_equal(result.status, ["found", "found", "exact"])
    assert_array_equal(result.lower[:2], 0)
    check_adversarials(result, X, predict_with(layer), rtol=1.1e-6)
    assert_array_equal(result.predicted, [0, 0, 0])


def test_a_constant_classifier_is_censored():
    layer = linear_layer(np.zeros((3, 2)), [0.0, 1.0, 0.0])
    result = boundary_distance(layer, np.ones((4, 2)))
    assert set(result.status) == {"censored"}
    assert np.isinf(result.distance).all()
    assert np.isinf(result.lower).all()
    assert np.isnan(result.adversarial).all()
    # Parallel hyperplanes: the first two classes never change places, the third is far.
    layer = linear_layer([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]], [1.0, 0.0, 0.0])
    assert_allclose(boundary_distance(layer, np.ones((1, 2))).distance, [2.0])


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_float32_modules_are_measured_in_float64(offset):
    weight, bias, X = random_linear(np.random.default_rng(5), 3)
    layer = linear_layer(weight, bias - weight.sum(axis=1) * offset, torch.float32)
    X = (X + offset).astype(np.float32)
    result = boundary_distance(layer, X)
    exact = closed_form(
        layer.weight.detach().double().numpy(),
        layer.bias.detach().double().numpy(),
        X.astype(np.float64),
        2,
    )
    assert_allclose(result.distance, exact, rtol=1e-9)
    assert result.adversarial.dtype == np.float32
    found = np.isfinite(result.adversarial).all(axis=1)
    assert found.mean() > 0.9
    flipped = predict_with(layer)(result.adversarial[found])
    assert (flipped != result.predicted[found]).all()


def test_images():
    rng = np.random.default_rng(6)
    weight, bias, X = random_linear(rng, 3, n_features=12)
    module = nn.Sequential(nn.Flatten(), linear_layer(weight, bias))
    images = X.reshape(-1, 3, 2, 2)
    result = boundary_distance(module, images)
    assert result.method == "linear"
    assert_allclose(result.distance, closed_form(weight, bias, X, 2), rtol=1e-9)
    check_adversarials(result, images, predict_with(module), rtol=1.1e-6)


@pytest.mark.parametrize("batch_size", [1, 3, 8, 512])
def test_batches(batch_size, monkeypatch):
    weight, bias, X = random_linear(np.random.default_rng(7), 3)
    layer = linear_layer(weight, bias)
    rows, linear = [], nn.functional.linear

    def counted(data, weight, bias):
        rows.append(len(data))
        return linear(data, weight, bias)

    monkeypatch.setattr(nn.functional, "linear", counted)
    y = np.arange(len(X)) % 3
    result = boundary_distance(layer, X, y=y, batch_size=batch_size)
    right = closed_form(weight, bias, X, 2)
    right[result.predicted != y] = np.nan
    assert_allclose(result.distance, right, rtol=1e-9)
    assert max(rows) <= batch_size
    held = np.arange(len(X)) < batch_size
    skipped = result.status == "skipped"
    assert_array_equal(result.n_forward, np.where(skipped, 1, 2) + held)
    assert not result.n_backward.any()


def test_a_wall_just_beyond_the_boundary_is_within_rounding():
    """Flipped there, and nowhere beyond rounding: found, and not exact."""
    wall = 1 + 1e-12  # the logits are 1,000
    layer = linear_layer([[0.0], [1.0]], [1000.0, 999.0])
    result = boundary_distance(layer, [[0.0]], threat_model=ThreatModel(bounds=(-1, wall)))
    assert_array_equal(result.status, ["found"])
    assert_array_equal(result.adversarial, [[wall]])
    assert_array_equal(result.distance, [wall])


def test_a_wall_on_the_boundary_is_not_flipped():
    # The last feature adds to both logits: of the larger ones, both are greatest.
    layer = linear_layer([[0.0, 1.0], [1.0, 1.0]], [1000.0, 999.0])
    threat_model = ThreatModel(bounds=(-1, [1, 10]), mutable=[True, False])
    result = boundary_distance(layer, [[0.0, 0.0], [0.5, 9.0]], threat_model=threat_model)
    assert_array_equal(result.status, ["censored", "censored"])
    assert np.isinf(result.distance).all()


@pytest.mark.parametrize(("dtype", "beyond"), [(torch.float64, 1e-12), (torch.float32, 2**-20)])
def test_points_are_in_the_box_to_the_last_bit(dtype, beyond):
    X = np.random.default_rng(0).uniform(-0.9, 0.9, size=(1000, 1)) ** 3
    X = torch.from_numpy(X).to(dtype).numpy()
    layer = linear_layer([[0.0], [1.0], [-1.0]], [0.9375, 0, 0], dtype)  # flips there, both ways
    wall = 0.9375 + beyond  # nearer than the first step beyond
    result = boundary_distance(layer, X, threat_model=ThreatModel(bounds=(-wall, wall)))
    assert result.adversarial.dtype == X.dtype
    assert_allclose(abs(result.adversarial), wall, rtol=1e-15)
    assert (abs(result.adversarial) <= wall).all()
    if dtype == torch.float64:  # or this could not fail
        assert (X + (wall - X) > wall).any()
        assert (X + (-wall - X) < -wall).any()


def test_a_network_is_not_linear():
    module = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2))
    with pytest.raises(ValueError, match=r'needs an affine model.*method="auto"'):
        boundary_distance(module, np.zeros((1, 2)), method="linear")
