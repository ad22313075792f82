"""The search of one chunk of rows: radius, moves, boxes; one target class after the other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.distance._arrays import Array, Flags, Indices
from robfair.distance.tabular import TableSpace
from robfair.distance.trees._best_first import SearchLimits, search_boxes
from robfair.distance.trees._bounds import BoxBounds
from robfair.distance.trees._compile import Compiled
from robfair.distance.trees._costs import RowCosts
from robfair.distance.trees._greedy import Incumbents, climb
from robfair.distance.trees._pool import Objective, Pool, TooManyPairs

__all__ = ["Donors", "Nearest", "TreeSearch"]

FIRST = 1 / 500  # radius to begin with, relative to one that all points lie in
FASTER, GROWTH = 2.0, 1.5  # of the radius, where nothing can flip and where nothing is found
TIGHTER = (0.6, 0.8, 0.9, 0.95)  # balls, relative to the best, in which L-inf starts again
HALVINGS = 5  # of the interval that the search leaves
HELD_BACK = 5  # moved groups, the greatest first, that L2 tries to do without
NEAREST = 4  # rows of the target class to start from, where single moves flip nothing


@dataclass(frozen=True)
class Nearest:
    """The nearest points of rows that a search has found.

    Attributes
    ----------
    distance : ndarray of shape (n_rows,)
        Distances; inf where no point was found.
    lower : ndarray of shape (n_rows,)
        Lower bounds; a distance is proven where they are equal.
    points : ndarray of shape (n_rows, n_columns)
        The points; NaN where there is none.
    n_predicted : ndarray of int, of shape (n_rows,)
        Points that the model was asked about.
    is_wrong : ndarray of bool, of shape (n_rows,)
        Where the model does not predict the point as its trees do.
    """

    distance: Array
    lower: Array
    points: NDArray[Any]
    n_predicted: NDArray[np.int32]
    is_wrong: Flags

    @staticmethod
    def join(parts: list[Nearest]) -> Nearest:
        """Concatenate rows."""
        arrays = zip(*(vars(part).values() for part in parts), strict=True)
        return Nearest(*map(np.concatenate, arrays))


@dataclass(frozen=True)
class Donors:
    """Rows to start from.

    Attributes
    ----------
    space : TableSpace
        The rows.
    own : ndarray of int, of shape (n_donors,)
        The class of each, as an index into the classes of the ensemble.
    """

    space: TableSpace
    own: Indices

    def bins(self, compiled: Compiled) -> Indices:
        """Return the bins that the rows hold.

        Parameters
        ----------
        compiled : Compiled
            The ensemble.

        Returns
        -------
        ndarray of int, of shape (n_donors, n_groups)
            A bin of each group of columns.
        """
        rows = np.arange(len(self.own))
        return np.stack([group.own(self.space, rows) for group in compiled.groups], axis=1)


@dataclass(frozen=True)
class TreeSearch:
    """Searches rows of a space; an object that other processes can have."""

    compiled: Compiled
    space: TableSpace
    base: Array  # of the ensemble's scores
    own: Indices  # class of each row
    scores: Array  # of each row, (n_rows, n_scores)
    ties_to: int
    sure: float  # margins beyond this, up or down, are what they seem
    flips: Callable[[Indices, NDArray[Any]], Flags]  # what the model itself says of points
    entries: float  # budget, see `SearchLimits`
    looks: float
    time_limit: float  # seconds for each row
    donors: Donors

    def __call__(self, rows: Indices) -> Nearest:
        """Search some rows; the others have no part in what is found for each."""
        try:
            return self._search(rows)
        except TooManyPairs:
            half = len(rows) // 2
            return Nearest.join([self(rows[:half]), self(rows[half:])])

    def _search(self, rows: Indices) -> Nearest:
        costs = RowCosts(self.compiled, self.space, rows)
        n = len(rows)
        n_asked = np.zeros(n, dtype=np.int32)

        def ask(i: Indices, bins: Indices) -> Flags:
            np.add.at(n_asked, i, 1)
            return self.flips(rows[i], costs.points(i, bins))

        best = Incumbents(
            np.full(n, np.inf),
            costs.own.copy(),
            self.sure,
            np.zeros(n, dtype=bool),
            ask,
        )
        limits = SearchLimits(self.entries, self.looks, time.monotonic() + self.time_limit * n)
        lower = np.full(n, np.inf)
        for target, objective, best.ties_flip in self._targets(rows):
            proven = self._grow(costs, objective, best)
            self._borrow(costs, objective, best, target)
            bound = self._search_target(costs, objective, best, proven, limits)
            lower = np.minimum(lower, bound)
        found = np.flatnonzero(np.isfinite(best.cost))
        points = np.full((n, self.space.X.shape[1]), np.nan, dtype=self.space.X.dtype)
        points[found] = costs.points(found, best.bins[found])
        is_wrong = np.zeros(n, dtype=bool)
        if len(found):  # the model has the last word
            is_wrong[found] = ~self.flips(rows[found], points[found])
            n_asked[found] += 1
        return Nearest(best.cost, np.minimum(lower, best.cost), points, n_asked, is_wrong)

    def _targets(self, rows: Indices) -> list[tuple[Indices, Objective, Flags]]:
        """Return classes, margins to flip, and whether ties do, for the nearest target first."""
        own, value, sums = self.own[rows], self.compiled.value, self.compiled.sums_scores
        if value.shape[1] == 1:
            sign = np.where(own == 0, 1.0, -1.0)
            column = np.zeros(len(rows), dtype=np.intp)
            objective = Objective(value, sums, column, None, sign, sign * self.base[0])
            return [(1 - own, objective, own != self.ties_to)]
        scores = self.scores[rows].copy()
        scores[np.arange(len(rows)), own] = -np.inf
        order = np.argsort(-scores, axis=1, kind="stable")[:, :-1]
        return [
            (
                target,
                Objective(
                    value, sums, target, own, np.ones(len(rows)), self.base[target] - self.base[own]
                ),
                target < own,
            )
            for target in order.T
        ]

    def _search_target(
        self,
        costs: RowCosts,
        objective: Objective,
        best: Incumbents,
        proven: Array,
        limits: SearchLimits,
    ) -> Array:
        """Improve the best points of all rows towards one target, and return lower bounds."""
        rows, is_l2 = np.arange(len(best.cost)), self.space.norm == 2
        far = _farthest(costs, is_l2)
        pool = Pool(costs, rows, np.minimum(best.cost, far), objective, is_l2)
        self._tighten(pool, best)
        lower = np.maximum(search_boxes(pool, best, limits), np.minimum(proven, best.cost))
        if is_l2:  # prices of the margin say more than balls
            return lower
        return self._widen(costs, objective, best, lower, far)

    def _widen(
        self, costs: RowCosts, objective: Objective, best: Incumbents, lower: Array, far: Array
    ) -> Array:
        """Raise bounds of L-inf where the search was cut off, by balls in which nothing flips."""
        open_ = np.flatnonzero(lower < best.cost)
        known, unknown = lower[open_], np.minimum(best.cost, far)[open_]
        for _ in range(HALVINGS if len(open_) else 0):
            middle = (known + unknown) / 2
            pool = Pool(costs, open_, middle, objective[open_], is_l2=False)
            possible = best.may_flip(open_, pool.upper)
            known = np.where(possible, known, middle)
            unknown = np.where(possible, middle, unknown)
        lower[open_] = known
        return lower

    def _grow(self, costs: RowCosts, objective: Objective, best: Incumbents) -> Array:
        """Search wider and wider balls until something flips; return radii in which nothing can."""
        is_l2 = self.space.norm == 2
        far = _farthest(costs, is_l2)
        size = far * FIRST
        proven = np.zeros(len(far))
        rows = np.flatnonzero(np.isinf(best.cost))
        while len(rows):
            pool = Pool(costs, rows, size[rows], objective[rows], is_l2)
            possible = best.may_flip(rows, pool.upper)
            proven[rows[~possible]] = size[rows[~possible]]
            if possible.any():
                part = pool.part(possible)
                climb(part, part.own, part.radius * (1 + 1e-9), best, None)
            growth = np.where(possible, GROWTH, FASTER)
            size[rows], tried = np.minimum(size[rows] * growth, far[rows]), size[rows]
            rows = rows[np.isinf(best.cost[rows]) & (tried < far[rows])]
        return proven

    def _borrow(
        self, costs: RowCosts, objective: Objective, best: Incumbents, target: Indices
    ) -> None:
        """Start rows that nothing has flipped where the nearest rows of their target class lie."""
        lost = np.flatnonzero(np.isinf(best.cost) & np.isin(target, self.donors.own))
        if not len(lost):
            return
        is_l2, start = self.space.norm == 2, self.compiled.layout.start
        donated = self.donors.bins(self.compiled)
        price = costs.of_bin[lost[:, None, None], start + donated]  # (n_lost, n_donors, n_groups)
        bins = np.where(np.isfinite(price), donated, costs.own[lost][:, None])
        price = np.where(np.isfinite(price), price, 0)
        length = np.linalg.norm(price, axis=2) if is_l2 else price.max(axis=2)
        length[self.donors.own != target[lost][:, None]] = np.inf
        order = np.argsort(length, axis=1, kind="stable")
        far = _farthest(costs, is_l2)[lost]
        pool = Pool(costs, lost, far, objective[lost], is_l2)
        at = np.arange(len(lost))
        for donor in order[:, :NEAREST].T:
            climb(pool, bins[at, donor], far, best, None)

    def _tighten(self, pool: Pool, best: Incumbents) -> None:
        """Climb again in the ball of the best point: in L-inf in tighter ones, in L2 otherwise."""
        may_shrink = np.isfinite(best.cost) & (best.cost > 0)
        if not pool.is_l2:
            bounds = BoxBounds(pool)
            upper = bounds.view(bounds.whole(), best.cost * TIGHTER[-1]).bound
            may_shrink &= best.may_flip(pool.rows, upper)
        pool = pool.part(may_shrink)
        rows, layout = pool.rows, self.compiled.layout
        if not len(rows):
            return
        if not pool.is_l2:
            for share in TIGHTER:
                climb(pool, pool.own, best.cost[rows] * share, best, None)
            return
        at = np.arange(len(rows))
        for k in range(min(HELD_BACK, len(self.compiled.groups))):
            bins = best.bins[rows]
            price = pool.costs.of_bin[rows]
            held = np.take_along_axis(price, layout.start + bins, axis=1)
            group = np.argsort(-held, axis=1)[:, k]
            bins[at, group] = pool.own[at, group]
            blocked = (layout.group == group[:, None]) & (price > 0)
            climb(pool, bins, best.cost[rows], best, blocked)


def _farthest(costs: RowCosts, is_l2: bool) -> Array:
    """Return a radius that all points of each row lie in."""
    reach = np.where(np.isfinite(costs.of_bin), costs.of_bin, 0)
    layout = costs.compiled.layout
    most = np.maximum.reduceat(reach, layout.start, axis=1)
    size: Array = np.linalg.norm(most, axis=1) if is_l2 else most.max(axis=1)
    return size * 1.01
