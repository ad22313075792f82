"""Chunks of rows: their division, and the radius that they begin with."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import GradientBoostingClassifier

from ensembles import search, small_ensemble
from robfair import ThreatModel, boundary_distance
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


@pytest.mark.parametrize("norm", [2, np.inf])
def test_rows_that_no_single_move_flips_start_at_rows_of_the_other_class(norm):
    rng = np.random.default_rng(0)
    X = rng.uniform(-1, 1, (300, 6))
    y = (X[:, :4] > -0.5).all(axis=1).astype(int)  # all four at once
    model = GradientBoostingClassifier(n_estimators=8, max_depth=5, random_state=0).fit(X, y)
    options = {"threat_model": ThreatModel(norm=norm)}
    exact = boundary_distance(model, X, **options)
    assert exact.counts() == {"exact": 300}
    quick = boundary_distance(model, X, budget=1, **options)  # no work for the search of boxes
    assert_allclose(quick.distance, exact.distance, rtol=0.05)
    far = np.argmax(exact.distance * (model.predict(X) == 0))
    alone = boundary_distance(model, X[far : far + 1], budget=1, background=X, **options)
    assert_allclose(alone.distance, quick.distance[far])
    fixed = ThreatModel(norm=norm, mutable=np.arange(6) > 0)  # the first column stays
    found = boundary_distance(model, X, threat_model=fixed, budget=1)
    near = np.isfinite(found.distance)
    assert near.mean() > 0.5
    assert_array_equal(found.adversarial[near][:, 0], X[near][:, 0])
