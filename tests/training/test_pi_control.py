"""The controller, on a plant of which the answer is known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from robfair.training._pi_control import MOST_FORCE, MOST_SUM, PiControl


def control(robustness, goal, sizes=None, gain=7.0, response=0.5):
    robustness, goal = np.array(robustness), np.array(goal)
    sizes = np.full(len(goal), 100) if sizes is None else np.array(sizes)
    zeros = np.zeros(len(goal))
    return PiControl(sizes, robustness, goal, response, zeros + gain, zeros, zeros)


@pytest.mark.parametrize("response", [1.0, 50.0])
def test_the_goals_are_reached_and_oscillations_die_out(response):
    """Rob(P) follows the coefficient with half of the response, whatever that is."""
    goal, rob = np.array([1.0, 1.0, 2.0]), np.array([0.8, 1.3, 2.0])
    loop = control(rob, goal, response=response)
    seen = []
    for _ in range(20 * 12):
        for group in range(3):
            loop.see(np.full(5, rob[group]), np.full(5, group), 1)
        rob = rob + goal * response * loop.force(1 / 20) / 20 * 0.5
        seen.append(rob)
    assert_allclose(rob, goal, rtol=0.02)
    beyond = np.abs((np.array(seen) - goal) / goal)[:, :2].reshape(12, 20, 2).max(axis=(1, 2))
    assert (beyond[4:] < beyond[0] / 4).all()


def test_forces_are_bounded_and_an_empty_group_has_none():
    loop = control([1e-9, 5.0, 0.0], [1.0, 1.0, 1.0], sizes=[30, 70, 0], response=1e-9)
    for _ in range(50):
        force = loop.force(1.0)
    assert_allclose(force, [MOST_FORCE * 100 / 60, -MOST_FORCE * 100 / 140, 0])
    assert_allclose(loop.integral, [MOST_SUM, -MOST_SUM, 0])


def test_force_by_hand():
    """The sum of the gaps by the part of an epoch, and the gap: times gain, over the response."""
    loop = control([0.8, 1.1], [1.0, 1.0], gain=7.0, response=2.0)
    assert_allclose(loop.force(0.25), np.array([0.2, -0.1]) * 7 * 1.25 / 2)
    assert_allclose(loop.force(0.25), np.array([0.2, -0.1]) * 7 * 1.5 / 2)


def test_a_group_of_one_sample_is_controlled_too():
    loop = control([0.5, 0.5], [1.0, 1.0], sizes=[1, 99], response=1e-9)
    loop.see(np.array([0.9]), np.array([0]), 1)
    assert_allclose(loop.robustness, [0.9 - 0.4 * np.exp(-2), 0.5])
    assert_allclose(loop.force(1.0), [MOST_FORCE * 100 / 2, MOST_FORCE * 100 / (2 * 99)])


def test_running_means():
    """After half an epoch of a group's samples, e ** -1 of what was known is left."""
    loop = control([1.0, 3.0], [1.0, 1.0])
    loop.see(np.full(25, 2.0), np.zeros(25, dtype=int), 2)
    assert_allclose(loop.robustness, [2 - np.exp(-1), 3.0])


def test_a_gain_is_halved_where_the_gap_turns():
    loop = control([0.8, 0.8, 0.95, 1.3], [1.0] * 4)
    loop.force(1.0)
    loop.end_epoch()
    before = loop.integral
    loop.robustness = np.array([1.2, 0.7, 1.2, 1.05])  # over, further off, from near, to near
    loop.end_epoch()
    assert loop.gain.tolist() == [3.5, 7, 7, 7]
    assert_allclose(loop.integral, before * [0.5, 1, 1, 1])
