"""Bounds of boxes against points inside them."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ensembles import margins, pool_of, random_bins
from robfair.distance.trees._bounds import BoxBounds
from robfair.distance.trees._lagrange import lagrange_prices


@pytest.mark.parametrize("is_l2", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_no_point_of_a_box_has_a_greater_margin(seed, is_l2):
    rng, ensemble, costs, labels, pool = pool_of(seed, 1e9, is_l2)
    n, start = len(labels), pool.compiled.layout.start
    ends = np.sort([random_bins(rng, pool.compiled, n) for _ in range(2)], axis=0)
    box = np.stack([ends[0], ends[1]], axis=1).astype(np.int32)
    bounds, best = BoxBounds(pool), np.full(n, 3.0)
    view = bounds.view(replace(bounds.whole(), bins=box), best)
    assert_allclose(view.margin, margins(ensemble, costs, labels, view.bins), atol=1e-12)
    order = 2 if is_l2 else np.inf
    for _ in range(40):
        bins = (box[:, 0] + rng.random(ends[0].shape) * (box[:, 1] - box[:, 0] + 1)).astype(int)
        size = np.take_along_axis(costs.of_bin, start + bins, axis=1)
        size = np.linalg.norm(size, order, axis=1)
        assert (bounds.cost(np.arange(n), box) <= size * (1 + 1e-12)).all()
        near = size < best
        assert (margins(ensemble, costs, labels, bins) <= view.bound + 1e-12)[near].all()


@pytest.mark.parametrize("is_l2", [True, False])
@pytest.mark.parametrize("seed", range(4))
def test_boxes_inherit_what_is_alive(seed, is_l2):
    rng, _, _, labels, pool = pool_of(seed, 1e9, is_l2)
    n, n_bins = len(labels), pool.compiled.layout.n_bins
    bounds, best = BoxBounds(pool), np.full(n, 3.0)
    whole = bounds.whole()
    at, n_dead = np.arange(n), 0
    ends = np.stack([np.zeros((n, len(n_bins))), np.tile(n_bins - 1.0, (n, 1))], axis=1)
    outer = replace(whole, bins=ends.astype(np.int32))
    for _ in range(3):
        view = bounds.view(outer, best)
        view.inherit(np.full(n, True))
        bins = outer.bins.copy()
        middle = bins[:, 0] + rng.integers(0, 99, bins[:, 0].shape) % (bins[:, 1] - bins[:, 0] + 1)
        side = rng.integers(0, 2, middle.shape)
        bins[:, 0] = np.where(side == 0, middle, bins[:, 0])
        bins[:, 1] = np.where(side == 1, middle, bins[:, 1])
        outer = view.inside(at, bins, np.zeros(n))
        n_dead += int((whole.size - outer.size).sum())
        inherited, anew = bounds.view(outer, best), bounds.view(replace(whole, bins=bins), best)
        alive = anew.bound > -np.inf  # in the others nothing is near
        assert_allclose(inherited.bound[alive], anew.bound[alive], atol=1e-12)
        near = alive & (inherited.cost < best)
        assert_allclose(inherited.margin[near], anew.margin[near], atol=1e-12)
    assert n_dead > 0


@pytest.mark.parametrize("seed", range(6))
def test_nothing_in_a_box_flips_nearer_than_prices_say(seed):
    rng, ensemble, costs, labels, pool = pool_of(seed, 1e9)
    n, layout = len(labels), pool.compiled.layout
    cells = np.array(list(product(*(range(k) for k in layout.n_bins))))
    ends = np.sort([random_bins(rng, pool.compiled, n) for _ in range(2)], axis=0)
    nearest = np.full((2, n), np.inf)  # of the whole space and of the box
    for cell in cells:
        bins = np.tile(cell, (n, 1))
        cost = np.take_along_axis(costs.of_bin, layout.start + bins, axis=1)
        flips = margins(ensemble, costs, labels, bins) >= 0
        size = np.where(flips, np.linalg.norm(cost, axis=1), np.inf)
        within = ((ends[0] <= cell) & (cell <= ends[1])).all(axis=1)
        nearest = np.minimum(nearest, [size, np.where(within, size, np.inf)])
    bounds = BoxBounds(pool)
    radius = np.where(np.isfinite(nearest[0]), np.maximum(nearest[0] * 1.2, 1e-9), 5.0)
    bounds.set_prices(np.full(n, True), lagrange_prices(pool, radius, 1e-12))
    whole = bounds.view(bounds.whole(), radius)
    box = np.stack([ends[0], ends[1]], axis=1).astype(np.int32)
    inside = bounds.view(replace(bounds.whole(), bins=box), radius)
    for view, right in zip((whole, inside), nearest, strict=True):
        least = view.least(np.full(n, True), 1e-12)
        # Beyond the radius it says no more than that nothing flips within.
        assert (np.minimum(least, radius) <= np.minimum(right, radius) * (1 + 1e-9)).all()
        assert (least >= view.cost).all()
    far = np.isfinite(nearest[0]) & (nearest[0] > 0)
    assert (whole.least(np.full(n, True), 1e-12)[far] > 0.01 * nearest[0][far]).all()


@pytest.mark.parametrize("seed", range(2))
def test_the_step_over_a_cut_is_the_distance_that_it_adds(seed):
    _, _, costs, labels, pool = pool_of(seed, 1e9, True)
    bounds, layout = BoxBounds(pool), pool.compiled.layout
    view = bounds.view(bounds.whole(), np.full(len(labels), 3.0))
    cuts = np.flatnonzero((layout.bin > 0) & (layout.bin < layout.n_bins[layout.group]))
    row, cut = (part.ravel() for part in np.meshgrid(np.arange(len(labels)), cuts, indexing="ij"))
    steps = view.step(row, cut)
    for i, j, step in zip(row, cut, steps, strict=True):
        start, n = layout.start[layout.group[j]], layout.n_bins[layout.group[j]]
        own, first = costs.own[i, layout.group[j]], layout.bin[j]
        beyond = slice(first, n) if own < first else slice(0, first)
        least = costs.of_bin[i, start : start + n][beyond].min()
        limit = pool.radius[i]
        assert_allclose(step, max(min(least, limit), 1e-6 * limit))
