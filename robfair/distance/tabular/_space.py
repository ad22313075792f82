"""Rows of a table and the moves between them: categories, whole steps, and what they cost.

A perturbed row has a discrete part, the category of each block and the number of steps of each
integer, and a continuous part. Searches change the discrete part by *edits*: another category for
one block, or one step more or less for one integer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.threat import ThreatModel

__all__ = ["Array", "Best", "Flags", "Moves", "Rows", "Space", "rank", "try_cheapest"]

LISTED_AT_ONCE = 20  # of the cheapest changes: what they find bounds the cost of later ones

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Moves:
    """Rows that are made of samples.

    Attributes
    ----------
    owner : ndarray of int, of shape (m,)
        The sample of each row.
    cats : ndarray of int, of shape (m, n_blocks)
        Category of each mutable block.
    steps : ndarray of shape (m, n_integers)
        Steps that each integer has moved, whole numbers.
    points : ndarray of shape (m, d)
        The rows. Where only the continuous part of them counts, the rest may be out of date.
    """

    owner: Rows
    cats: NDArray[np.intp]
    steps: Array
    points: NDArray[Any]

    def __len__(self) -> int:
        return len(self.owner)

    def __getitem__(self, rows: Any) -> Moves:
        return Moves(self.owner[rows], self.cats[rows], self.steps[rows], self.points[rows])

    def where(self, flags: Flags, others: Moves) -> Moves:
        """Take these rows where `flags` are set, and others elsewhere."""
        rows = flags[:, None]
        return Moves(
            self.owner,
            np.where(rows, self.cats, others.cats),
            np.where(rows, self.steps, others.steps),
            np.where(rows, self.points, others.points),
        )

    @staticmethod
    def join(parts: list[Moves]) -> Moves:
        """Put rows below one another."""
        return Moves(
            np.concatenate([part.owner for part in parts]),
            np.concatenate([part.cats for part in parts]),
            np.concatenate([part.steps for part in parts]),
            np.concatenate([part.points for part in parts]),
        )


class Space:
    """Samples, and how their rows may change.

    Parameters
    ----------
    threat_model : ThreatModel
        Norm, box, mutable features, categories, integers and units.
    X : ndarray of shape (n_samples, ...)
        Samples.
    dtype : dtype
        Rows are made in it: the dtype of the model.
    """

    def __init__(self, threat_model: ThreatModel, X: NDArray[Any], dtype: Any) -> None:
        shape = X.shape[1:]
        self.X = X.reshape(len(X), -1).astype(dtype)
        self.norm = threat_model.norm
        self.unit = threat_model.units(shape)
        self.category_cost = threat_model.category_cost
        self.numeric = threat_model.numeric(shape)
        spacing = threat_model.spacing(shape)
        self.integers = np.flatnonzero(self.numeric & (spacing > 0))
        self.continuous = self.numeric & (spacing == 0)
        self.spacing = spacing[self.integers]
        self.step_cost = self.spacing / self.unit[self.integers]
        box = threat_model.box(shape)
        d = self.X.shape[1]
        self.low, self.high = (
            (np.full(d, -np.inf), np.full(d, np.inf))
            if box is None
            else (box[0].astype(dtype), box[1].astype(dtype))
        )
        self.down, self.up = self._limits()
        self.blocks = [threat_model.blocks[b] for b in threat_model.mutable_blocks(shape)]
        self.columns = [np.array(block.columns) for block in self.blocks]
        found = [block.find(self.X) for block in self.blocks]
        self.own = np.array(found, dtype=np.intp).reshape(len(found), len(self.X)).T
        # An edit each: the feature (a block, or n_blocks + an integer) and the category or step.
        sizes = [len(block.codes) for block in self.blocks]
        n_integers = len(self.integers)
        self.edit_feature = np.repeat(
            np.arange(len(sizes) + n_integers), [*sizes, *[2] * n_integers]
        )
        self.edit_value = np.concatenate(
            [*map(np.arange, sizes), np.tile([-1, 1], n_integers)]
        ).astype(np.intp)

    @property
    def n_blocks(self) -> int:
        """Number of mutable blocks."""
        return len(self.blocks)

    def _limits(self) -> tuple[Array, Array]:
        """Whole steps that each integer of each sample can go down and up, inside the box."""
        x = self.X[:, self.integers].astype(np.float64)
        sides = (self.low[self.integers], self.high[self.integers])
        eps = np.finfo(self.X.dtype).eps
        limits = []
        for sign, side in zip((-1, 1), sides, strict=True):
            room = sign * (side.astype(np.float64) - x)
            rounding = np.where(np.isfinite(room), eps * (np.abs(x) + np.abs(side)), 0)
            limits.append(sign * np.floor((room + rounding) / self.spacing))
        return limits[0], limits[1]

    def start(self, owner: Rows) -> Moves:
        """Return samples as they are."""
        steps = np.zeros((len(owner), len(self.integers)))
        return Moves(owner, self.own[owner], steps, self.X[owner])

    def build(self, moves: Moves, continuous: bool = True) -> Moves:
        """Bring the rows up to date with their categories and steps.

        Parameters
        ----------
        moves : Moves
            Rows whose continuous features are right.
        continuous : bool, default=True
            Whether to keep these; else they are those of the sample.

        Returns
        -------
        Moves
            The rows.
        """
        x = self.X[moves.owner]
        points = np.where(self.continuous, moves.points, x) if continuous else x
        for b, (block, columns) in enumerate(zip(self.blocks, self.columns, strict=True)):
            # A category that has not changed keeps the sample's own rounding.
            rows = np.flatnonzero(moves.cats[:, b] != self.own[moves.owner, b])
            points[rows[:, None], columns] = block.codes[moves.cats[rows, b]]
        moved = x[:, self.integers].astype(np.float64) + moves.steps * self.spacing
        points[:, self.integers] = np.clip(
            moved.astype(points.dtype), self.low[self.integers], self.high[self.integers]
        )
        return Moves(moves.owner, moves.cats, moves.steps, points)

    def changed(self, owner: Rows, changes: Moves) -> tuple[Moves, Flags]:
        """Apply a change of :meth:`cheapest` to each sample; say which stay in the box."""
        own, sizes = self.own[owner], [len(block.codes) for block in self.blocks]
        cats = (own + changes.cats) % np.array(sizes, dtype=np.intp)
        inside = (changes.steps >= self.down[owner]) & (changes.steps <= self.up[owner])
        return Moves(owner, cats, changes.steps, self.X[owner]), np.asarray(inside.all(axis=1))

    def edited(self, moves: Moves, edits: Rows) -> Moves:
        """Apply an edit to each row; its points are then out of date."""
        cats, steps = moves.cats.copy(), moves.steps.copy()
        feature, value = self.edit_feature[edits], self.edit_value[edits]
        rows = np.flatnonzero(feature < self.n_blocks)
        cats[rows, feature[rows]] = value[rows]
        rows = np.flatnonzero(feature >= self.n_blocks)
        steps[rows, feature[rows] - self.n_blocks] += value[rows]
        return Moves(moves.owner, cats, steps, moves.points)

    def allowed(self, moves: Moves) -> Flags:
        """Which edits change each row, of shape (m, n_edits), and keep it in the box."""
        feature, value = self.edit_feature, self.edit_value
        c = int((feature < self.n_blocks).sum())
        other = moves.cats[:, feature[:c]] != value[:c]
        j = feature[c:] - self.n_blocks
        after = moves.steps[:, j] + value[c:]
        owner = moves.owner[:, None]
        inside = (after >= self.down[owner, j]) & (after <= self.up[owner, j])
        return np.concatenate([other, inside], axis=1)

    def cheapest(self, n: int) -> tuple[Moves, float]:
        """List the cheapest discrete changes that a row can make, cheapest first.

        Parameters
        ----------
        n : int
            How many, at most.

        Returns
        -------
        changes : Moves
            Their categories count from that of the sample; owner and points mean nothing.
        limit : float
            All changes that cost less are among them.
        """
        widest = np.maximum(-self.down.min(axis=0, initial=0), self.up.max(axis=0, initial=0))
        sizes = [*(len(block.codes) for block in self.blocks), *(1 + 2 * widest)]
        price = [*(self.category_cost for _ in self.blocks), *self.step_cost]

        def cost(choice: tuple[int, ...]) -> float:
            # Option r of a block is the r-th other category, of an integer (r + 1) // 2 steps.
            numbers = [min(r, 1) for r in choice[: self.n_blocks]]
            numbers += [(r + 1) // 2 for r in choice[self.n_blocks :]]
            return float(np.linalg.norm(np.multiply(numbers, price), self.norm))

        # Every choice is reached once: from the one before in its last feature that has changed.
        heap = [(0.0, (0,) * len(sizes))]
        found: list[tuple[int, ...]] = []
        while heap and len(found) <= n:
            _, choice = heappop(heap)
            found.append(choice)
            changed = np.flatnonzero(choice)
            for feature in range(changed[-1] if len(changed) else 0, len(sizes)):
                if choice[feature] + 1 < sizes[feature]:
                    after = (*choice[:feature], choice[feature] + 1, *choice[feature + 1 :])
                    heappush(heap, (cost(after), after))
        options = np.array(found[1:], dtype=np.intp).reshape(len(found) - 1, len(sizes))
        turns = options[:, self.n_blocks :]
        changes = Moves(
            owner=np.zeros(len(options), dtype=np.intp),
            cats=options[:, : self.n_blocks],
            steps=np.where(turns % 2, 1.0, -1.0) * ((turns + 1) // 2),
            points=np.zeros((len(options), 0)),
        )
        return changes, cost(found[-1]) if heap else np.inf

    def join(self, a: Array, b: Array) -> Array:
        """Norm of a whole whose two parts have these norms."""
        joined: Array = np.hypot(a, b) if self.norm == 2 else np.maximum(a, b)
        return joined

    def discrete(self, moves: Moves) -> Array:
        """Cost of the categories and the whole steps."""
        changed = (moves.cats != self.own[moves.owner]) * self.category_cost
        parts = np.concatenate([changed, moves.steps * self.step_cost], axis=1)
        return np.linalg.norm(parts, self.norm, axis=1) if parts.shape[1] else np.zeros(len(moves))

    def moved(self, moves: Moves) -> Array:
        """Cost of the continuous part."""
        on = self.continuous
        delta = moves.points[:, on].astype(np.float64) - self.X[np.ix_(moves.owner, on)]
        return (
            np.linalg.norm(delta / self.unit[on], self.norm, axis=1)
            if on.any()
            else np.zeros(len(moves))
        )

    def cost(self, moves: Moves) -> Array:
        """Cost of rows that are up to date."""
        return self.join(self.discrete(moves), self.moved(moves))


class Best:
    """The cheapest flipped row seen for each sample.

    Parameters
    ----------
    space : Space
        The samples.
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.moves = space.start(np.arange(len(space.X)))
        self.cost = np.full(len(space.X), np.inf)

    def offer(self, moves: Moves, flipped: Flags) -> Rows:
        """Take over the rows that are flipped and cheaper; return the samples that got better."""
        cost = self.space.cost(moves)
        rows = np.flatnonzero(flipped & (cost < self.cost[moves.owner]) & (cost > 0))
        # The last one written stays: of equals the first that was offered.
        rows = rows[::-1][np.argsort(-cost[rows[::-1]], kind="stable")]
        owner = moves.owner[rows]
        self.cost[owner] = cost[rows]
        self.moves.cats[owner] = moves.cats[rows]
        self.moves.steps[owner] = moves.steps[rows]
        self.moves.points[owner] = moves.points[rows]
        return np.unique(owner)


