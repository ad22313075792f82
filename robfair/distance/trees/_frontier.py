"""The boxes of a best-first search that are still to be looked at, of many rows at once."""

from __future__ import annotations

import numpy as np

from robfair.distance._arrays import Array, Flags, Indices
from robfair.distance.trees._bounds import Boxes

__all__ = ["Frontier"]

LEVELS = 2**40  # of costs, which order the boxes of a row


class Frontier:
    """Boxes, ordered by row and then by cost."""

    def __init__(self, boxes: Boxes, scale: Array) -> None:
        self.n_rows = len(scale)
        self.scale = np.where(np.isfinite(scale) & (scale > 0), scale, 1.0)  # costs at most
        self.key, self.cost = np.zeros(0, dtype=np.int64), np.zeros(0)
        self.slot = np.zeros(0, dtype=np.intp)
        # Boxes lie in slots, which are used again; the ordered arrays hold their numbers.
        self.boxes, self.free = boxes, np.zeros(0, dtype=np.intp)
        self._insert(np.arange(len(boxes)))

    def __len__(self) -> int:
        return len(self.key)

    @property
    def row(self) -> Indices:
        """The row of each box."""
        return self.key // LEVELS

    def push(self, boxes: Boxes) -> None:
        """Add boxes."""
        short = len(boxes) - len(self.free)
        if short > 0:
            n, more = len(self.boxes), max(short, len(self.boxes))
            self.free = np.concatenate([self.free, n + np.arange(more)])
            self.boxes = self.boxes.grown(n + more)
        slot, self.free = self.free[: len(boxes)], self.free[len(boxes) :]
        self.boxes.put(slot, boxes)
        self._insert(slot)

    def _insert(self, slot: Indices) -> None:
        row, cost = self.boxes.row[slot], self.boxes.cost[slot]
        # Whole numbers: beside a row of a greater number costs do not round otherwise.
        key = row * LEVELS + (np.minimum(cost / self.scale[row], 1) * (LEVELS - 1)).astype(np.int64)
        order = np.argsort(key, kind="stable")
        at = np.searchsorted(self.key, key[order])
        self.key = np.insert(self.key, at, key[order])
        self.cost = np.insert(self.cost, at, cost[order])
        self.slot = np.insert(self.slot, at, slot[order])

    def pop(self, width: int) -> Boxes:
        """Take the cheapest boxes of each row, up to `width` of them."""
        start = np.searchsorted(self.key, np.arange(self.n_rows + 1) * LEVELS)
        at = start[:-1, None] + np.arange(width)
        at = at[at < start[1:, None]]
        slot = self.slot[at]
        boxes = self.boxes[slot]
        self._keep(np.isin(np.arange(len(self)), at, invert=True), slot)
        return boxes

    def drop(self, flags: Flags) -> None:
        """Forget boxes."""
        if flags.any():
            self._keep(~flags, self.slot[flags])

    def _keep(self, kept: Flags, freed: Indices) -> None:
        self.free = np.concatenate([self.free, freed])
        self.boxes.prices[freed] = None  # the only part of a box that takes much memory
        self.key, self.cost, self.slot = self.key[kept], self.cost[kept], self.slot[kept]

    def least(self) -> Array:
        """Return the least cost of the boxes of each row; inf where there are none."""
        least = np.full(self.n_rows, np.inf)
        np.minimum.at(least, self.row, self.cost)
        return least
