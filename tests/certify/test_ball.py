"""Least values in a ball cut by a box, against points of it and distances in closed form."""

from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from balls import points_of, random_ball
from oracles import smallest_step

NORMS = [2, np.inf]
SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=15, deadline=None)


@pytest.mark.parametrize("limits", [False, True])
@pytest.mark.parametrize("norm", NORMS)
@given(seed=SEEDS)
@FEW
def test_minimum_in_a_ball(norm, limits, seed):
    rng = np.random.default_rng(seed)
    ball = random_ball(rng, 6, 4, norm, limits)
    normal = torch.from_numpy(rng.normal(size=(6, 4, 3)))
    points = points_of(ball, rng, 50) - ball.x[:, None]
    reached = torch.einsum("dpb,dbm->pbm", points, normal)
    assert (reached >= ball.minimum(normal) - 1e-12).all()
    with patch("robfair.certify._ball.NEWTON_STEPS", 30):
        least = ball.minimum(normal)
    assert (reached >= least - 1e-12).all()
    with patch("robfair.certify._ball.NEWTON_STEPS", 0):  # a poor multiplier is valid, too
        assert (ball.minimum(normal) <= least + 1e-12).all()
    # The other way round: the nearest point that reaches the value is on the sphere, or nearer.
    for sample in range(4):
        down, up = np.full((2, 6), np.inf)
        if limits:
            down, up = ball.down[:, sample].numpy(), ball.up[:, sample].numpy()
        for row in range(3):
            w, gap = -normal[:, sample, row].numpy(), -float(least[sample, row])
            size = smallest_step(w, gap * (1 - 1e-3), norm, down, up)
            assert size <= float(ball.radius[sample]) * (1 + 1e-6)


def test_minimum_of_a_shared_function():
    rng = np.random.default_rng(0)
    for norm in NORMS:
        for limits in (False, True):
            ball = random_ball(rng, 5, 3, norm, limits)
            normal = torch.from_numpy(rng.normal(size=(5, 1, 2)))
            each = ball.minimum(normal.expand(-1, 3, -1))
            torch.testing.assert_close(ball.minimum(normal), each)


@pytest.mark.parametrize("limits", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_no_radius(norm, limits):
    ball = random_ball(np.random.default_rng(0), 5, 3, norm, limits)
    ball.radius.zero_()
    assert ball.minimum(torch.full((5, 3, 2), 1e3).double()).abs().max() < 1e-100
