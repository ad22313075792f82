"""Random starts: of the seed and the position alone, and uniform."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from oracles import network, predict_with
from robfair.attacks._starts import in_ball, near_centre

NORMS = [2, np.inf]
NET = network([4, 8, 3])
X = np.random.default_rng(0).normal(size=(40, 4))
CLEAN = predict_with(NET)(X)
Y = np.where(np.arange(40) % 7 == 0, (CLEAN + 1) % 3, CLEAN)  # some are wrong


def test_random_starts_depend_on_seed_and_position_alone():
    x, eps = torch.zeros(60, 5, dtype=torch.float64), torch.full((60,), 2.0, dtype=torch.float64)
    every = np.arange(60)
    some = np.array([0, 1, 5, 6, 7, 30, 59])
    for norm in NORMS:
        together = in_ball(x, eps, norm, every, (0, 1))
        assert_array_equal(in_ball(x[some], eps[some], norm, some, (0, 1)), together[some])
        assert (together != in_ball(x, eps, norm, every, (0, 2))).all()
        assert (together != in_ball(x, eps, norm, every, (1, 1))).all()
    together = near_centre(x, eps, every, (0, 1))
    assert_array_equal(near_centre(x[some], eps[some], some, (0, 1)), together[some])


@pytest.mark.parametrize("norm", NORMS)
def test_random_starts_are_uniform_in_the_ball(norm):
    x, eps = torch.zeros(4000, 3, dtype=torch.float64), torch.full((4000,), 2.0).double()
    points = in_ball(x, eps, norm, np.arange(4000), (0, 0))
    share = (torch.linalg.vector_norm(points, norm, dim=1) / 2) ** 3  # of the volume: uniform
    assert_allclose(np.quantile(share, [0, 0.25, 0.5, 0.75, 1]), [0, 0.25, 0.5, 0.75, 1], atol=0.03)
    assert share.max() <= 1 + 1e-9
    assert_allclose(points.mean(dim=0), np.zeros(3), atol=0.1)
