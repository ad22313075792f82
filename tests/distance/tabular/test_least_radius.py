"""The least radius: against the radii at which something changes, and what a row needs."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from robfair.distance.tabular._gains import Gains
from robfair.distance.tabular._least_radius import least_radius
from robfair.distance.tabular._space import TableSpace
from tables import table


def test_the_radius_is_the_first_step_that_is_enough():
    X, threat_model = table(0, 30, 2, 0, np.inf, category_cost=0.9)
    space, rng = TableSpace(threat_model, X, np.float64), np.random.default_rng(0)
    gains = Gains.of(space, np.arange(30), rng.normal(size=X.shape))
    gap = rng.uniform(0.1, 12, 30)
    least = least_radius(gains, gap, gap, np.full(30, np.inf))
    for i in range(30):
        number = zip(gains.room[i], gains.step, gains.weight[i], strict=True)
        values = [(w, s * np.arange(round(r / s) + 1)) for r, s, w in number]
        radii = np.unique([0.9, *np.concatenate([v for _, v in values])])
        gained = [sum(w * v[v <= r].max() for w, v in values) for r in radii]
        gained += (radii >= 0.9) * gains.switches[i, -1]
        enough = radii[gained >= gap[i]]
        assert_allclose(least.cost[i], enough.min() if len(enough) else np.inf)
    assert np.isinf(least.cost).any()
    assert_array_equal(least.cost, least.lower)


def test_no_more_switches_than_are_needed():
    X, threat_model = table(0, 30, 0, 0, np.inf)
    space = TableSpace(threat_model, X, np.float64)
    gains = Gains.of(space, np.arange(30), np.random.default_rng(0).normal(size=X.shape))
    gap = gains.switches[:, 1] / 2
    least = least_radius(gains, gap, gap, np.full(30, np.inf))
    assert_array_equal(least.switches, gap > 0)
    least = least_radius(gains, gap, gap + gains.switches[:, 1], np.full(30, np.inf))
    found = np.isfinite(least.cost) & (np.diff(gains.switches, axis=1) > 0).all(axis=1)
    assert found.any()
    assert_array_equal(least.switches[found], 2)
