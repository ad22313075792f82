"""The best points so far, and moves towards the boundary."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensembles import incumbents, margins, pool_of
from robfair.distance.trees._greedy import _Moves, climb, climb_again


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
    first, bins = best.cost.copy(), best.bins.copy()
    hold_offers(ensemble, costs, labels, best, is_l2)
    # As if all had been found farther away: balls that become smaller lead there again, or nearer.
    best.cost, best.bins = first * 1.4, costs.own.copy()
    moved = np.flatnonzero(np.isfinite(first) & (first > 0))
    climb_again(pool, moved, best)
    assert (best.cost[moved] <= first[moved] * (1 + 1e-9)).all()
    rest = np.setdiff1d(np.arange(len(labels)), moved)
    best.cost[rest], best.bins[rest] = first[rest], bins[rest]  # these are left alone
    hold_offers(ensemble, costs, labels, best, is_l2)


def hold_offers(ensemble, costs, labels, best, is_l2):
    found = np.isfinite(best.cost)
    assert found.any()
    assert (margins(ensemble, costs, labels, best.bins)[found] > 0).all()
    moves = costs.points(np.arange(len(labels)), best.bins) - costs.space.X
    size = np.linalg.norm(moves, 2 if is_l2 else np.inf, axis=1)
    assert_allclose(size[found], best.cost[found])


def test_the_first_of_the_best_moves_of_each_row_is_taken():
    rng = np.random.default_rng(0)
    price = rng.integers(0, 9, (6, 20)).astype(float)
    price[:, 3] = 0  # where the rows are
    every = _Moves.below(price, np.array([9.0, 5, 0, 3, 9, 1]))
    assert (every.price < np.array([9.0, 5, 1e-9, 3, 9, 1])[every.row]).all()
    for moves in (every, every.part(np.arange(6) % 3 > 0)):
        score = rng.integers(0, 3, len(moves.row)).astype(float)
        score[moves.row == 1] = -np.inf
        for row, at in enumerate(moves.best(score)):
            own = np.flatnonzero(moves.row == row)
            assert at == own[score[own].argmax()]
