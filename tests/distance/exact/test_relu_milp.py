"""One program: its bound is below every flipped step, and its step is one."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from torch import nn

from oracles import network, relu_layers
from robfair.distance.exact._relu_milp import SAFETY, Program, ReluNetwork, Solution

NORMS = [2, np.inf]


def around(x, norm, seed):
    """A network as a function of the step from a sample, its class there and another."""
    (weight, bias), *rest = relu_layers(network([2, 6, 3], nn.ReLU, seed=seed))
    layers = [(weight, weight @ x + bias), *rest]
    logits = forward(layers, np.zeros((1, 2)))[0]
    label, target = np.argsort(-logits)[:2]
    return ReluNetwork(layers, norm, np.full(2, -3.0), np.full(2, 2.0)), label, target


def forward(layers, steps):
    out = steps
    for k, (weight, bias) in enumerate(layers):
        out = (np.maximum(out, 0) if k else out) @ weight.T + bias
    return out


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("seed", range(4))
def test_the_bound_is_below_every_step_to_the_target(norm, seed):
    net, label, target = around(np.array([0.3, -0.2]), norm, seed)
    side = np.linspace(-3, 2, 401)
    steps = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)
    logits = forward(net.layers, steps)
    sizes = np.linalg.norm(steps, norm, axis=1)
    least = sizes[logits[:, target] >= logits[:, label]].min(initial=np.inf)
    radius = 3.0
    solution = Program(net, radius, np.inf).solve(label, target)
    if np.isinf(solution.bound):
        assert least > radius - 0.02
        return
    assert solution.bound * radius <= least
    logits = forward(net.layers, solution.step[None] * radius)[0]
    assert logits[target] >= logits[label] - 1e-4 * np.abs(logits).max()
    if norm == np.inf:  # in L2 the squares are known by their tangents only
        assert_allclose(np.abs(solution.step).max(), solution.bound, atol=3 * SAFETY)
        assert least <= solution.bound * radius + 0.03


@pytest.mark.parametrize("norm", NORMS)
def test_nothing_within_a_small_radius(norm):
    net, label, target = around(np.array([0.3, -0.2]), norm, 0)
    solution = Program(net, 1e-3, np.inf).solve(label, target)
    assert solution == Solution(np.inf)


def test_no_time_proves_nothing():
    net, label, target = around(np.array([0.3, -0.2]), np.inf, 0)
    assert Program(net, 3.0, 0.0).solve(label, target).bound in (0.0, np.inf)
