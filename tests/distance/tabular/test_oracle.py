"""A network's answers about rows, against a linear model whose weights are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from oracles import linear_layer
from robfair import ThreatModel
from robfair._problem import as_problem
from robfair.adapters import as_logits
from robfair.distance._writer import ResultWriter
from robfair.distance.tabular._oracle import TableOracle
from robfair.distance.tabular._space import TableSpace

WEIGHT = np.array([[1.0, 0.0, 2.0], [0.0, -1.0, 0.0], [0.5, 0.5, -3.0]])
BIAS = np.array([0.1, 0.0, -0.2])


def oracle_of(X, batch_size=2, dtype=torch.float64):
    layer = linear_layer(WEIGHT, BIAS, dtype)
    problem = as_problem(as_logits(layer), X, None, ThreatModel(unit=2), batch_size)
    results = ResultWriter(problem, keep_adversarial=False)
    space = TableSpace(problem.threat_model, problem.X, problem.X.dtype)
    oracle = TableOracle(problem, results, space, layer)
    results.predicted_codes[:] = oracle.predict(space.X)
    return oracle


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(5, 3))


def test_classes_and_margins(X):
    oracle, logits = oracle_of(X), X @ WEIGHT.T + BIAS
    assert_array_equal(oracle.results.predicted_codes, logits.argmax(axis=1))
    rows = oracle.space.unperturbed(np.array([0, 3, 3, 4]))
    rows = replace(rows, points=rows.points + 1)
    moved = (X[rows.sample] + 1) @ WEIGHT.T + BIAS
    label = logits.argmax(axis=1)[rows.sample]
    own = moved[np.arange(4), label]
    moved[np.arange(4), label] = -np.inf
    assert_allclose(oracle.margin(rows), own - moved.max(axis=1))
    assert_array_equal(oracle.results.n_forward, [1, 0, 0, 2, 1])
    assert_array_equal(oracle.results.n_backward, 0)


def test_gradients_are_differences_of_weights(X):
    oracle, logits = oracle_of(X), X @ WEIGHT.T + BIAS
    order = np.argsort(-logits, axis=1)
    gradients = oracle.gradients(oracle.space.unperturbed(np.arange(5)), 2)
    for target in (0, 1):
        expected = WEIGHT[order[:, 0]] - WEIGHT[order[:, 1 + target]]
        assert_allclose(gradients[target], expected)
    assert_array_equal(oracle.results.n_forward, 1)
    assert_array_equal(oracle.results.n_backward, 2)


def test_count_takes_a_number_or_one_for_each_row(X):
    oracle = oracle_of(X)
    oracle.count(np.array([1, 1, 4]), 2, np.array([1, 10, 100]))
    assert_array_equal(oracle.results.n_forward, [0, 4, 0, 0, 2])
    assert_array_equal(oracle.results.n_backward, [0, 11, 0, 0, 100])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_confirmed_rows_are_flipped_beyond_rounding(dtype):
    rng = np.random.default_rng(1)
    X = rng.normal(size=(40, 3)).astype(torch.empty(0, dtype=dtype).numpy().dtype)
    oracle, logits = oracle_of(X, dtype=dtype), X @ WEIGHT.T + BIAS
    label, index = logits.argmax(axis=1), np.arange(40)
    target = (label + 1) % 3
    w = WEIGHT[label] - WEIGHT[target]
    gap = logits[index, label] - logits[index, target]
    # On the boundary itself, a rounding before or beyond it.
    step = -(gap / (w**2).sum(axis=1))[:, None] * w
    rows = replace(oracle.space.unperturbed(index), points=(X + step).astype(X.dtype))
    confirmed = oracle.confirm(rows)
    moved = confirmed.points.astype(np.float64) @ WEIGHT.T + BIAS
    assert len(confirmed) == 40
    assert (moved.argmax(axis=1) != label[confirmed.sample]).all()
    assert_allclose(confirmed.points, rows.points[confirmed.sample], atol=2e-2)


def test_rows_that_are_not_flipped_are_not_confirmed(X):
    oracle = oracle_of(X)
    assert len(oracle.confirm(oracle.space.unperturbed(np.arange(5)))) == 0
