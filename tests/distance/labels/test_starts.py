"""Starts of a search by labels: the nearest samples of another label, then random points."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from robfair.distance.labels._starts import AT_ONCE, COARSE, Starts
from robfair.distance.labels._state import DecisionState


def make(predict, X, background, norm=2, mask=None):
    rngs = [np.random.default_rng(i) for i in range(len(X))]
    state = DecisionState(predict, X, predict(X), norm, None, mask, 500, rngs)
    return state, Starts(state, background, predict(background))


def test_starts_are_samples_of_another_label_nearest_first():
    background = np.array([[5.0, 0], [0.5, 0], [2.0, 9], [3.0, 0]])
    mask = np.array([True, False])  # the second feature cannot move, so it does not count
    _, starts = make(lambda X: X[:, 0] > 1, np.zeros((1, 2)), background, mask=mask)
    assert_array_equal(starts.order, [[2, 3, 0, -1]])


@pytest.mark.parametrize("norm", [2, np.inf])
def test_each_call_tries_the_next_starts(norm):
    # The nearest starts lead to an island that is further than the one behind the others.
    background = np.concatenate([np.full((AT_ONCE, 1), 4.0), [[-4.1]]])
    state, starts = make(
        lambda X: (X[:, 0] > 3) | (X[:, 0] < -1), np.zeros((1, 1)), background, norm
    )
    starts(np.array([0]))
    assert 3 < state.distance[0] < 3.01
    starts(np.array([0]))
    assert 1 < state.distance[0] < 1 + COARSE
    n_queries = state.n_queries.copy()
    starts.order[:] = -1
    starts(np.array([0]))  # none is left: only the best point is asked about
    assert state.n_queries - n_queries < 20


def test_random_points_serve_where_no_sample_does():
    X = np.zeros((2, 3))
    state, starts = make(lambda X: X[:, 0] > 1, X, X)
    starts(np.arange(2))
    assert np.isinf(state.distance).all()
    starts.at_random(np.arange(2))
    assert (state.distance > 1).all()
    assert np.isfinite(state.distance).all()
    before = state.n_queries.copy()
    starts.at_random(np.arange(2))
    assert_array_equal(state.n_queries, before)  # samples with a flipped point are left alone
