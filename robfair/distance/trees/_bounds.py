"""Bounds of the margin in boxes, from the pairs and entries of a pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.distance._arrays import Array, Flags, Indices, first_of_each, ranges, starts_of
from robfair.distance.trees._lagrange import Prices
from robfair.distance.trees._pool import Pool

__all__ = ["BoxBounds", "BoxView", "Boxes"]

HUGE = 1e150  # instead of inf, whose square minus itself would be NaN
FACTORS = np.geomspace(0.25, 4, 5)  # of the price of a row; the best differs from box to box
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

    def __len__(self) -> int:
        return len(self.row)

    def __getitem__(self, at: NDArray[Any]) -> Boxes:
        return Boxes(*(values[at] for values in vars(self).values()))

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
        costs, conditions = pool.costs.of_condition, pool.compiled.conditions
        cost = costs[pool.rows[pool.entry_row], pool.condition]
        # Of each entry, as sizes are added up.
        self.size = np.minimum(cost, HUGE**0.5) ** (2 if pool.is_l2 else 1)
        # Laid out by entry: a search reads them many times.
        self.first = conditions.first[pool.condition].astype(np.int32)
        self.last = conditions.last[pool.condition].astype(np.int32)
        self.weight, self.price = np.zeros(len(pool.pair)), np.zeros(n)  # see `set_prices`

    def set_prices(self, rows: Flags, prices: Prices) -> None:
        """Let some rows of an L2 pool have prices of the margin."""
        self.weight[rows[self.pool.entry_row]], self.price[rows] = prices.weight, prices.price

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
            self.pool.base,
            np.bincount(self.pool.entry_row, minlength=n),
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
    """

    def __init__(self, bounds: BoxBounds, boxes: Boxes, best: Array) -> None:
        self.bounds, self.boxes = bounds, boxes
        pool, row, m = bounds.pool, boxes.row, len(boxes)
        self.bins, self.held = bounds.nearest(row, boxes.bins)
        self.cost = np.linalg.norm(self.held, axis=1) if pool.is_l2 else self.held.max(axis=1)
        self.margin = self.bound = boxes.base
        bits = np.unpackbits(boxes.alive, axis=1)
        self.pair_box, self.bit = np.divmod(np.flatnonzero(bits), max(bits.shape[1], 1))
        self.pair = self.bit + bounds.pair_start[row[self.pair_box]]
        self.start = first_of_each(self.pair_box * len(pool.start) + pool.tree_of[self.pair])
        n_leaves = np.diff(np.append(self.start, len(self.pair)))
        self.tree_of = np.repeat(np.arange(len(self.start)), n_leaves)
        self.tree_box = self.pair_box[self.start]
        if len(self.pair) == 0:
            return
        self._find_entries()
        self._find_near(best)
        value = pool.value[self.pair]
        self.value = np.where(self.near, value, -np.inf)
        self.most = np.maximum.reduceat(self.value, self.start)
        self.bound = boxes.base + np.bincount(self.tree_box, self.most, m)
        holds = ~self.any_fails
        self.current = np.zeros(len(self.start))
        self.current[self.tree_of[holds]] = value[holds]
        self.margin = boxes.base + np.bincount(self.tree_box, self.current, m)

    def _find_entries(self) -> None:
        """Find the entries of living pairs, and which of them fail at the nearest points."""
        bounds, pool, box = self.bounds, self.bounds.pool, self.boxes.bins
        n_entries = bounds.n_entries[self.pair]
        self.entry_start = starts_of(n_entries)
        self.entry = ranges(pool.entry_start[self.pair], n_entries)
        self.pair_of = np.repeat(np.arange(len(self.pair)), n_entries)
        self.box_of = self.pair_box[self.pair_of]
        self.place = self.box_of * box.shape[2] + pool.group[self.entry]
        self.first, self.last = bounds.first[self.entry], bounds.last[self.entry]
        self.low, self.high = box[:, 0].ravel()[self.place], box[:, 1].ravel()[self.place]
        self.at = self.bins.astype(np.int32).ravel()[self.place]
        self.in_set = None if pool.in_set is None else pool.in_set[self.entry]
        self.fails = (self.first > self.at) | (self.last < self.at)
        if self.in_set is not None:
            k = np.flatnonzero(self.in_set & ~self.fails)
            condition = pool.condition[self.entry[k]]
            self.fails[k] = ~pool.compiled.conditions.met(
                condition, self.at[k], np.full(len(k), True)
            )
        self.any_fails = np.logical_or.reduceat(self.fails, self.entry_start)

    def _find_near(self, best: Array) -> None:
        """Find the leaves that are, together with the box, nearer than the best."""
        is_l2, held = self.bounds.pool.is_l2, self.held
        size = held * held if is_l2 else held
        own, new = size.ravel()[self.place], self.bounds.size[self.entry]
        new[self._disjoint()] = HUGE
        limit = best[self.boxes.row]
        if not is_l2:
            sizes = np.maximum.reduceat(np.maximum(own, new), self.entry_start)
            self.near = sizes < np.minimum(limit, HUGE)[self.pair_box]
            return
        adds = np.maximum(new - own, 0)  # what a leaf adds to the box
        limit = np.minimum(limit**2, HUGE) - size.sum(axis=1)
        self.near = np.add.reduceat(adds, self.entry_start) < limit[self.pair_box]
        if self.bounds.price[self.boxes.row].any():
            self.paid = np.add.reduceat(adds * self.bounds.weight[self.entry], self.entry_start)

    def least(self, sure: float) -> Array:
        """Return lower bounds of the distance of what flips in the boxes: by prices, if set."""
        row = self.boxes.row
        least: Array = np.maximum(self.cost, self.boxes.cost)
        if len(self.pair) == 0 or not self.bounds.price[row].any():
            return least
        value, most = np.where(self.near, self.value, 0), np.zeros(len(row))
        for factor in FACTORS:
            price = self.bounds.price[row] * factor
            paid = np.where(self.near, self.paid - price[self.pair_box] * value, HUGE)
            cheapest = np.minimum.reduceat(paid, self.start)
            bound = np.bincount(self.tree_box, cheapest, len(row))
            most = np.maximum(most, bound - price * (self.boxes.base + sure))
        least = np.maximum(least, np.sqrt(self.cost**2 + most * (1 - 1e-9)))
        return least

    def inside(self, box: Indices, bins: NDArray[np.int32], least: Array) -> Boxes:
        """Return boxes inside others, which are given by their numbers and lower bounds."""
        row = self.boxes.row[box]
        cost = np.maximum(least[box], self.bounds.cost(row, bins))
        return Boxes(row, cost, bins, self.alive[box], self.base[box], self.size[box])

    def inherit(self) -> None:
        """Find what is alive in the boxes inside."""
        m, boxes = len(self.boxes), self.boxes
        n_near = np.bincount(self.tree_of, self.near, len(self.start))
        constant = np.where(n_near == 1, self.most, 0)
        self.base = boxes.base + np.bincount(self.tree_box, constant, m)
        alive = self.near & (n_near[self.tree_of] > 1)
        bits = np.zeros((m, self.bounds.n_bytes * 8), dtype=bool)
        box = self.pair_box[alive]
        bits[box, self.bit[alive]] = True
        self.alive = np.packbits(bits, axis=1)
        n_entries = self.bounds.n_entries[self.pair[alive]]
        self.size = np.bincount(box, n_entries, m).astype(np.intp)

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
        """Return failing entries of the best leaves of live boxes, and what these would add."""
        if len(self.pair) == 0:
            return np.zeros(0, dtype=np.intp), np.zeros(0)
        best = (self.value == self.most[self.tree_of]) & self.any_fails
        at = np.flatnonzero(self.fails & best[self.pair_of] & live[self.box_of])
        tree = self.tree_of[self.pair_of[at]]
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
