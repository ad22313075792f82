"""Lower bounds of L2 distances in boxes, by prices of the margin.

The squared cost of each group is divided among the trees that ask something of it, in *shares* that
sum to 1, and the margin is given a price. Each tree then chooses a leaf of its own, and the sum of
what these lack, less what the margin is worth, is never above what a point that flips adds to the
squared cost of the box, whatever shares and price. These are improved in multiplicative steps. A
box inside another goes on from the prices of that one, so that a few steps are enough.
"""

from __future__ import annotations

from dataclasses import dataclass

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
from robfair.distance.trees._bounds import BoxView

__all__ = ["INSIDE", "WHOLE", "Prices", "lagrange_bounds"]

# Sizes of the steps, in logarithms: for whole balls, and for boxes inside boxes.
WHOLE, INSIDE = np.geomspace(0.5, 0.02, 80), np.geomspace(0.3, 0.05, 8)
LEAST_GAP = 1e-9  # of a margin
ROUNDING = 1e-13  # of a sum over a thousand trees, relative to the sum of sizes


@dataclass(frozen=True)
class Prices:
    """The prices of a box.

    `share` holds the numbers of the shares among those of the row, in order, and `part` what each
    is of its group.
    """

    share: NDArray[np.int32]
    part: NDArray[np.float32]
    margin: float


def lagrange_bounds(view: BoxView, priced: Flags, sure: float, steps: Array) -> Array:
    """Return lower bounds of what flips in some boxes of a view.

    For the other boxes the bound is 0. Better prices and the leaves that these choose are left in
    the view. Without prices a box begins with equal shares. A margin of
    ``-sure`` may be flipped already. The bounds hold among points nearer than the best of each row,
    since leaves farther than that are left out.
    """
    bounds = np.zeros(len(view.boxes))
    box = np.flatnonzero(priced)
    dual = _Dual(view, box, sure)
    most = dual.bound()
    for step in steps:
        dual.improve(step)
        most = np.maximum(most, dual.bound())
    bounds[box] = np.sqrt(view.cost[box] ** 2 + np.maximum(most, 0) * (1 - 1e-9))
    view.boxes.prices[box] = dual.prices()
    view.chosen[dual.pair] = dual.chosen()
    return bounds


