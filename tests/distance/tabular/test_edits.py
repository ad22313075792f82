"""Edits of rows: their margins against the network, their choice against all of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from oracles import network
from robfair._problem import as_problem
from robfair.adapters import as_logits
from robfair.distance._writer import ResultWriter
from robfair.distance.tabular._best import BestRows
from robfair.distance.tabular._edits import EditSearch, distinct, least
from robfair.distance.tabular._oracle import TableOracle
from robfair.distance.tabular._space import TableRows, TableSpace
from tables import NORMS, table


def edits_of(X, threat_model, seed=0):
    module = network([X.shape[1], 12, 3], seed=seed)
    problem = as_problem(as_logits(module), X, None, threat_model, 50)
    results = ResultWriter(problem, keep_adversarial=False)
    space = TableSpace(problem.threat_model, problem.X, problem.X.dtype)
    oracle = TableOracle(problem, results, space, module)
    results.predicted_codes[:] = oracle.predict(space.X)
    return EditSearch(oracle, BestRows(space))


@pytest.mark.parametrize("norm", NORMS)
def test_neighbours_are_those_edits_that_may_beat_the_best_row(norm):
    X, threat_model = table(0, 6, norm=norm)
    edits = edits_of(X, threat_model)
    space, best = edits.space, edits.best
    best.cost[:] = [np.inf, np.inf, 0.9, 0.9, 1.3, 1.3]
    rows = space.unperturbed(np.arange(6))
    features = np.ones((6, space.n_discrete), dtype=bool)
    features[:, 0] = False
    margin, discrete = edits.neighbours(rows, features)
    allowed = space.allowed_edits(rows)
    for i in range(6):
        for edit in range(margin.shape[1]):
            edited = space.build(space.apply_edits(rows[[i]], np.array([edit])))
            cost = space.cost(edited)[0]
            if space.edit_feature[edit] == 0 or not allowed[i, edit] or cost >= best.cost[i]:
                assert margin[i, edit] == discrete[i, edit] == np.inf
            else:
                assert_allclose(discrete[i, edit], cost)
                assert_allclose(margin[i, edit], edits.oracle.margin(edited)[0])


def test_promising_edits_are_few_and_cost_less_than_the_best_row():
    X, threat_model = table(3, 10)
    edits = edits_of(X, threat_model)
    space, best = edits.space, edits.best
    # Best rows: everything is changed at once, wherever that flips.
    rows = space.unperturbed(np.arange(10))
    rows.categories[:] = (rows.categories + 1) % [3, 4]
    rows.steps[:] = space.most_steps
    rows = space.build(rows)
    flipped = edits.oracle.margin(rows) < 0
    samples = best.offer(rows, flipped)
    assert len(samples) > 3
    chosen = edits.promising(best.rows[samples], np.ones(len(samples)), 4)
    assert np.bincount(chosen.sample, minlength=10).max() == 4
    assert (space.discrete_cost(chosen) < best.cost[chosen.sample]).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9)), max_size=15), st.integers(1, 4))
def test_least_keeps_the_least_values_of_each_sample(pairs, k):
    samples = np.array([p[0] for p in pairs], dtype=np.intp)
    value = np.array([p[1] for p in pairs], dtype=float)
    kept = least(samples, value, k)
    for sample in set(samples):
        expected = sorted(value[samples == sample])[:k]
        assert_array_equal(np.sort(value[kept][samples[kept] == sample]), expected)


def test_distinct_keeps_the_first_of_equal_rows():
    rows = TableRows(
        np.array([0, 0, 1, 0]), np.array([[1], [1], [1], [2]]), np.zeros((4, 1)), np.zeros((4, 2))
    )
    assert_array_equal(distinct(rows), [0, 2, 3])
