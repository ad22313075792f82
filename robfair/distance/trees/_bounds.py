"""Bounds of the margin in boxes, from the pairs and terms of a pool.

For each box a table holds what its row's terms lack there: nothing where the nearest point meets
the condition. What a pair lacks is the sum over its entries.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.distance._arrays import (
    Array,
    Flags,
    Indices,
    adder,
    first_of_each,
    ranges,
    starts_of,
)
from robfair.distance.trees._pool import Pool

__all__ = ["BoxBounds", "BoxView", "Boxes"]

HUGE = 1e150  # instead of inf, whose square minus itself would be NaN
TINY = 1e-300  # what a term lacks at least that fails, even where it costs nothing to meet it
LEAST = 1e-6  # of the radius: steps that cost less count as much


@dataclass(frozen=True)
class Boxes:
    """Some boxes, and what of the pool of their rows is still alive in them.

    A pair is dead where its leaf does not meet the box or is, together with it, too far; if one of
    a tree is left, it is a constant. What is dead in a box is dead in all boxes inside.
    """

    row: Indices
    cost: Array  # nothing in the box that flips is nearer
    bins: NDArray[np.int32]  # first and last of each group, (m, 2, n_groups)
    alive: NDArray[np.uint8]  # bits for the pairs of the row, (m, n_bytes)
    base: Array  # what constants add to the margin
    size: Indices  # entries of living pairs
    prices: NDArray[np.object_]  # of the box around, or None; see `lagrange_bounds`

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, at: NDArray[Any]) -> Boxes:
        return Boxes(*(values[at] for values in vars(self).values()))

    @property
    def are_priced(self) -> Flags:
        """Flags of the boxes that have prices."""
        return np.array([prices is not None for prices in self.prices], dtype=bool)

    def put(self, at: Indices, others: Boxes) -> None:
        """Overwrite some of the boxes."""
        for name, values in vars(others).items():
            getattr(self, name)[at] = values

    def grown(self, n: int) -> Boxes:
        """Return the boxes with room for more."""
        return Boxes(*(np.resize(values, (n, *values.shape[1:])) for values in vars(self).values()))


class BoxBounds:
    """The pool of a search, indexed by row."""

    def __init__(self, pool: Pool) -> None:
        self.pool, self.layout, n = pool, pool.compiled.layout, len(pool)
        self.n_pairs = np.bincount(pool.row, minlength=n)
        self.pair_start = starts_of(self.n_pairs)
        self.n_bytes = (int(self.n_pairs.max(initial=0)) + 7) // 8
        self.n_entries = np.diff(np.append(pool.entry_start, len(pool.pair)))  # of each pair
        conditions, terms = pool.compiled.conditions, pool.terms
        self.n_terms = np.bincount(terms.row, minlength=n)
        self.term_start = starts_of(self.n_terms)
        # Of each entry, the number of its term among those of its row.
        row = pool.row[pool.pair]
        self.number = pool.term - self.term_start.astype(np.int32)[row]
        self.n_trees = int(np.bincount(pool.tree_row, minlength=1).max())  # of a row at most
        cost = pool.costs.of_condition[pool.rows[terms.row], terms.condition]
        # Of each term, as sizes are added up.
        self.size = np.minimum(cost, HUGE**0.5) ** (2 if pool.is_l2 else 1)
        self.first = conditions.first[terms.condition].astype(np.int32)
        self.last = conditions.last[terms.condition].astype(np.int32)

    @cached_property
    def share(self) -> NDArray[np.int32]:
        """Of each entry, the number of its group and tree among those of its row."""
        pool = self.pool
        first = np.searchsorted(pool.tree_row, np.arange(len(pool)))
        tree = np.arange(len(pool.tree_row)) - first[pool.tree_row]
        group = pool.terms.group[pool.term]
        return (group * self.n_trees + tree[pool.tree_of[pool.pair]]).astype(np.int32)

    def whole(self) -> Boxes:
        """Return for each row the box of all bins."""
        n, layout = len(self.pool), self.layout
        bins = np.zeros((n, 2, len(layout.n_bins)), dtype=np.int32)
        bins[:, 1] = layout.n_bins - 1
        pairs = np.arange(self.n_bytes * 8) < self.n_pairs[:, None]
        return Boxes(
            np.arange(n),
            np.zeros(n),
            bins,
            np.packbits(pairs, axis=1),
            self.pool.base.copy(),  # a frontier writes other boxes in its place
            np.bincount(self.pool.row, self.n_entries, n).astype(np.intp),
            np.full(n, None),
        )

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

    def view(self, boxes: Boxes, best: Array) -> BoxView:
        """Return the bounds of boxes, among points nearer than the best of each row."""
        return BoxView(self, boxes, best)


class BoxView:
    """Some boxes with what the pool says of them.

    `bins` are their nearest points, `margin` the margins there and `bound` the greatest margins.
    `chosen` tells the leaves that a bound of the margin, or of the distance, rests on.
    """

    def __init__(self, bounds: BoxBounds, boxes: Boxes, best: Array) -> None:
        self.bounds, self.boxes = bounds, boxes
        pool, row, m = bounds.pool, boxes.row, len(boxes)
        self.bins, self.held = bounds.nearest(row, boxes.bins)
        self.cost = np.linalg.norm(self.held, axis=1) if pool.is_l2 else self.held.max(axis=1)
        self.margin = self.bound = boxes.base
        self.living = np.flatnonzero(np.unpackbits(boxes.alive, axis=1).view(bool))
        self.pair_box = self.living // max(8 * bounds.n_bytes, 1)
        shift = bounds.pair_start[row] - np.arange(m) * (8 * bounds.n_bytes)
        self.pair = self.living + shift[self.pair_box]
        self.start = first_of_each(self.pair_box * len(pool.start) + pool.tree_of[self.pair])
        n_leaves = np.diff(np.append(self.start, len(self.pair)))
        self.tree_of = np.repeat(np.arange(len(self.start)), n_leaves)
        self.tree_box = self.pair_box[self.start]
        if len(self.pair) == 0:
            return
        self._find_terms(best)
        self._find_near()
        value = pool.value[self.pair]
        self.value = np.where(self.near, value, -np.inf)
        self.most = np.maximum.reduceat(self.value, self.start)
        self.chosen = self.near & (self.value == self.most[self.tree_of])
        self.bound = boxes.base + np.bincount(self.tree_box, self.most, m)
        holds = ~self.any_fails
        self.current = np.zeros(len(self.start))
        self.current[self.tree_of[holds]] = value[holds]
        self.margin = boxes.base + np.bincount(self.tree_box, self.current, m)

    def _find_terms(self, best: Array) -> None:
        """Find what the terms of the boxes lack at their nearest points, and how much they may."""
        bounds, boxes, pool = self.bounds, self.boxes, self.bounds.pool
        n_terms = bounds.n_terms[boxes.row]
        self.term = ranges(bounds.term_start[boxes.row], n_terms)
        self.term_start = starts_of(n_terms)
        self.term_box = np.repeat(np.arange(len(boxes)), n_terms)
        place = self.term_box * boxes.bins.shape[2] + pool.terms.group[self.term]
        self.first, self.last = bounds.first[self.term], bounds.last[self.term]
        self.low, self.high = (boxes.bins[:, side].ravel()[place] for side in (0, 1))
        self.at = self.bins.astype(np.int32).ravel()[place]
        fails = (self.first > self.at) | (self.last < self.at)
        disjoint = (self.first > self.high) | (self.last < self.low)
        if pool.terms.in_set is not None:
            self.in_set = pool.terms.in_set[self.term]
            self._look_into_sets(fails, disjoint)
        own, size = self.held.ravel()[place], bounds.size[self.term]
        limit = best[boxes.row]
        if pool.is_l2:  # what a term adds to the box
            lacks = np.maximum(size - own * own, TINY)
            self.limit = np.minimum(limit**2, HUGE) - (self.held**2).sum(axis=1)
        else:
            near = np.maximum(own, size) < np.minimum(limit, HUGE)[self.term_box]
            lacks, self.limit = np.where(near, TINY, HUGE), np.ones(len(boxes))
        self.lacks = np.where(fails, np.where(disjoint, HUGE, lacks), 0.0)

    def _look_into_sets(self, fails: Flags, disjoint: Flags) -> None:
        """Correct which terms on sets fail, and which no point of their box meets."""
        pool = self.bounds.pool
        condition, conditions = pool.terms.condition[self.term], pool.compiled.conditions
        k = np.flatnonzero(self.in_set & ~fails)
        fails[k] = ~conditions.met(condition[k], self.at[k], np.full(len(k), True))
        k = np.flatnonzero(self.in_set & ~disjoint)
        disjoint[k] = conditions.n_met(condition[k], self.low[k], self.high[k]) == 0

    def _find_near(self) -> None:
        """Find the leaves that are met, and those that are nearer than the best with the box."""
        bounds = self.bounds
        self.n_entries = bounds.n_entries[self.pair]
        self.entry_start = starts_of(self.n_entries)
        self.pool_entry = ranges(bounds.pool.entry_start[self.pair], self.n_entries)
        start = self.term_start.astype(np.int32)[self.pair_box]
        self.entry = bounds.number[self.pool_entry] + np.repeat(start, self.n_entries)
        lacks = adder(self.entry, self.entry_start, len(self.lacks)) @ self.lacks
        self.any_fails, self.near = lacks > 0, lacks < self.limit[self.pair_box]

    def inside(self, box: Indices, bins: NDArray[np.int32], least: Array) -> Boxes:
        """Return boxes inside others, which are given by their numbers and lower bounds."""
        row = self.boxes.row[box]
        cost = np.maximum(least[box], self.bounds.cost(row, bins))
        return Boxes(
            row, cost, bins, self.alive[box], self.base[box], self.size[box],
            self.boxes.prices[box],
        )  # fmt: skip

    def inherit(self, live: Flags) -> None:
        """Find what is alive in the boxes inside live ones."""
        m, boxes = len(self.boxes), self.boxes
        n_near = np.bincount(self.tree_of, self.near, len(self.start))
        constant = np.where(n_near == 1, self.most, 0)
        self.base = boxes.base + np.bincount(self.tree_box, constant, m)
        alive = self.near & ((n_near[self.tree_of] > 1) & live[self.pair_box])
        bits = np.zeros((m, self.bounds.n_bytes * 8), dtype=bool)
        bits.ravel()[self.living[alive]] = True
        self.alive = np.packbits(bits, axis=1)
        n_entries = np.where(alive, self.n_entries, 0)
        self.size = np.bincount(self.pair_box, n_entries, m).astype(np.intp)

    def step(self, box: Indices, cut: Indices) -> Array:
        """Return the distance that cuts of boxes, as bins of all groups, add in L2; else 1."""
        pool, layout = self.bounds.pool, self.bounds.layout
        if not pool.is_l2:
            return np.ones(len(box))
        row, group = self.boxes.row[box], layout.group[cut]
        far = cut - (layout.bin[cut] <= self.bins[box, group])  # from here on beyond the cut
        size = np.minimum(pool.costs.beyond[pool.rows[row], far], pool.radius[row])
        adds = np.maximum(size**2 - self.held[box, group] ** 2, 0)
        return np.asarray(np.maximum(np.sqrt(adds), LEAST * pool.radius[row]))

    def shortfall(self, live: Flags) -> tuple[Indices, Array]:
        """Return failing terms of the leaves of live boxes, and what these would add.

        Of the chosen leaves; where these add nothing, of the best ones, so that every box whose
        bound is above its margin has a term.
        """
        if len(self.pair) == 0:
            return np.zeros(0, dtype=np.intp), np.zeros(0)
        adds = self.any_fails & (self.value > self.current[self.tree_of]) & live[self.pair_box]
        without = np.full(len(self.boxes), True)
        without[self.pair_box[self.chosen & adds]] = False
        best = self.value == self.most[self.tree_of]
        pair = np.flatnonzero(np.where(without[self.pair_box], best, self.chosen) & adds)
        weight = self.value[pair] - self.current[self.tree_of[pair]]
        n_entries = self.n_entries[pair]
        term = self.entry[ranges(self.entry_start[pair], n_entries)]
        promised = np.bincount(term, np.repeat(weight, n_entries), len(self.lacks))
        at = np.flatnonzero((promised > 0) & (self.lacks > 0))
        return at, np.asarray(promised[at], dtype=np.float64)

    def cuts(self, at: Indices) -> tuple[Indices, Indices]:
        """Return the group of failing terms, and the bin from which on they are met, or not.

        It lies between the nearest point of the box and the bins that meet the condition.
        """
        if len(at) == 0:
            return at, at
        terms, term = self.bounds.pool.terms, self.term[at]
        bins, first, last = self.at[at], self.first[at], self.last[at]
        cut = np.where(bins < first, first, last + 1)
        if terms.in_set is not None:
            k = np.flatnonzero(self.in_set[at])
            conditions = self.bounds.pool.compiled.conditions
            row = conditions.set[terms.condition[term[k]]]
            above, below = conditions.up[row, bins[k]], conditions.down[row, bins[k]]
            cut[k] = np.where(above <= self.high[at[k]], above, below + 1)
        return terms.group[term], cut
