"""The search of boxes and its limits."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensembles import incumbents, margins, pool_of
from robfair.distance.trees._best_first import SearchLimits, _set_prices, search_boxes
from robfair.distance.trees._bounds import BoxBounds, BoxView
from robfair.distance.trees._frontier import Frontier


def searched(seed, limits):
    _, ensemble, costs, labels, pool = pool_of(seed, 1e9)
    best = incumbents(len(labels), costs.own.shape[1], 1e-9)
    flips = margins(ensemble, costs, labels, costs.own) > 0
    lower = search_boxes(pool, best, limits)
    return best, lower, flips


def test_it_ends_with_a_proof_or_with_a_bound():
    unfinished = 0
    for seed in range(6):
        best, lower, flips = searched(seed, SearchLimits(1e9))
        assert_array_equal(lower, best.cost)
        assert_array_equal(best.cost == 0, flips)
        for limits in (SearchLimits(0), SearchLimits(1e9, deadline=0.0)):
            _, early, _ = searched(seed, limits)
            assert (early <= lower).all()
            unfinished += (early < lower).sum()
    assert unfinished > 10


def test_a_row_may_look_at_boxes_of_its_own_size():
    n_more = 0
    for seed in range(6):
        _, none, _ = searched(seed, SearchLimits(0))
        _, some, _ = searched(seed, SearchLimits(0, looks=30))
        best, all_, _ = searched(seed, SearchLimits(0, looks=1e9))
        assert_array_equal(all_, best.cost)  # as with a budget that no row meets
        assert (none <= some).all()
        n_more += (none < some).sum()
    assert n_more > 5


def test_the_pool_is_left_as_it_was():
    """Prices are found for it while the search goes on: what constants add must stay."""
    for seed in range(6):
        _, _, costs, labels, pool = pool_of(seed, 1e9)
        base = pool.base.copy()
        search_boxes(pool, incumbents(len(labels), costs.own.shape[1], 1e-9), SearchLimits(1e9))
        assert_array_equal(pool.base, base)


def test_a_row_of_which_nothing_is_known_yet_gets_prices_too():
    n_more = 0
    for seed in range(6):
        _, _, costs, labels, pool = pool_of(seed, 3.0)
        bounds = BoxBounds(pool)
        best = incumbents(len(labels), costs.own.shape[1], 1e-9)  # infinitely far away
        slow = bounds.whole().size > 0
        if not slow.any():
            continue
        lower = _set_prices(bounds, slow, best, Frontier(bounds.whole(), best.cost))
        assert (lower <= 3.0).all()
        n_more += (lower > 0).sum()
    assert n_more > 10


def test_a_box_that_is_not_split_is_no_proof(monkeypatch):
    nothing = np.zeros(0, dtype=np.intp), np.zeros(0)
    monkeypatch.setattr(BoxView, "shortfall", lambda view, live: nothing)
    with pytest.raises(RuntimeError, match="was not split"):
        searched(3, SearchLimits(1e9))
