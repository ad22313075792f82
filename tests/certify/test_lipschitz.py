"""Joint bounds of a layer against points of the ball, Lipschitz constants against norms."""

from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from oracles import network
from robfair.certify._lipschitz import ReachableSet, joint_loss, lipschitz
from robfair.certify._trace import trace


@given(
    seed=st.integers(0, 2**32 - 1),
    slope=st.sampled_from([0.0, 0.3]),
    scale=st.sampled_from([1e-3, 1.0, 1e3]),
)
@settings(max_examples=15, deadline=None)
def test_joint_loss_is_a_bound(seed, slope, scale):
    rng = np.random.default_rng(seed)
    centre, radius = rng.normal(size=(6, 1, 2)), rng.exponential(0.3, 2)
    step = rng.normal(size=(6, 200, 2))
    step *= radius * rng.random((200, 2)) ** 0.1 / np.linalg.norm(step, axis=0)
    low, high = centre - rng.exponential(0.2, (6, 1, 2)), centre + rng.exponential(0.2, (6, 1, 2))
    points = torch.from_numpy(scale * np.clip(centre + step, low, high))
    reach = ReachableSet(*(torch.from_numpy(scale * t[:, 0]) for t in (centre, low, high)),
                  torch.from_numpy(scale * radius))  # fmt: skip
    outer, inner = (torch.from_numpy(rng.normal(size=(6, 2, 3))) for _ in range(2))
    relu = torch.where(points > 0, points, slope * points)
    reached = torch.einsum("kpn,knm->pnm", relu, outer)
    reached = reached - torch.einsum("kpn,knm->pnm", points, inner)
    assert (reached >= joint_loss(outer, inner, slope, reach) - 1e-9 * scale).all()


def test_joint_loss_of_a_kink():
    # Two arguments of 0, bounds far away: |z_1| + |z_2| is at most sqrt(2) times the radius.
    zero, far = torch.zeros(2, 1).double(), torch.full((2, 1), 9.0).double()
    outer = torch.full((2, 1, 1), -2.0).double()  # -2 relu(z) + z = -|z|
    reach = ReachableSet(zero, -far, far, torch.ones(1).double())
    with patch("robfair.certify._lipschitz.MULTIPLIER", 1.0):
        least = float(joint_loss(outer, outer / 2, 0.0, reach))
    assert least == pytest.approx(-(2**0.5))


def test_constants_lie_between_the_jacobian_and_the_product_of_norms():
    module = network([5, 8, 8, 3], nn.ReLU, seed=1)
    first, second = (module[k].weight.detach() for k in (0, 2))
    constants = lipschitz(trace(module, (5,)), 5)
    norm = float(torch.linalg.matrix_norm(first, 2))
    assert constants[0] == pytest.approx(norm, rel=1e-6)
    assert constants[1] < norm * float(torch.linalg.matrix_norm(second, 2))
    for x in torch.randn(50, 5, generator=torch.Generator().manual_seed(0)).double() * 3:
        jacobian = second @ (first * (module[0](x) > 0)[:, None])
        assert float(torch.linalg.matrix_norm(jacobian, 2)) <= constants[1]


def test_matrices_that_are_too_large_have_no_constant():
    net = trace(network([5, 8, 3], nn.ReLU), (5,))
    with patch("robfair.certify._lipschitz.LARGEST", 4):
        assert lipschitz(net, 5) == [np.inf]
