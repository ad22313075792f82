"""The nearest point of one linear region, against a closed form and against many points of it."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from torch import nn

from oracles import network, relu_layers
from robfair.distance.exact._relu_milp import ReluNetwork
from robfair.distance.exact._relu_region import nearest_in_region

NORMS = [2, np.inf]


def open_network(layers, norm, n):
    return ReluNetwork(layers, norm, np.full(n, -np.inf), np.full(n, np.inf))


@pytest.mark.parametrize("norm", NORMS)
def test_one_affine_map_is_one_region(norm):
    rng = np.random.default_rng(0)
    weight, bias = rng.normal(size=(2, 4)), np.array([2.0, 0.0])
    normal = weight[1] - weight[0]
    distance = 2 / np.linalg.norm(normal, 2 if norm == 2 else 1)
    step = nearest_in_region(open_network([(weight, bias)], norm, 4), [], 0, 1, unit=0.5)
    assert_allclose(0.5 * np.linalg.norm(step, norm), distance, rtol=1e-6)
    assert_allclose(0.5 * step @ normal, 2, rtol=1e-6)
    ahead = nearest_in_region(open_network([(weight, bias)], norm, 4), [], 0, 1, 0.5, lead=0.1)
    assert 0.5 * ahead @ normal == pytest.approx(2 + 0.05 * np.linalg.norm(normal), rel=1e-6)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(6))
def test_no_point_of_the_region_is_nearer(norm, seed):
    rng = np.random.default_rng(seed)
    (w, b), (v, c) = layers = relu_layers(network([2, 4, 2], nn.ReLU, seed=seed))
    label = int(np.argmax(np.maximum(b, 0) @ v.T + c))
    points = rng.uniform(-6, 6, size=(40_000, 2))
    hidden = points @ w.T + b
    logits = np.maximum(hidden, 0) @ v.T + c
    patterns, region = np.unique(hidden > 0, axis=0, return_inverse=True)
    for k, active in enumerate(patterns):
        inside = (region.ravel() == k) & (logits[:, 1 - label] > logits[:, label])
        step = nearest_in_region(open_network(layers, norm, 2), [active], label, 1 - label, 1.0)
        if step is None:
            assert not inside.any()
            continue
        z = w @ step + b
        assert (np.where(active, z, -z) >= -1e-7).all()
        out = (z * active) @ v.T + c
        assert out[1 - label] == pytest.approx(max(out), abs=1e-6)
        sizes = np.linalg.norm(points[inside], norm, axis=1)
        assert np.linalg.norm(step, norm) <= sizes.min(initial=np.inf) + 1e-9


def test_the_box_closes_a_region():
    layers = [(np.array([[1.0, 0.0], [-1.0, 0.0]]), np.array([1.0, 0.0]))]
    for low, reached in ((-1.0, True), (-0.4, False)):  # the boundary is at -0.5
        net = ReluNetwork(layers, 2, np.array([low, -1.0]), np.ones(2))
        assert (nearest_in_region(net, [], 0, 1, 1.0) is not None) == reached
