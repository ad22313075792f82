"""Bounds of the margin in boxes, from the pairs and entries of a pool."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robfair.distance._arrays import Array, Flags, Indices, first_of_each, ranges, starts_of
from robfair.distance.trees._pool import Pool

__all__ = ["BoxBounds", "BoxView"]

HUGE = 1e150  # instead of inf, whose square minus itself would be NaN


class BoxBounds:
    """The pool of a search, indexed by row."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.layout, n = pool, pool.compiled.layout, len(pool)
        self.n_entries = np.bincount(pool.entry_row, minlength=n)
        self.n_pairs = np.bincount(pool.row, minlength=n)
        self.n_trees = np.bincount(pool.tree_row, minlength=n)
        self.entry_start = starts_of(self.n_entries)
        self.pair_start, self.tree_start = starts_of(self.n_pairs), starts_of(self.n_trees)
        costs, conditions = pool.costs.of_condition, pool.compiled.conditions
        cost = np.minimum(costs[pool.rows[pool.entry_row], pool.condition], HUGE)
        self.size = cost * cost if pool.is_l2 else cost  # of each entry, as sizes are added up
        # Laid out by entry: a search reads them many times.
        self.first = conditions.first[pool.condition].astype(np.int32)
        self.last = conditions.last[pool.condition].astype(np.int32)

    def nearest(self, row: Indices, box: NDArray[np.int32]) -> tuple[Indices, Array]:
        """Return the nearest bins of boxes, (m, n_groups), and their costs."""
        own = self.pool.own[row]
        near = self.layout.start + np.clip(own, box[:, 0], box[:, 1])
        table = self.pool.rows[row][:, None]
        return self.pool.costs.nearest[table, near], self.pool.costs.beyond[table, near]

    def cost(self, row: Indices, box: NDArray[np.int32]) -> Array:
        """Return the distance of boxes; inf where they hold no point."""
        bins, held = self.nearest(row, box)
        outside = ((bins < box[:, 0]) | (bins > box[:, 1])) & (bins != self.layout.n_bins)
        size = np.linalg.norm(held, axis=1) if self.pool.is_l2 else held.max(axis=1)
        return np.where(outside.any(axis=1), np.inf, size)

    def view(self, row: Indices, box: NDArray[np.int32], best: Array) -> BoxView:
        """Return the bounds of boxes, among points nearer than the best of each row."""
        return BoxView(self, row, box, best)


class BoxView:
    """Some boxes, (m, 2, n_groups), with what the pool says of them.

    `bins` are their nearest points, `margin` the margins there and `bound` the greatest margins.
    """

    def __init__(
        self, bounds: BoxBounds, row: Indices, box: NDArray[np.int32], best: Array
    ) -> None:
        self.bounds, self.row, self.box = bounds, row, box
        pool, m = bounds.pool, len(row)
        self.bins, held = bounds.nearest(row, box)
        self.entry = ranges(bounds.entry_start[row], bounds.n_entries[row])
        self.box_of = np.repeat(np.arange(m), bounds.n_entries[row])
        pair = ranges(bounds.pair_start[row], bounds.n_pairs[row])
        tree = ranges(bounds.tree_start[row], bounds.n_trees[row])
        # Pairs of the pool are numbered from the row's first; here the boxes come one by one.
        shift = starts_of(bounds.n_pairs[row]) - bounds.pair_start[row]
        self.pair = pool.pair[self.entry] + np.repeat(shift, bounds.n_entries[row])
        start = pool.start[tree] + np.repeat(shift, bounds.n_trees[row])
        size = np.diff(np.append(start, len(pair)))
        self.tree_of = np.repeat(np.arange(len(start)), size)
        tree_box = np.repeat(np.arange(m), bounds.n_trees[row])
        self.margin = pool.base[row]
        self.bound = self.margin
        if len(self.entry) == 0:
            return
        first = first_of_each(self.pair)
        self.first, self.last = bounds.first[self.entry], bounds.last[self.entry]
        place = self.box_of * box.shape[2] + pool.group[self.entry]
        self.low, self.high = box[:, 0].ravel()[place], box[:, 1].ravel()[place]
        self.at = self.bins.astype(np.int32).ravel()[place]
        self.in_set = None if pool.in_set is None else pool.in_set[self.entry]
        value = pool.value[pair]
        size = held * held if pool.is_l2 else held
        own, new = size.ravel()[place], bounds.size[self.entry]
        new[self._disjoint()] = np.inf
        limit = best[row] ** 2 - size.sum(axis=1) if pool.is_l2 else best[row]
        limit = np.repeat(limit, bounds.n_pairs[row])
        if pool.is_l2:  # what a leaf adds to the box
            near = np.add.reduceat(np.maximum(new - own, 0), first) < limit
        else:
            near = np.maximum.reduceat(np.maximum(own, new), first) < limit
        self.value = np.where(near, value, -np.inf)
        self.most = np.maximum.reduceat(self.value, start)
        self.bound = self.bound + np.bincount(tree_box, self.most, m)
        self.fails = (self.first > self.at) | (self.last < self.at)
        if self.in_set is not None:
            k = np.flatnonzero(self.in_set & ~self.fails)
            condition = pool.condition[self.entry[k]]
            self.fails[k] = ~pool.compiled.conditions.met(
                condition, self.at[k], np.full(len(k), True)
            )
        self.any_fails = np.logical_or.reduceat(self.fails, first)
        holds = ~self.any_fails
        self.current = np.zeros(len(start))
        self.current[self.tree_of[holds]] = value[holds]
        self.margin = self.margin + np.bincount(tree_box, self.current, m)

    def _disjoint(self) -> Flags:
        """Tell which conditions no point of their box meets."""
        disjoint: Flags = (self.first > self.high) | (self.last < self.low)
        if self.in_set is not None:
            pool = self.bounds.pool
            k = np.flatnonzero(self.in_set & ~disjoint)
            condition = pool.condition[self.entry[k]]
            met = pool.compiled.conditions.n_met(condition, self.low[k], self.high[k])
            disjoint[k] = met == 0
        return disjoint

    def shortfall(self, live: Flags) -> tuple[Indices, Array]:
        """Return failing entries of the best leaves of live boxes, and what these would add."""
        if len(self.entry) == 0:
            return np.zeros(0, dtype=np.intp), np.zeros(0)
        best = (self.value == self.most[self.tree_of]) & self.any_fails
        at = np.flatnonzero(self.fails & best[self.pair] & live[self.box_of])
        tree = self.tree_of[self.pair[at]]
        weight = self.most[tree] - self.current[tree]
        return at[weight > 0], weight[weight > 0]

    def cuts(self, at: Indices) -> tuple[Indices, Indices]:
        """Return the group of entries, and the bin from which on their condition is met, or not.

        It lies between the nearest point of the box and the bins that meet the condition.
        """
        if len(at) == 0:
            return at, at
        pool = self.bounds.pool
        conditions, condition = pool.compiled.conditions, pool.condition[self.entry[at]]
        bins, first, last = self.at[at], self.first[at], self.last[at]
        cut = np.where(bins < first, first, last + 1)
        if self.in_set is not None:
            k = np.flatnonzero(self.in_set[at])
            row = conditions.set[condition[k]]
            above, below = conditions.up[row, bins[k]], conditions.down[row, bins[k]]
            cut[k] = np.where(above <= self.high[at[k]], above, below + 1)
        return pool.group[self.entry[at]], cut