class _Dual:
    """Shares and prices of some boxes of a view."""

    def __init__(self, view: BoxView, box: Indices, sure: float) -> None:
        boxes, self.n = view.boxes, len(box)
        self.base = boxes.base[box] + sure
        self.gap = np.maximum(-(view.margin[box] + sure), LEAST_GAP)
        number = np.full(len(boxes), -1)
        number[box] = np.arange(len(box))
        # Pairs that are near, and their trees.
        at = self.pair = np.flatnonzero(view.near & (number[view.pair_box] >= 0))
        self.value, tree = view.value[at], view.tree_of[at]
        self.start = first_of_each(tree)
        self.box = number[view.tree_box[tree[self.start]]]
        n_pairs = np.diff(np.append(self.start, len(at)))
        self.tree_of = np.repeat(np.arange(len(self.start)), n_pairs)
        sizes = np.maximum.reduceat(np.abs(self.value), self.start)
        self.slack = ROUNDING * (np.bincount(self.box, sizes, self.n) + np.abs(self.base))
        # Their entries, where the nearest point of the box lacks something.
        n_entries = view.n_entries[at]
        entry = ranges(view.entry_start[at], n_entries)
        lacks = view.lacks[view.entry[entry]]
        asks = lacks > 0
        self.lacks = lacks[asks]
        pair = np.repeat(np.arange(len(at)), n_entries)[asks]
        self.n_entries = np.bincount(pair, minlength=len(at))
        self.entry_start = starts_of(self.n_entries)
        share = view.bounds.share[view.pool_entry[entry[asks]]]
        self._find_shares(share, self.tree_of[pair], view.bounds.n_trees)
        self.shares = adder(self.share, self.entry_start, len(self.number), self.lacks)
        self._begin(boxes.prices[box], view.limit[box])

    def _find_shares(self, number: NDArray[np.int32], tree: Indices, n_trees: int) -> None:
        """Find the distinct shares of entries, ordered by box, group and tree."""
        n_of_box = np.bincount(self.box, minlength=self.n)
        first, box = starts_of(n_of_box), self.box[tree]
        group, n_groups = number // n_trees, number.max(initial=0) // n_trees + 1
        # A table of all groups and trees of each box finds them faster than a sort.
        place = first[box] * n_groups + group * n_of_box[box] + tree - first[box]
        asked = np.zeros(len(self.box) * n_groups, dtype=bool)
        asked[place] = True
        self.share = (np.cumsum(asked, dtype=np.int32) - 1)[place]
        self.number = np.zeros(asked.sum(), dtype=np.int32)
        self.number[self.share] = number
        share_box = np.zeros(len(self.number), dtype=np.intp)
        share_box[self.share] = box
        self.share_start = np.searchsorted(share_box, np.arange(self.n + 1))
        self.group = first_of_each(share_box * n_groups + self.number // n_trees)
        self.group_of = np.repeat(
            np.arange(len(self.group)), np.diff(np.append(self.group, len(self.number)))
        )

    def _begin(self, prices: NDArray[np.object_], limit: Array) -> None:
        """Begin with the prices of the boxes around, or with equal shares."""
        size = np.diff(np.append(self.group, len(self.number)))
        self.part, self.price = 1 / size[self.group_of], limit / self.gap
        for box, known in enumerate(prices):
            if known is None or not len(known.share):
                continue
            self.price[box] = known.margin
            own = slice(*self.share_start[box : box + 2])
            number = self.number[own]
            at = np.minimum(np.searchsorted(known.share, number), len(known.share) - 1)
            self.part[own] = np.where(known.share[at] == number, known.part[at], self.part[own])
        self._normalize()

    def _normalize(self) -> None:
        if len(self.group):
            self.part /= np.add.reduceat(self.part, self.group)[self.group_of]

    def bound(self) -> Array:
        """Return lower bounds of what flips adds to the squared costs of the boxes."""
        paid = self.shares @ self.part
        self.net = paid - self.price[self.box][self.tree_of] * self.value
        self.least = np.minimum.reduceat(self.net, self.start)
        sums = np.bincount(self.box, self.least, self.n)
        return np.asarray(sums - self.price * (self.base + self.slack))

    def chosen(self) -> Flags:
        """Tell which leaf the last bound chose in each tree, of the pairs that are near."""
        return np.asarray(self.net == self.least[self.tree_of])

    def improve(self, step: float) -> None:
        """Let trees pay more where the leaves that they have chosen lack something."""
        chosen = self.chosen()
        value = np.maximum.reduceat(np.where(chosen, self.value, -np.inf), self.start)
        margin = self.base + np.bincount(self.box, value, self.n)
        pair = np.flatnonzero(chosen)
        entry = ranges(self.entry_start[pair], self.n_entries[pair])
        slope = np.zeros(len(self.part))
        slope[self.share[entry]] = self.lacks[entry]
        if len(self.group):
            most = np.maximum.reduceat(slope, self.group)[self.group_of]
            self.part *= np.exp(step * slope / np.maximum(most, np.finfo(float).tiny))
            self._normalize()
        self.price *= np.exp(-step * np.clip(margin / self.gap, -1, 1))

    def prices(self) -> NDArray[np.object_]:
        """Return the prices of each box."""
        out = np.empty(self.n, dtype=object)
        part = self.part.astype(np.float32)
        for box in range(self.n):
            own = slice(*self.share_start[box : box + 2])
            # Copies, since a view would keep the arrays of all boxes.
            out[box] = Prices(self.number[own].copy(), part[own].copy(), self.price[box])
        return out
