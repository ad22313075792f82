"""The search of rows of a table by labels alone.

It starts from other samples that the model labels differently, with the immutable features of the
sample. What is not needed for that goes back to what it was: all moves together, whole features,
parts of them. From there it goes on by taking one feature back and making up for it by an edit of
another, cheapest first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.distance.tabular._space import (
    Array,
    Best,
    Flags,
    Moves,
    Rows,
    Space,
    rank,
    try_cheapest,
)

__all__ = ["LabelSearch"]

MOST_OTHERS = 4000  # rows that are looked at as starts
NEAREST = 100  # of them that are tried, ...
AT_ONCE = 20  # ... so many before others are
LANES = 3  # starts that are followed
HALVINGS = 11  # of a move: to less than a thousandth of it
PAGE = 50  # exchanges that are tried before what they have found is looked at
PAIRS = 2**18  # exchanges in memory
LISTED = 0.3  # share of the budget for the cheapest changes
MEMORY = 2**24  # numbers in the largest array of distances


class LabelSearch:
    """The search of some samples together.

    Parameters
    ----------
    space : Space
        The samples, and how their rows may change.
    best : Best
        Where rows are kept.
    flips : callable
        From moves (m rows) to whether the model labels each differently from its sample.
    budget : int
        Rows that may be predicted for each sample.
    """

    def __init__(
        self, space: Space, best: Best, flips: Callable[[Moves], Flags], budget: int
    ) -> None:
        self.space, self.best, self.flips = space, best, flips
        self.listed = space.cheapest(int(LISTED * budget))
        self.left = np.full(len(space.X), budget)
        self.n_discrete = space.n_blocks + len(space.integers)
        self.continuous = np.flatnonzero(space.continuous)

    def run(
        self, owner: Rows, labels: NDArray[Any], others: NDArray[Any], their_labels: NDArray[Any]
    ) -> None:
        """Search some samples.

        Parameters
        ----------
        owner : ndarray of int, of shape (m,)
            The samples.
        labels : ndarray of shape (n_samples,)
            Labels of all samples.
        others : ndarray of shape (n_others, d)
            Rows to start from.
        their_labels : ndarray of shape (n_others,)
            Their labels.
        """
        some = slice(None, None, -(-len(others) // MOST_OTHERS) or 1)
        others, their_labels = others[some], their_labels[some]
        size = max(1, MEMORY // max(1, len(others)))
        for first in range(0, len(owner), size):
            part = owner[first : first + size]
            self._start(part, others, labels[part][:, None] != their_labels)
        try_cheapest(self.best, owner, *self.listed, self._ask)
        while len(owner):
            owner = owner[np.isfinite(self.best.cost[owner])]
            self._go_back(self.best.moves[owner])
            owner = self._exchange(owner)

    def shorten(self, owner: Rows, budget: int) -> None:
        """Take back what the best rows of samples do not need, within a budget of its own."""
        owner = owner[np.isfinite(self.best.cost[owner])]
        self.left[owner] = budget
        self._go_back(self.best.moves[owner])

    def _ask(self, moves: Moves) -> Flags:
        """Whether rows flip; those beyond a sample's budget are not asked, and do not."""
        asked = np.flatnonzero(rank(moves.owner) < self.left[moves.owner])
        flipped = np.zeros(len(moves), dtype=bool)
        if len(asked):
            moves = moves[asked]
            self.left -= np.bincount(moves.owner, minlength=len(self.left))
            flipped[asked] = self.flips(moves)
            self.best.offer(moves, flipped[asked])
        return flipped

    # --- Starts

    def _start(self, owner: Rows, others: NDArray[Any], differ: Flags) -> None:
        """Go back from the nearest of the other rows that flip a sample."""
        space = self.space
        found = [block.find(others) for block in space.blocks]
        cats = np.array(found, dtype=np.intp).reshape(len(found), len(others)).T
        apart = np.where(differ, self._apart(owner, others, cats), np.inf)
        nearest = np.argsort(apart, axis=1, kind="stable")[:, :NEAREST]
        usable = np.isfinite(np.take_along_axis(apart, nearest, axis=1))
        for first in range(0, nearest.shape[1], AT_ONCE):
            usable &= np.isinf(self.best.cost[owner])[:, None]
            row, place = np.nonzero(usable[:, first : first + AT_ONCE])
            mine, other = owner[row], nearest[row, first + place]
            delta = others[np.ix_(other, space.integers)].astype(np.float64)
            delta -= space.X[np.ix_(mine, space.integers)]
            steps = np.round(delta / space.spacing).clip(space.down[mine], space.up[mine])
            points = np.clip(others[other], space.low, space.high).astype(space.X.dtype)
            moves = space.build(Moves(mine, cats[other], steps, points))
            moves = moves[self._ask(moves)]
            moves = moves[np.argsort(space.cost(moves), kind="stable")]
            lane = rank(moves.owner)
            for number in range(LANES):
                self._go_back(moves[lane == number])

    def _apart(self, owner: Rows, others: NDArray[Any], cats: NDArray[np.intp]) -> Array:
        """Cost for each sample to become each of the other rows, as far as it can."""
        space, total = self.space, np.zeros((len(owner), len(others)))
        for j in np.flatnonzero(space.numeric):
            apart = space.X[owner, j].astype(np.float64)[:, None] - others[:, j]
            total = space.join(total, np.abs(apart) / space.unit[j])
        for b in range(space.n_blocks):
            switched = space.own[owner, b][:, None] != cats[:, b]
            total = space.join(total, space.category_cost * switched)
        return total

    # --- Back to the sample

    def _go_back(self, moves: Moves) -> None:
        """Take back what is not needed: all together, then the most costly feature first."""
        moves = self._bisect(moves, np.ones((len(moves), self._n_features), dtype=bool))
        order = np.argsort(-self._costs(moves), axis=1, kind="stable")
        for feature in order.T:
            moves = self._bisect(moves, feature[:, None] == np.arange(self._n_features))

    @property
    def _n_features(self) -> int:
        return self.n_discrete + len(self.continuous)

    def _bisect(self, moves: Moves, features: Flags) -> Moves:
        """Shorten some moves of flipped rows as far as they stay flipped: wholly, or in part."""
        outer, cost = moves, self.space.cost(moves)
        inner = self.space.start(moves.owner)
        low, high = np.zeros(len(moves)), np.ones(len(moves))
        for halving in range(1 + HALVINGS):
            share = (low + high) / 2 if halving else low
            tried = self._shorter(moves, features, share)
            flipped = (tried.points == outer.points).all(axis=1)
            known = flipped | (tried.points == inner.points).all(axis=1)
            price = self.space.cost(tried)
            rows = np.flatnonzero(~known & (price < cost))
            flipped[rows] = self._ask(tried[rows])
            low, high = np.where(flipped, low, share), np.where(flipped, share, high)
            cost = np.where(flipped, price, cost)
            outer, inner = tried.where(flipped, outer), tried.where(~flipped, inner)
        return outer

    def _costs(self, moves: Moves) -> Array:
        """Cost of each feature, of shape (m, n_features): blocks, integers, continuous ones."""
        space, on = self.space, self.continuous
        delta = moves.points[:, on].astype(np.float64) - space.X[np.ix_(moves.owner, on)]
        changed = space.category_cost * (moves.cats != space.own[moves.owner])
        stepped = np.abs(moves.steps) * space.step_cost
        return np.concatenate([changed, stepped, np.abs(delta) / space.unit[on]], axis=1)

    def _shorter(self, moves: Moves, features: Flags, share: Array) -> Moves:
        """Scale some moves by a share; in L-inf cut them, where only the greatest counts."""
        space, B = self.space, self.space.n_blocks
        cost = self._costs(moves) * features
        keep = np.broadcast_to(share[:, None], cost.shape)
        if space.norm != 2:
            level = keep * cost.max(axis=1, keepdims=True, initial=0)
            keep = np.minimum(1, level / np.where(cost > 0, cost, 1))
        keep = np.where(features & (cost > 0), keep, 1)
        # A category is kept or not; whole steps are cut, but for what rounding has left.
        kept = keep[:, :B] > 0 if space.norm == 2 else keep[:, :B] >= 1
        cats = np.where(kept, moves.cats, space.own[moves.owner])
        steps = np.trunc(moves.steps * keep[:, B : self.n_discrete] * (1 + 1e-9))
        x, points = space.X[np.ix_(moves.owner, self.continuous)], moves.points.copy()
        points[:, self.continuous] = x + keep[:, self.n_discrete :] * (
            points[:, self.continuous] - x
        )
        return space.build(Moves(moves.owner, cats, steps, points))

    # --- Exchanges

    def _exchange(self, owner: Rows) -> Rows:
        """Take one feature back and edit another; return the samples that this has improved."""
        if self.n_discrete == 0:
            return owner[:0]
        n_pairs = self._n_features * len(self.space.edit_feature)
        size = max(1, PAIRS // n_pairs)
        improved = [
            self._exchange_some(owner[first : first + size]) for first in range(0, len(owner), size)
        ]
        return np.concatenate([owner[:0], *improved])

    def _exchange_some(self, owner: Rows) -> Rows:
        space, best = self.space, self.best
        before = best.cost[owner].copy()
        moves = best.moves[owner]
        row, feature = np.nonzero(self._costs(moves) > 0)
        back = self._shorter(
            moves[row], feature[:, None] == np.arange(self._n_features), np.zeros(len(row))
        )
        row, edit = np.nonzero(space.allowed(back) & (space.edit_feature != feature[:, None]))
        edited = space.edited(back[row], edit)
        cost = space.join(space.discrete(edited), space.moved(edited))
        cheap = np.flatnonzero((cost < best.cost[edited.owner]) & (cost > 0))
        cheap = cheap[np.argsort(cost[cheap], kind="stable")]
        turn = rank(edited.owner[cheap])
        cheap, turn = (a[turn < self.left[edited.owner[cheap]]] for a in (cheap, turn))
        for page in range(int(turn.max(initial=-1)) // PAGE + 1):
            now = cheap[turn // PAGE == page]
            # Until something is found; what is left of the budget is for going on from there.
            now = now[cost[now] < best.cost[edited.owner[now]]]
            self._ask(space.build(edited[now]))
        return owner[best.cost[owner] < before]
