"""Points in balls to the last bit, and samples that leave once they are fooled."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from oracles import linear_layer
from robfair import ThreatModel
from robfair.attacks import attack
from robfair.attacks._active_pgd import into_ball


@pytest.mark.parametrize("norm", [2, torch.inf])
@given(seed=st.integers(0, 2**31), offset=st.sampled_from([0.0, 1e3, 1e7]))
def test_points_are_moved_into_the_ball_exactly(norm, seed, offset):
    rng = np.random.default_rng(seed)
    x = torch.from_numpy(rng.normal(size=(20, 3)) + offset).float()
    eps = torch.from_numpy(rng.exponential(size=20))
    outside = x + torch.from_numpy(rng.normal(size=(20, 3))).float()
    points, size = into_ball(outside, x, eps, norm)
    delta = points.double() - x.double()
    assert points.dtype == torch.float32
    assert_allclose(np.linalg.norm(delta.numpy(), norm, axis=1), size, rtol=1e-14)
    assert (size <= eps).all()
    inside = torch.linalg.vector_norm((outside.double() - x.double()), norm, dim=1) < 0.99 * eps
    assert_array_equal(points[inside], outside[inside])


def test_samples_leave_when_they_are_fooled():
    # One step of this length crosses the boundary at 0 for the samples that lie within it.
    module = linear_layer(np.array([[1.0], [-1.0]]), np.zeros(2))
    X = np.array([[0.05], [0.15], [0.25], [9.0]])
    result = attack(
        module, X, eps=1.0, step_size=0.1, n_steps=8, random_start=False,
        threat_model=ThreatModel(2),
    )  # fmt: skip
    assert_array_equal(result.success, [True, True, True, False])
    # The pass that shows that a sample is fooled is made with its batch, backwards too.
    assert_array_equal(result.n_backward, [2, 3, 4, 8])
