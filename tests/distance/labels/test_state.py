"""The state of a search by labels: budget, box and mask, and the nearest flipped points."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from robfair.distance.labels._state import DecisionState


def above_one(X):
    return X[:, 0] > 1


def make(X, budget=10, box=None, mask=None):
    rngs = [np.random.default_rng(i) for i in range(len(X))]
    return DecisionState(above_one, X, above_one(X), 2, box, mask, budget, rngs)


def test_the_nearest_flipped_point_of_each_sample_is_kept():
    state = make(np.zeros((2, 2)))
    points = np.array([[3.0, 0], [2.0, 0], [0.5, 0], [2.5, 0]])
    flipped = state.flipped(np.array([0, 0, 0, 1]), points)
    assert_array_equal(flipped, [True, True, False, True])
    assert_allclose(state.distance, [2, 2.5])
    assert_array_equal(state.points, [[2, 0], [2.5, 0]])
    state.flipped(np.array([0, 1]), np.array([[4.0, 0], [1.5, 0]]))
    assert_allclose(state.distance, [2, 1.5])


def test_points_beyond_the_budget_are_not_predicted():
    asked = []

    def counted(X):
        asked.append(len(X))
        return above_one(X)

    state = make(np.zeros((2, 1)), budget=2)
    state.predict = counted
    flipped = state.flipped(np.array([0, 1, 0, 0]), np.full((4, 1), 5.0))
    assert_array_equal(flipped, [True, True, True, False])
    assert_array_equal(state.left(np.array([0, 1])), [0, 1])
    assert not state.flipped(np.array([0]), np.full((1, 1), 5.0)).any()
    assert asked == [3]


def test_inside_clips_and_keeps_what_is_immutable():
    X, box = np.array([[0.5, 0.5]]), (np.zeros(2), np.ones(2))
    state = make(X, box=box, mask=np.array([True, False]))
    assert_array_equal(state.inside(np.array([0]), np.array([[3.0, 3.0]])), [[1, 0.5]])


def test_a_move_tries_no_more_features_than_a_quarter_of_the_budget():
    assert make(np.zeros((1, 50)), budget=40).n_features == 10
    assert make(np.zeros((1, 3)), budget=40).n_features == 3
    assert make(np.zeros((1, 3)), budget=2).n_features == 1
