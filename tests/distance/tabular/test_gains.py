"""Gains and costs of changes, against rows that are built from them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from robfair.distance.tabular._gains import Gains
from robfair.distance.tabular._space import TableSpace
from tables import NORMS, table


@pytest.mark.parametrize("norm", NORMS)
def test_rows_gain_and_cost_what_is_said(norm):
    X, threat_model = table(0, 30, 2, 2, norm, category_cost=0.7)
    space, rng = TableSpace(threat_model, X, np.float64), np.random.default_rng(1)
    normal = rng.normal(size=X.shape)
    gains = Gains.of(space, np.arange(30), normal)
    assert (np.diff(gains.switches, axis=1) >= 0).all()  # none is worse than no switch
    assert (np.diff(gains.step) <= 0).all()
    rows, switches = np.arange(30), rng.integers(3, size=30)
    limits = np.round(gains.room[:, :2] / gains.step)
    steps, moves = np.floor(limits * rng.random((30, 2))), gains.room[:, 2:] * rng.random((30, 2))
    built = gains.build(rows, switches, steps, moves)
    assert threat_model.valid(X, built.points).all()
    cost, gained = gains.discrete(rows, switches, steps)
    whole = space.combine(cost, np.linalg.norm(moves, norm, axis=1))
    # A switch that gains nothing is none.
    none = np.diff(gains.switches, axis=1) == 0
    real = ~(none & (np.arange(2) < switches[:, None])).any(axis=1)
    assert_allclose(threat_model.cost(X, built.points)[real], whole[real], rtol=1e-9)
    gained = gained + (gains.weight[:, 2:] * moves).sum(axis=1)
    assert_allclose((normal * (built.points - X)).sum(axis=1), gained, atol=1e-9)


def test_relaxed_moves_gain_the_gap_at_the_cost_of_the_dual_norm():
    X, threat_model = table(0, 20, 2, 2, bounds=None)
    space = TableSpace(threat_model, X, np.float64)
    gains = Gains.of(space, np.arange(20), np.random.default_rng(0).normal(size=X.shape))
    moves, reached = gains.relaxed(np.arange(20), np.full(20, 3.0), 1)
    assert reached.all()
    assert_allclose((gains.weight[:, 1:] * moves).sum(axis=1), 3)
    dual = np.linalg.norm(gains.weight[:, 1:], axis=1)
    assert_allclose(np.linalg.norm(moves, axis=1), 3 / dual)
    _, reached = gains.relaxed(np.arange(20), np.repeat([0.0, 1.0], 10), 4)
    assert_array_equal(reached, np.arange(20) < 10)  # no number is left to move
