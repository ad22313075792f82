"""The best points so far, and moves towards the boundary."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensembles import incumbents, margins, pool_of
from robfair.distance.trees._greedy import climb


def test_the_cheapest_offer_of_a_row_is_kept():
    best = incumbents(3, 1, 0.0)
    rows, cost = np.array([0, 1, 0, 0]), np.array([3.0, 4.0, 1.0, 2.0])
    best.offer(rows, cost, np.arange(4)[:, None])
    assert_array_equal(best.cost, [1, 4, np.inf])
    assert_array_equal(best.bins[:2, 0], [2, 1])
    best.offer(np.array([0]), np.array([1.5]), np.array([[9]]))
    assert best.bins[0, 0] == 2


def test_the_model_is_asked_about_margins_that_prove_nothing():
    asked = []

    def ask(rows, bins):
        asked.extend(rows)
        return rows == 2

    best = incumbents(4, 1, 0.1, ask)
    rows, margin = np.arange(4), np.array([0.2, -0.2, 0.05, -0.05])
    assert_array_equal(best.flips(rows, best.bins, margin), [True, False, True, False])
    assert asked == [2, 3]
    assert_array_equal(best.may_flip(rows, margin), [True, False, True, True])
    # Whole numbers: a tie flips or not, whatever rounds.
    best = incumbents(4, 1, 0.0)
    assert_array_equal(best.flips(rows, best.bins, np.zeros(4)), [True, False, True, False])
    assert_array_equal(best.may_flip(rows, np.zeros(4)), [True, False, True, False])


@pytest.mark.parametrize("is_l2", [True, False])
@pytest.mark.parametrize("seed", [0, 1, 5])
def test_what_is_offered_is_flipped_and_costs_what_it_says(seed, is_l2):
    _, ensemble, costs, labels, pool = pool_of(seed, 1e9, is_l2)
    best = incumbents(len(labels), costs.own.shape[1], 1e-9)
    climb(pool, pool.own, np.full(len(labels), 1e9), best, None)
    found = np.isfinite(best.cost)
    assert found.any()
    assert (margins(ensemble, costs, labels, best.bins)[found] > 0).all()
    moves = costs.points(np.arange(len(labels)), best.bins) - costs.space.X
    size = np.linalg.norm(moves, 2 if is_l2 else np.inf, axis=1)
    assert_allclose(size[found], best.cost[found])
