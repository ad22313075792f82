"""Numeric moves of rows: against the closed form of linear models, in units and inside the box."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from oracles import Shifted, linear_distances, linear_layer, network
from robfair._problem import as_problem
from robfair.adapters import as_logits
from robfair.distance._writer import ResultWriter
from robfair.distance.gradient import AUTO
from robfair.distance.tabular._budget import TABLE_AUTO
from robfair.distance.tabular._numeric import NumericSearch
from robfair.distance.tabular._oracle import TableOracle
from robfair.distance.tabular._space import TableSpace
from tables import NORMS, table


def search_of(module, X, threat_model):
    problem = as_problem(as_logits(module), X, None, threat_model, 7)
    results = ResultWriter(problem, keep_adversarial=False)
    space = TableSpace(problem.threat_model, problem.X, problem.X.dtype)
    oracle = TableOracle(problem, results, space, module)
    results.predicted_codes[:] = oracle.predict(space.X)
    return NumericSearch(oracle)


def linear(d, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(3, d)), rng.normal(size=3)


@pytest.mark.parametrize("norm", NORMS)
def test_the_least_numeric_move_of_a_linear_model(norm):
    X, threat_model = table(0, 15, 1, 3, norm)
    weight, bias = linear(X.shape[1])
    search = search_of(Shifted(linear_layer(weight, bias)), X, threat_model)
    rows, flipped = search.search(search.space.unperturbed(np.arange(15)), AUTO.own.for_targets(2))
    unit = threat_model.units(X.shape[1:])
    free = threat_model.numeric(X.shape[1:])
    exact = linear_distances(weight * unit, bias, X / unit, norm, -4 / unit, 4 / unit, free)
    assert_array_equal(flipped, np.isfinite(exact))
    cost = search.space.move_cost(rows, search.space.numeric)
    assert_allclose(cost[flipped], exact[flipped], rtol=1e-3)
    assert_array_equal(rows.points[:, ~free], X[:, ~free])
    assert (np.abs(rows.points[:, free]) <= 4).all()


@pytest.mark.parametrize("norm", NORMS)
def test_refine_moves_only_the_continuous_features(norm):
    X, threat_model = table(1, 20, 2, 2, norm)
    net = network([X.shape[1], 12, 3])
    search = search_of(net, X, threat_model)
    rows = search.space.unperturbed(np.arange(20))
    rows.points[:, 2:4] = np.random.default_rng(0).uniform(-4, 4, size=(20, 2))
    refined, flipped = search.refine(rows, TABLE_AUTO.refine)
    fixed = ~search.space.continuous
    assert_array_equal(refined.points[:, fixed], X[:, fixed])
    assert (np.abs(refined.points[:, 2:4]) <= 4).all()
    assert flipped.any()
    assert_array_equal(search.oracle.margin(refined) < 0, flipped)


def test_rows_that_are_flipped_without_a_continuous_move_do_not_move():
    X, threat_model = table(2, 30, 2, 2)
    search = search_of(network([X.shape[1], 12, 3]), X, threat_model)
    rows = search.space.unperturbed(np.arange(30))
    steps = np.random.default_rng(0).integers(-2, 3, size=rows.steps.shape)
    rows.steps[:] = steps.clip(search.space.least_steps, search.space.most_steps)
    already = search.oracle.margin(search.space.build(rows)) < 0
    assert already.any()
    refined, flipped = search.refine(rows, TABLE_AUTO.refine)
    assert flipped[already].all()
    assert_array_equal(refined.points[already][:, 2:4], X[already][:, 2:4])
