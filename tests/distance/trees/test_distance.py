"""Distances of sums of trees against every cell of small ones, and against single trees."""

from functools import cache
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from ensembles import Flips, search, small_ensemble, splits_of, try_cells
from robfair import ThreatModel
from robfair.adapters.trees import read_trees
from robfair.distance.trees import _best_first, tree_distance

NORMS = st.sampled_from([2, np.inf])


@given(seed=st.integers(0, 2**31), norm=NORMS, boxed=st.booleans(), held=st.booleans())
@example(seed=6453, norm=2, boxed=False, held=True)  # nothing may move
@settings(max_examples=12, deadline=None)
@patch.object(_best_first, "SLOW", 0)  # prices from the first boxes on
def test_the_nearest_of_all_cells_is_found_and_proven(seed, norm, boxed, held):
    rng, model, X = small_ensemble(seed)
    n_features = X.shape[1]
    mutable = np.full(n_features, True)
    if held and n_features > 1:
        mutable[rng.integers(n_features)] = False
    threat_model = ThreatModel(norm, "data" if boxed else None, mutable).bind(X)
    found = search(model, X, threat_model)
    right = try_cells(model, X, threat_model, splits_of(read_trees(model), n_features))
    assert_allclose(found.distance, right, rtol=1e-9)
    assert_allclose(found.lower, found.distance, rtol=1e-9)
    near = np.isfinite(found.distance)
    assert not found.is_wrong.any()
    if near.any():
        assert (model.predict(found.points[near]) != model.predict(X[near])).all()
    size = np.linalg.norm(found.points - X, norm, axis=1)
    assert_allclose(size[near], found.distance[near], rtol=1e-9)
    assert (found.points == X)[near][:, ~mutable].all()


@pytest.mark.parametrize("norm", [2, np.inf])
def test_a_sum_of_one_tree_is_that_tree(norm):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(150, 4))
    y = (X[:, 0] * X[:, 1] + X[:, 2] > 0).astype(int)
    tree = DecisionTreeClassifier(max_depth=6, random_state=0).fit(X, y)
    right, _ = tree_distance(tree, X, norm=norm, box=None, mask=None, progress=lambda n: None)
    found = search(tree, X, ThreatModel(norm))
    assert_allclose(found.distance, right, rtol=1e-12)
    assert_allclose(found.lower, right, rtol=1e-12)


def test_points_are_of_the_dtype_of_the_rows():
    model, X = forest()
    X = X[:10].astype(np.float32)
    found = search(model, X, budget=3)
    near = np.isfinite(found.distance)
    assert found.points.dtype == np.float32
    assert near.any()
    assert (model.predict(found.points[near]) != model.predict(X[near])).all()


@cache
def forest():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(700, 6))
    y = (X.sum(axis=1) + rng.normal(size=700) > 0).astype(int)
    return RandomForestClassifier(20, max_depth=6, random_state=0).fit(X, y), X


@pytest.mark.slow
def test_a_budget_leaves_intervals_that_hold_the_distance():
    model, X = forest()
    X = X[:25]
    exact, quick = search(model, X), search(model, X, budget=2)
    assert_array_equal(exact.lower, exact.distance)
    assert (quick.lower < quick.distance).any()
    assert (quick.lower <= exact.distance * (1 + 1e-12)).all()
    assert (exact.distance <= quick.distance * (1 + 1e-12)).all()
    assert not quick.is_wrong.any()


@pytest.mark.parametrize("seed", range(6))
def test_prices_change_the_work_and_not_the_distances(monkeypatch, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(400, 6)).round(1)
    y = (X.sum(axis=1) + rng.normal(size=400) > 0).astype(int)
    kind = [RandomForestClassifier, GradientBoostingClassifier][seed % 2]
    model = kind(n_estimators=15, max_depth=4, random_state=0).fit(X, y)
    X = X[:40]
    monkeypatch.setattr(_best_first, "SLOW", np.inf)
    right = search(model, X)
    monkeypatch.setattr(_best_first, "SLOW", 0)  # from the first boxes on
    priced = search(model, X)
    assert_allclose(priced.distance, right.distance, rtol=1e-12)
    assert_array_equal(priced.lower, priced.distance)
    early = search(model, X, budget=4)
    assert (early.lower <= right.distance * (1 + 1e-12)).all()


def test_workers_change_nothing():
    model, X = forest()
    X = X[:70]  # two chunks: the first is of 64 rows
    one = search(model, X, budget=3)
    with parallel_config("threading", n_jobs=2):
        two = search(model, X, budget=3)
    for name, values in vars(one).items():
        assert_array_equal(values, getattr(two, name))


def test_a_model_that_predicts_otherwise_is_found_out():
    class Contrary:
        def __init__(self, model):
            self.model, self.classes_ = model, model.classes_

        def predict(self, X):
            # Agrees on the rows of X, and has one label everywhere else.
            known = (X[:, None] == self.rows).all(axis=2).any(axis=1)
            return np.where(known, self.model.predict(X), self.model.classes_[0])

    _, model, X = small_ensemble(3, 2, 3)
    liar = Contrary(model)
    liar.rows = X
    found = search(liar, X, ensemble=read_trees(model))
    near = np.isfinite(found.distance)
    assert_array_equal(found.is_wrong[near], model.predict(X[near]) == model.classes_[0])


def test_equal_rows_are_searched_once(monkeypatch):
    _, model, X = small_ensemble(1, n_classes=2)
    number, n_asked, ask = [*range(6), *range(6)[::-1], 0, 1], [], Flips.__call__

    def counted(self, rows, points):
        n_asked.append(len(rows))
        return ask(self, rows, points)

    monkeypatch.setattr(Flips, "__call__", counted)
    alone, n_alone = search(model, X[:6]), sum(n_asked)
    found = search(model, X[number])
    assert_array_equal(found.distance, alone.distance[number])
    assert_array_equal(found.lower, alone.lower[number])
    assert_array_equal(found.points, alone.points[number])
    assert sum(n_asked) == 2 * n_alone > 0
