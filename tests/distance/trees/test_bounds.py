"""Bounds of boxes against points inside them."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ensembles import margins, pool_of, random_bins
from robfair.distance.trees._bounds import BoxBounds


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


@pytest.mark.parametrize("seed", range(4))
def test_every_box_that_promises_more_than_it_holds_can_be_split(seed):
    rng, _, _, labels, pool = pool_of(seed, 1e9)
    bounds, n = BoxBounds(pool), len(labels)
    ends = np.sort([random_bins(rng, pool.compiled, n) for _ in range(2)], axis=0)
    box = np.stack([ends[0], ends[1]], axis=1).astype(np.int32)
    view = bounds.view(replace(bounds.whole(), bins=box), np.full(n, 9.0))
    live = view.bound > view.margin + 1e-9
    assert live.any()
    for chosen in (view.chosen, view.near & ~view.any_fails):  # the second add nothing
        view.chosen = chosen
        at, weight = view.shortfall(live)
        assert_array_equal(np.unique(view.term_box[at]), np.flatnonzero(live))
        assert (weight > 0).all()
