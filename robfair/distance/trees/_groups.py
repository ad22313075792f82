"""Columns that move together, cut into bins inside which no tree sees a difference.

A group is a number, whose bins lie between the splits of its column, or a block of columns that
hold one category, whose bins are the categories. A column that trees read as codes of categories,
and that the threat model does not call a block, stays as it is. The last bin of each group, beyond
`n_bins`, holds missing values: a value neither appears nor disappears.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.adapters.trees import Ensemble
from robfair.distance._arrays import Array, Flags, Indices
from robfair.distance.tabular import TableSpace

__all__ = ["Group", "NumberGroup", "SetGroup", "find_groups", "left_of"]


# Steps are added in another way than the transformer of a column computes, and far more precisely
# than float32, in which some libraries round before they compare.
NEAR, NEAR_STEP = 1e-12, 1e-6


@dataclass(frozen=True)
class NumberGroup:
    """A column of numbers; its bins are the intervals between the splits."""

    column: int
    low: Array  # least number of each bin, of shape (n_bins,)
    high: Array  # greatest number of each bin; the next bin begins with the next number
    is_mutable: bool
    spacing: float  # of the whole steps that it moves by; 0: any number

    is_set = False

    @property
    def n_bins(self) -> int:
        """Number of bins, without that of missing values."""
        return len(self.low)

    def own(self, space: TableSpace, rows: Indices) -> Indices:
        """Return the bin of each row."""
        x = space.X[rows, self.column].astype(np.float64)
        return np.where(np.isnan(x), self.n_bins, np.searchsorted(self.high[:-1], x, side="left"))

    def cost(self, space: TableSpace, rows: Indices, low: Array, high: Array) -> Array:
        """Return the cost for each row to enter each interval; inf where it cannot.

        The intervals are given by their ends, (n_intervals,); the result is (n_rows, n_intervals).
        """
        x = space.X[rows, self.column].astype(np.float64)[:, None]
        if not self.is_mutable:
            return np.where((low <= x) & (x <= high), 0.0, np.inf)
        unit = space.unit[self.column]
        if self.spacing:
            return np.asarray(np.abs(self._steps(space, rows, low, high)) * (self.spacing / unit))
        nearest, fits = self._nearest(space, x, low, high)
        return np.where(fits, np.abs(nearest - x) / unit, np.inf)

    def write(self, space: TableSpace, rows: Indices, bins: Indices, points: NDArray[Any]) -> None:
        """Move a column of points, as little as possible, into other bins."""
        low, high = self.low[bins], self.high[bins]
        if not self.spacing:
            x = space.X[rows, self.column].astype(np.float64)
            points[:, self.column] = self._nearest(space, x, low, high)[0]
            return
        steps = self._steps(space, rows, low[:, None], high[:, None], pairs=True)
        points[:, self.column] = self._after(space, rows, steps)[:, 0]

    def _nearest(self, space: TableSpace, x: Array, low: Array, high: Array) -> tuple[Array, Flags]:
        """Return the nearest number in intervals that a row may move to, and whether there is one.

        In a table it lies inside by the resolution of the space: what is written back to the
        column, and encoded again, is rounded, and at the very edge would leave the interval.
        """
        least = space.resolution[self.column]
        first, last = (np.float64(side[self.column]) for side in (space.low, space.high))
        low, high = np.maximum(low, first), np.minimum(high, last)
        nearest = np.where(low > x, np.minimum(low + least, last), x)
        nearest = np.where(high < x, np.maximum(high - least, first), nearest)
        # Rounded to the dtype of points before anything is compared.
        nearest = nearest.astype(space.X.dtype).astype(np.float64)
        return nearest, (low <= nearest) & (nearest <= high)

    def _after(self, space: TableSpace, rows: Indices, steps: Array) -> Array:
        """Return the number that each row has after whole steps, as `TableSpace.build` has it."""
        x = space.X[rows, self.column].astype(np.float64)[:, None]
        moved = (x + steps * self.spacing).astype(space.X.dtype)
        inside: Array = np.clip(moved, space.low[self.column], space.high[self.column])
        return inside.astype(np.float64)

    def _steps(
        self, space: TableSpace, rows: Indices, low: Array, high: Array, pairs: bool = False
    ) -> Array:
        """Return the least whole steps of each row into each interval; inf where there are none.

        With `pairs`, row i of `low` and `high` belongs to row i.
        """
        if not pairs:
            low, high = low[None], high[None]
        x = space.X[rows, self.column].astype(np.float64)[:, None]
        up, down = low > x, high < x
        low = np.where(up, low + self._slack(x, low), low)
        high = np.where(down, high - self._slack(x, high), high)
        with np.errstate(invalid="ignore"):
            steps = np.where(up, np.ceil((low - x) / self.spacing), 0.0)
            steps = np.where(down, np.floor((high - x) / self.spacing), steps)
        steps = np.where(np.isfinite(steps), steps, 0.0)
        # The division rounds, and so does the sum of which the point is made: that one decides.
        sign = np.sign(steps)
        value = self._after(space, rows, steps)
        steps += np.where((up & (value < low)) | (down & (value > high)), np.where(up, 1, -1), 0)
        value = self._after(space, rows, steps - sign)
        steps -= np.where((up & (value >= low)) | (down & (value <= high)), sign, 0)
        value = self._after(space, rows, steps)
        least, most = space.step_limits(rows, self.column, self.spacing)
        fits = (low <= value) & (value <= high) & (least <= steps) & (steps <= most)
        return np.where(fits, steps, np.inf)

    def _slack(self, x: Array, split: Array) -> Array:
        """Return how near to a split no steps may end, since rounding would decide there."""
        is_whole = (x == np.round(x)) & (self.spacing == round(self.spacing))
        slack = np.minimum(NEAR_STEP * self.spacing, NEAR * np.maximum(np.abs(x), np.abs(split)))
        return np.where(is_whole, 0.0, slack)


@dataclass(frozen=True)
class SetGroup:
    """Columns that hold a category; its bins are the categories, in an order that suits the trees.

    Neighbours in this order have similar effects, so that the search can cut it like a number.
    """

    columns: tuple[int, ...]
    values: NDArray[Any]  # of the columns in each bin, of shape (n_bins, n_columns)
    block: int  # its place among the blocks of the space; -1: codes that stay as they are
    bin_of: Indices  # the bin of each category

    is_set = True

    @property
    def n_bins(self) -> int:
        """Number of categories."""
        return len(self.values)

    @property
    def is_mutable(self) -> bool:
        """Tell if another category may be chosen."""
        return self.block >= 0

    def own(self, space: TableSpace, rows: Indices) -> Indices:
        """Return the bin of each row."""
        if self.block >= 0:
            category = space.own_categories[rows, self.block]
        else:
            x = space.X[rows, self.columns[0]]
            category = np.where(np.isnan(x), -1, np.searchsorted(self.values[:, 0], x))
        return np.where(category >= 0, self.bin_of[category], self.n_bins)

    def write(self, space: TableSpace, rows: Indices, bins: Indices, points: NDArray[Any]) -> None:
        """Give columns of points the values of other bins."""
        points[:, self.columns] = self.values[bins]


Group = NumberGroup | SetGroup


def find_groups(ensemble: Ensemble, space: TableSpace) -> list[Group]:
    """Return the groups of the columns that trees look at."""
    inner = np.flatnonzero(ensemble.feature >= 0)
    dtype = space.X.dtype
    groups: list[Group] = []
    taken = np.zeros(space.X.shape[1], dtype=bool)
    means = _subtree_means(ensemble) if space.n_blocks else np.zeros(0)
    for b, (block, columns) in enumerate(zip(space.blocks, space.columns, strict=True)):
        taken[columns] = True
        values = block.codes.astype(dtype)
        effect, sides = np.zeros(len(values)), (ensemble.left, ensemble.right)
        for k, j in enumerate(columns):
            at = inner[ensemble.feature[inner] == j]
            left = left_of(ensemble, at, values[:, k])
            effect += np.where(left, *(means[side[at], None] for side in sides)).sum(axis=0)
        order = np.argsort(effect, kind="stable")
        groups.append(
            SetGroup(tuple(map(int, columns)), values[order], block=b, bin_of=np.argsort(order))
        )
    coded = ensemble.feature[inner[ensemble.left_set[inner] >= 0]]
    for j in np.setdiff1d(np.unique(ensemble.feature[inner]), np.flatnonzero(taken)):
        if j in coded:
            codes = np.unique(space.X[:, j])
            codes = codes[~np.isnan(codes)] if not np.isnan(codes).all() else np.zeros(1)
            groups.append(SetGroup((int(j),), codes[:, None], -1, np.arange(len(codes))))
            continue
        splits = np.unique(
            _rounded_down(ensemble.split[inner[ensemble.feature[inner] == j]], dtype)
        )
        high = np.append(splits, np.inf)
        low = np.append(-np.inf, np.nextafter(splits.astype(dtype), dtype.type(np.inf)))
        groups.append(NumberGroup(int(j), low, high, bool(space.numeric[j]), float(space.grid[j])))
    return groups


def left_of(ensemble: Ensemble, nodes: Indices, values: NDArray[Any]) -> Flags:
    """Tell which values go left at nodes, of shape (n_nodes, n_values)."""
    at = np.repeat(nodes, len(values))
    left = ensemble.goes_left(at, np.tile(values.astype(np.float64), len(nodes)))
    return left.reshape(len(nodes), len(values))


def _rounded_down(splits: Array, dtype: Any) -> Array:
    """Return the greatest number of a dtype up to each split: points have that dtype."""
    rounded = splits.astype(dtype)
    rounded = np.where(rounded > splits, np.nextafter(rounded, dtype.type(-np.inf)), rounded)
    return rounded.astype(np.float64)


def _subtree_means(ensemble: Ensemble) -> Array:
    """Return the mean of the last score below each node, both sides counting alike."""
    means = ensemble.value[:, -1].copy()
    levels = [ensemble.roots]
    while len(levels[-1]):
        inner = levels[-1][ensemble.feature[levels[-1]] >= 0]
        levels.append(np.concatenate([ensemble.left[inner], ensemble.right[inner]]))
    for level in reversed(levels):
        inner = level[ensemble.feature[level] >= 0]
        means[inner] = (means[ensemble.left[inner]] + means[ensemble.right[inner]]) / 2
    return means
