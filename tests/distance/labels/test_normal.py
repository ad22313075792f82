"""Normals of the boundary from labels alone, against those of linear models."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from robfair.distance.labels._normal import BoundaryNormals
from robfair.distance.labels._state import DecisionState


def make(weight, norm=2, mask=None, budget=300):
    def predict(X):
        return weight @ X.T > 1

    X = np.zeros((1, len(weight)))
    state = DecisionState(predict, X, predict(X), norm, None, mask, budget, [
        np.random.default_rng(0)
    ])  # fmt: skip
    return state, BoundaryNormals(state)


@pytest.mark.parametrize("norm", [2, np.inf])
def test_steps_along_the_normal_reach_the_distance(norm):
    weight = np.array([1.0, -2.0, 0.5, 0.25])
    state, step = make(weight, norm)
    # A flipped point far from the nearest one.
    state.flipped(np.array([0]), np.array([[1.0, 0.0, 0.0, 0.1]]))
    exact = 1 / np.linalg.norm(weight, 2 if norm == 2 else 1)
    for _ in range(6):
        step(np.array([0]))
    assert_allclose(state.distance, exact, rtol=0.01)
    normal = step.normal[0]
    assert normal @ weight >= 0.95 * np.linalg.norm(normal) * np.linalg.norm(weight)


def test_immutable_features_are_not_probed():
    weight, mask = np.array([1.0, 5.0]), np.array([True, False])
    state, step = make(weight, mask=mask)
    state.flipped(np.array([0]), np.array([[1.5, 0.0]]))
    step(np.array([0]))
    assert step.normal[0, 1] == 0
    assert state.points[0, 1] == 0
    assert 1 < state.distance[0] < 1.01


def test_a_sample_with_too_few_queries_left_is_not_measured():
    state, step = make(np.array([1.0, 1.0]), budget=6)
    state.flipped(np.array([0]), np.array([[3.0, 0.0]]))
    step(np.array([0]))
    assert_array_equal(state.n_queries, [1])
