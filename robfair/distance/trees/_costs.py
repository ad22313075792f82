"""The threat model as costs for each row: to enter each bin, and to meet each condition.

Norm, box, immutable columns, integers, units, categories and gaps live in these tables alone, so
that everything after them is the same for numbers and for tables.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.distance._arrays import Flags, Indices
from robfair.distance.tabular import TableSpace
from robfair.distance.trees._compile import Compiled
from robfair.distance.trees._groups import NumberGroup, SetGroup

__all__ = ["RowCosts"]


class RowCosts:
    """The costs of some rows of a space.

    `own` (n_rows, n_groups) are the bins that the rows hold, `of_bin` (n_rows, width) and
    `of_condition` (n_rows, n_conditions) the costs: 0 for what holds already, inf for what cannot
    be. `nearest` (n_rows, width) is the cheapest bin from a bin on, away from the row's own.
    """

    def __init__(self, compiled: Compiled, space: TableSpace, rows: Indices) -> None:
        self.compiled, self.space, self.rows = compiled, space, rows
        layout, conditions = compiled.layout, compiled.conditions
        n = len(rows)
        self.own = np.zeros((n, len(compiled.groups)), dtype=np.intp)
        self.of_bin = np.full((n, layout.width), np.inf)
        self.of_condition = np.zeros((n, len(conditions.group)))
        self.nearest = np.zeros((n, layout.width), dtype=np.intp)
        for g, group in enumerate(compiled.groups):
            self.own[:, g] = own = group.own(space, rows)
            bins = slice(layout.start[g], layout.start[g] + layout.n_bins[g])
            at = np.flatnonzero(conditions.group == g)
            missing = own == group.n_bins
            if isinstance(group, NumberGroup):
                self.of_bin[:, bins] = group.cost(space, rows, group.low, group.high)
            else:
                self._fill_set(group, bins, at)
            self.of_bin[missing, bins] = np.inf
            self.of_bin[np.arange(n), layout.start[g] + own] = 0
            self._fill_nearest(bins, own)
            if isinstance(group, NumberGroup):
                self._fill_intervals(bins, at, own)
            holds = self._holds(at, own, group.is_set)
            kept = np.where(conditions.missing[at], 0, np.inf)
            self.of_condition[:, at] = np.where(
                missing[:, None], kept, np.where(holds, 0, self.of_condition[:, at])
            )
        # The cost of an interval of bins is that of the nearest of them.
        flat = layout.start[layout.group] + self.nearest
        self.beyond = np.take_along_axis(self.of_bin, flat, axis=1)

    def _fill_intervals(self, bins: slice, at: Indices, own: Indices) -> None:
        """Take the cost of the nearest bin that can be entered of each interval."""
        first, last = self.compiled.conditions.first[at], self.compiled.conditions.last[at]
        start = np.clip(np.clip(own[:, None], first, last), 0, bins.stop - bins.start - 1)
        nearest = np.take_along_axis(self.nearest[:, bins], start, axis=1)
        cost = np.take_along_axis(self.of_bin[:, bins.start : bins.stop + 1], nearest, axis=1)
        inside = (first <= nearest) & (nearest <= last)
        self.of_condition[:, at] = np.where(inside, cost, np.inf)

    def _fill_set(self, group: SetGroup, bins: slice, at: Indices) -> None:
        conditions = self.compiled.conditions
        cost = self.space.category_cost if group.is_mutable else np.inf
        self.of_bin[:, bins] = cost
        self.of_condition[:, at] = np.where(conditions.last[at] < 0, np.inf, cost)

    def _holds(self, at: Indices, own: Indices, is_set: bool) -> Flags:
        conditions = self.compiled.conditions
        shape = np.broadcast_shapes((len(own), 1), (1, len(at)))
        condition, bins = np.broadcast_to(at, shape), np.broadcast_to(own[:, None], shape)
        flags = np.full(shape, True).ravel() if is_set else None
        return conditions.met(condition.ravel(), bins.ravel(), flags).reshape(shape)

    def _fill_nearest(self, bins: slice, own: Indices) -> None:
        """Find the first bin from each on, away from the own one, that can be entered."""
        cost = self.of_bin[:, bins]
        number = np.arange(cost.shape[1])
        usable, own = np.isfinite(cost), own[:, None]
        up = np.where(usable & (number >= own), number, cost.shape[1])
        up = np.minimum.accumulate(up[:, ::-1], axis=1)[:, ::-1]
        down = np.where(usable & (number <= own), number, -1)
        down = np.maximum.accumulate(down, axis=1)
        nearest = np.where(number > own, up, down)
        # Beyond the last usable bin lies the bin of missing values, which costs inf to enter.
        self.nearest[:, bins] = np.where(nearest < 0, cost.shape[1], nearest)
        self.nearest[:, bins.stop] = cost.shape[1]

    def points(self, rows: Indices, bins: Indices) -> NDArray[Any]:
        """Return the nearest points in bins, (m, n_groups), of rows of this table."""
        points = self.space.X[self.rows[rows]].copy()
        for g, group in enumerate(self.compiled.groups):
            moved = np.flatnonzero(bins[:, g] != self.own[rows, g])
            if len(moved):
                part = points[moved]
                group.write(self.space, self.rows[rows[moved]], bins[moved, g], part)
                points[moved] = part
        return points
