"""Reductions of perturbations, for models whose boundary is known."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from robfair.distance.labels._reduce import FINE, polish, return_features, shrink
from robfair.distance.labels._state import DecisionState

SAMPLE = np.array([0])


def make(predict, d, norm=2, budget=1000):
    X = np.zeros((1, d))
    return DecisionState(predict, X, predict(X), norm, None, None, budget, [])


@pytest.mark.parametrize("first", [0.02, 0.5])
@pytest.mark.parametrize("boundary", [0.01, 0.4, 0.99])
def test_shrink_ends_just_beyond_the_boundary(boundary, first):
    state = make(lambda X: X[:, 0] > boundary, 2)
    end = np.array([[1.0, 1.0]])
    points = shrink(state, SAMPLE, end, first, 1e-3)
    assert boundary < points[0, 0] <= boundary * (1 + 2e-3)
    assert_allclose(points[0, 1], points[0, 0])  # on the line to the sample
    assert_allclose(state.distance, np.linalg.norm(points, axis=1))


def test_in_linf_only_the_largest_moves_shrink():
    state = make(lambda X: X[:, 1] > 0.1, 2, norm=np.inf)
    points = shrink(state, SAMPLE, np.array([[1.0, 0.2]]), 0.5, 1e-3)
    assert 0.1 < points[0, 0] == points[0, 1] <= 0.1002


def test_polish_starts_from_the_best_point():
    state = make(lambda X: X[:, 0] > 1, 1)
    state.flipped(SAMPLE, np.array([[1.5]]))
    polish(state, SAMPLE)
    assert 1 < state.distance[0] <= 1 + 2 * FINE


def test_features_that_do_not_matter_return():
    state = make(lambda X: X[:, 1] + X[:, 3] > 1, 4)
    end = np.array([[3.0, 2.0, -1.0, 0.1]])
    state.flipped(SAMPLE, end)
    return_features(state, SAMPLE, end, halvings=0)
    assert_array_equal(state.points[0], [0, 2, 0, 0])
    return_features(state, SAMPLE, state.points, halvings=5)
    # Bisected to a thirty-second of the move of 2.
    assert 1 < state.points[0, 1] <= 1 + 2 / 32


def test_features_that_only_return_alone_do_not_return_together():
    # Each of the two may return, but not both: the greater one does.
    state = make(lambda X: np.maximum(X[:, 0], X[:, 1]) > 1, 2)
    return_features(state, SAMPLE, np.array([[2.0, 3.0]]), halvings=0)
    assert_array_equal(state.points[0], [2, 0])
