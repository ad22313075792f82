"""The beam of nodes: what it leaves out stays in the bounds."""

import numpy as np
from numpy.testing import assert_allclose

from robfair.distance.tabular import _least_cost
from robfair.distance.tabular._gains import Gains
from robfair.distance.tabular._least_cost import least_cost
from robfair.distance.tabular._space import TableSpace
from robfair.threat import ThreatModel


def dollars(n=20, d=6):
    """Gains of integers whose steps are of about the same size: many rows cost nearly the same."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 50, size=(n, d)).astype(float)
    threat_model = ThreatModel(integer=np.full(d, True), unit=rng.uniform(9, 11, d))
    space = TableSpace(threat_model, X, np.float64)
    gains = Gains.of(space, np.arange(n), rng.normal(size=(n, d)))
    return gains, rng.uniform(5, 30, n)


def test_narrow_searches_give_intervals_around_the_optimum(monkeypatch):
    gains, gap = dollars()
    inf = np.full(len(gap), np.inf)
    whole = least_cost(gains, gap, gap, inf)
    assert whole.closed.all()
    monkeypatch.setattr(_least_cost, "WIDTHS", (2,))
    narrow = least_cost(gains, gap, gap, inf)
    assert not narrow.closed.all()
    assert (narrow.lower <= whole.cost * (1 + 1e-12)).all()
    assert (narrow.cost >= whole.lower * (1 - 1e-12)).all()
    assert (narrow.lower >= 0.9 * whole.cost).all()
    monkeypatch.setattr(_least_cost, "NODES", 1)  # a sample at a time
    assert_allclose(least_cost(gains, gap, gap, inf).cost, narrow.cost)


def test_rows_that_cost_as_much_as_is_known_do_not_count():
    gains, gap = dollars()
    whole = least_cost(gains, gap, gap, np.full(len(gap), np.inf))
    upper = np.where(np.arange(len(gap)) % 2, 0.9, 1.1) * whole.cost
    again = least_cost(gains, gap, gap, upper)
    assert_allclose(again.cost, np.where(np.arange(len(gap)) % 2, np.inf, whole.cost))
    assert (again.lower <= np.minimum(upper, whole.cost) * (1 + 1e-12)).all()
