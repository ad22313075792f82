"""Chunks of rows: their division, and the radius that they begin with."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensembles import search, small_ensemble
from robfair.distance.trees import Nearest
from robfair.distance.trees import _pool as pools


def test_rows_that_reach_too_many_leaves_are_divided(monkeypatch):
    _, model, X = small_ensemble(7)
    whole = search(model, X)
    monkeypatch.setattr(pools, "MOST_PAIRS", 8)
    assert_allclose(search(model, X).distance, whole.distance)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_the_first_radius_changes_nothing(n_classes):
    _, model, X = small_ensemble(6, n_classes)
    copies = np.repeat(X, 8, axis=0)  # more than one chunk, the second with a radius of the first
    found = search(model, copies)
    assert_allclose(found.distance, np.repeat(search(model, X).distance, 8))


def test_parts_are_joined_in_order():
    _, model, X = small_ensemble(6)
    found = search(model, X)
    both = Nearest.join([found, found])
    assert_array_equal(both.distance, np.tile(found.distance, 2))
    assert_array_equal(both.points, np.concatenate([found.points] * 2))
