"""Rows in units and without gaps, for searches that know finite numbers only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.distance._arrays import Array, Flags
from robfair.distance.tabular._space import TableSpace


class FlaggedRows:
    """Rows whose gaps are flags: further features, which no move changes.

    A number stands in for each gap. Whatever it becomes, it is a gap again once the row is read
    back, so that a move of it gains nothing.

    Parameters
    ----------
    space : TableSpace
        The rows that an attacker may make.
    points : ndarray of shape (m, d)
        Rows, all gaps of which get a flag.
    """

    def __init__(self, space: TableSpace, points: NDArray[Any]) -> None:
        self.unit, self.columns = space.unit, np.flatnonzero(np.isnan(points).any(axis=0))
        flags = np.zeros(len(self.columns))
        low, high = space.low / space.unit, space.high / space.unit
        self.box = np.concatenate([low, flags]), np.concatenate([high, flags + 1])
        self.mask: Flags = np.concatenate([space.continuous, flags.astype(bool)])
        self.filling = np.clip(0, low, high)

    def write(self, points: NDArray[Any]) -> Array:
        """Return points in units, with flags: shape (m, d + n_flags)."""
        z = points / self.unit
        return np.concatenate(
            [np.where(np.isnan(z), self.filling, z), np.isnan(z)[:, self.columns]], 1
        )

    def read(self, rows: Array) -> Array:
        """Return the points of rows with flags."""
        d = len(self.unit)
        points = rows[:, :d] * self.unit
        at, column = np.nonzero(rows[:, d:] > 0.5)
        points[at, self.columns[column]] = np.nan
        return points