def rank(owner: Rows) -> Rows:
    """How many rows of the same owner stand before each row."""
    order = np.argsort(owner, kind="stable")
    ordered = owner[order]
    out = np.empty(len(owner), dtype=np.intp)
    out[order] = np.arange(len(owner)) - np.searchsorted(ordered, ordered)
    return out


def try_cheapest(
    best: Best, owner: Rows, changes: Moves, limit: float, ask: Callable[[Moves], object]
) -> None:
    """Try all discrete changes that cost less than the best row, where these are few.

    What a change costs does not depend on the sample, so one list serves all.

    Parameters
    ----------
    best : Best
        What has been found.
    owner : ndarray of int
        Samples.
    changes, limit : Moves, float
        The cheapest changes. Samples whose best row costs more than the limit are left out, unless
        nothing has been found for them.
    ask : callable
        Takes rows without a continuous move, and offers those that are flipped to `best`.
    """
    space = best.space
    owner = owner[(best.cost[owner] <= limit) | np.isinf(best.cost[owner])]
    for first in range(0, len(changes), LISTED_AT_ONCE):
        part = changes[first : first + LISTED_AT_ONCE]
        rows = np.repeat(np.arange(len(part)), len(owner))
        moves, inside = space.changed(np.tile(owner, len(part)), part[rows])
        ask(space.build(moves[inside & (space.discrete(moves) < best.cost[moves.owner])]))
