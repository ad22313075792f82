"""The bounds by prices against all cells of small ensembles."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ensembles import margins, pool_of, random_bins
from robfair.distance.trees._bounds import BoxBounds
from robfair.distance.trees._lagrange import INSIDE, WHOLE, lagrange_bounds

SURE = 1e-12


def nearest_flips(ensemble, costs, labels, compiled, boxes):
    """Find the distances of the nearest points that flip, in the boxes of each row."""
    layout, n = compiled.layout, len(labels)
    nearest = np.full((len(boxes), n), np.inf)
    for cell in product(*(range(k) for k in layout.n_bins)):
        bins = np.tile(cell, (n, 1))
        cost = np.take_along_axis(costs.of_bin, layout.start + bins, axis=1)
        flips = margins(ensemble, costs, labels, bins) >= 0
        size = np.where(flips, np.linalg.norm(cost, axis=1), np.inf)
        for i, box in enumerate(boxes):
            within = ((box[:, 0] <= cell) & (cell <= box[:, 1])).all(axis=1)
            nearest[i] = np.minimum(nearest[i], np.where(within, size, np.inf))
    return nearest


@pytest.mark.parametrize("seed", range(8))
def test_nothing_in_a_box_flips_nearer_than_its_prices_say(seed):
    rng, ensemble, costs, labels, pool = pool_of(seed, 1e9)
    bounds, every = BoxBounds(pool), np.full(len(labels), True)
    boxes = [bounds.whole().bins]
    for _ in range(3):  # each inside the one before
        ends = np.sort([random_bins(rng, pool.compiled, len(labels)) for _ in range(2)], axis=0)
        low, high = (boxes[-1][:, side] for side in (0, 1))
        boxes.append(np.stack([np.clip(end, low, high) for end in ends], axis=1).astype(np.int32))
    nearest = nearest_flips(ensemble, costs, labels, pool.compiled, boxes)
    radius = np.where(np.isfinite(nearest[0]), np.maximum(nearest[0] * 1.2, 1e-9), 5.0)
    prices, steps = bounds.whole().prices, WHOLE
    for box, right in zip(boxes, nearest, strict=True):
        view = bounds.view(replace(bounds.whole(), bins=box, prices=prices.copy()), radius)
        bound = lagrange_bounds(view, every, SURE, steps)
        # Beyond the radius it says no more than that nothing flips within.
        assert (np.minimum(bound, radius) <= np.minimum(right, radius) * (1 + 1e-9)).all()
        prices, steps = view.boxes.prices, INSIDE
        if box is boxes[0]:
            far = np.isfinite(right) & (right > 0)
            assert (bound[far] > 0.01 * right[far]).all()  # of few trees there is little to divide


def test_prices_of_the_box_around_are_a_better_start():
    _, _, _, labels, pool = pool_of(3, 1e9)
    bounds, every = BoxBounds(pool), np.full(len(labels), True)
    whole = bounds.view(bounds.whole(), np.full(len(labels), 3.0))
    lagrange_bounds(whole, every, SURE, WHOLE)
    with_prices = lagrange_bounds(whole, every, SURE, INSIDE[:0])
    whole.boxes.prices[:] = None
    without = lagrange_bounds(whole, every, SURE, INSIDE[:0])
    assert (with_prices >= without - 1e-6).all()
    assert with_prices.mean() > 1.05 * without.mean()


def test_shares_of_a_group_sum_to_one():
    _, _, _, labels, pool = pool_of(1, 1e9)
    bounds = BoxBounds(pool)
    view = bounds.view(bounds.whole(), np.full(len(labels), 3.0))
    lagrange_bounds(view, np.full(len(labels), True), SURE, INSIDE)
    for prices in view.boxes.prices:
        group = prices.share // bounds.n_trees
        total = np.bincount(group, prices.part)
        np.testing.assert_allclose(total[total > 0], 1, rtol=1e-5)


def test_what_a_box_is_worth_does_not_depend_on_the_others():
    _, _, _, labels, pool = pool_of(5, 1e9)
    bounds, n = BoxBounds(pool), len(labels)
    radius = np.full(n, 3.0)
    every = lagrange_bounds(bounds.view(bounds.whole(), radius), np.full(n, True), SURE, INSIDE)
    for row in range(n):
        alone = bounds.view(bounds.whole()[[row]], radius)
        assert_array_equal(lagrange_bounds(alone, np.array([True]), SURE, INSIDE), every[[row]])
    assert (lagrange_bounds(alone, np.array([False]), SURE, INSIDE) == 0).all()
