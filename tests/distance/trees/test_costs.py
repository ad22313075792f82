"""Costs of bins and conditions, by the points that have them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.tree import DecisionTreeClassifier

from ensembles import parts, table_forest
from robfair import ThreatModel
from robfair.adapters.trees import read_trees
from robfair.distance.tabular import TableSpace
from robfair.distance.trees._compile import compile_ensemble
from robfair.distance.trees._costs import RowCosts
from robfair.distance.trees._groups import find_groups


def check(compiled, costs):
    layout, conditions = compiled.layout, compiled.conditions
    for g in range(len(compiled.groups)):
        n = layout.n_bins[g]
        of_bin = costs.of_bin[:, layout.start[g] : layout.start[g] + n]
        at = np.arange(len(of_bin))
        assert_allclose(of_bin[at, costs.own[:, g]], 0)
        flags = np.full(n, True) if layout.is_set[g] else None
        for q in np.flatnonzero(conditions.group == g):
            met = conditions.met(np.full(n, q), np.arange(n), flags)
            least = of_bin[:, met].min(axis=1) if met.any() else np.inf
            assert_allclose(costs.of_condition[:, q], np.broadcast_to(least, len(at)))
        # The nearest bin of an interval that ends at b, or begins there.
        for b in range(n):
            nearest = np.where(
                b > costs.own[:, g], of_bin[:, b:].min(axis=1), of_bin[:, : b + 1].min(axis=1)
            )
            held = costs.own[:, g] == b
            beyond = costs.beyond[:, layout.start[g] + b]
            assert_allclose(np.where(held, 0, beyond), np.where(held, 0, nearest))


@pytest.mark.parametrize("mutable", [None, [True, False]])
def test_of_numbers(mutable):
    threat_model = ThreatModel(bounds=(-1e6, 1e6), mutable=mutable)
    _, _, compiled, costs = parts(4, threat_model, n_features=2)
    check(compiled, costs)
    for g, group in enumerate(compiled.groups):
        for b in range(group.n_bins):
            bins = costs.own.copy()
            bins[:, g] = b
            cost = costs.of_bin[:, compiled.layout.start[g] + b]
            can = np.flatnonzero(np.isfinite(cost))
            points = costs.points(can, bins[can])
            assert_allclose(np.abs(points - costs.space.X[can]).max(axis=1), cost[can])
            if mutable is not None and group.column == 1:
                assert (bins[can] == costs.own[can]).all()


def test_of_categories_and_integers():
    model, space = table_forest()
    ensemble = read_trees(model)
    compiled = compile_ensemble(ensemble, find_groups(ensemble, space), has_missing=False)
    check(compiled, RowCosts(compiled, space, np.arange(20)))


def test_splits_at_decimals_that_are_written():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.integers(0, 40, 60) / 100})
    model = DecisionTreeClassifier(random_state=0).fit(frame, rng.integers(0, 2, 60))
    ensemble = read_trees(model)
    ensemble = replace(ensemble, split=np.round(ensemble.split, 2))  # a step may end on a split
    space = TableSpace(ThreatModel.from_frame(frame), frame.to_numpy(), np.float64, written=True)
    compiled = compile_ensemble(ensemble, find_groups(ensemble, space), has_missing=False)
    costs = RowCosts(compiled, space, np.arange(60))
    assert np.isinf(costs.of_bin[:, :-1]).any()  # what only such a step would reach
    check(compiled, costs)
