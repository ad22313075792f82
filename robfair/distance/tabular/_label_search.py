"""The search of rows of a table by labels alone.

It starts from other samples that the model labels differently, with the immutable features of the
sample, and returns what the flip does not need to the sample's own values: all features together,
whole features, parts of them. It goes on with exchanges: one feature is returned, and an edit of
another makes up for it, cheapest first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.distance._arrays import Array, Flags, Indices, rank
from robfair.distance.tabular._best import BestRows, CheapestChanges
from robfair.distance.tabular._space import TableRows, TableSpace

# Halved or doubled, none of the next changes a distance in bench_constants; BEAM and HALVINGS
# change the passes by 1 to 3 %.
NEAREST = 100  # of them that are tried, ...
AT_ONCE = 20  # ... so many before others are
BEAM = 3  # starts that are followed
HALVINGS = 11  # of a move: to less than a thousandth of it
BATCH = 50  # exchanges of a sample that are tried before their results are looked at
LISTED = 0.3  # share of the budget for the cheapest changes
EXCHANGES = 2**18  # in memory
MEMORY = 2**24  # numbers in the largest array of distances


class LabelSearch:
    """The search of some samples together, which offers what flips to `best`.

    `flips` tells for rows whether the model labels each differently from its sample; at most
    `budget` rows of each sample are asked about.
    """

    def __init__(
        self, space: TableSpace, best: BestRows, flips: Callable[[TableRows], Flags], budget: int
    ) -> None:
        self.space, self.best, self.flips = space, best, flips
        self.cheapest = CheapestChanges(space, int(LISTED * budget))
        self.left = np.full(len(space.X), budget)
        self.continuous = np.flatnonzero(space.continuous)
        self.n_features = space.n_discrete + len(self.continuous)

    def run(
        self,
        samples: Indices,
        labels: NDArray[Any],
        others: NDArray[Any],
        other_labels: NDArray[Any],
    ) -> None:
        """Search some samples, starting from other rows.

        `labels` are those of all samples, `other_labels` those of the other rows.
        """
        size = max(1, MEMORY // max(1, len(others)))
        for first in range(0, len(samples), size):
            part = samples[first : first + size]
            self._start(part, others, labels[part][:, None] != other_labels)
        self.cheapest.try_on(samples, self.best, self._ask)
        while len(samples):
            samples = self.best.known(samples)
            self._reduce(self.best.rows[samples])
            samples = self._exchange(samples)

    def shorten(self, samples: Indices, budget: int) -> None:
        """Reduce the best rows of samples to what the flip needs, within a budget of its own."""
        samples = self.best.known(samples)
        self.left[samples] = budget
        self._reduce(self.best.rows[samples])

    def _ask(self, rows: TableRows) -> Flags:
        """Predict rows, offer them, and tell which flip; rows beyond the budget count as not."""
        asked = np.flatnonzero(rank(rows.sample) < self.left[rows.sample])
        flipped = np.zeros(len(rows), dtype=bool)
        if len(asked):
            rows = rows[asked]
            self.left -= np.bincount(rows.sample, minlength=len(self.left))
            flipped[asked] = self.flips(rows)
            self.best.offer(rows, flipped[asked])
        return flipped

    # --- Starts

    def _start(self, samples: Indices, others: NDArray[Any], differ: Flags) -> None:
        """Reduce the nearest of the other rows that flip a sample."""
        space = self.space
        held = [block.match(others) for block in space.blocks]
        categories = np.array(held, dtype=np.intp).reshape(len(held), len(others)).T
        distance = np.where(differ, self._distances(samples, others, categories), np.inf)
        nearest = np.argsort(distance, axis=1, kind="stable")[:, :NEAREST]
        usable = np.isfinite(np.take_along_axis(distance, nearest, axis=1))
        for first in range(0, nearest.shape[1], AT_ONCE):
            usable &= np.isinf(self.best.cost[samples])[:, None]
            row, place = np.nonzero(usable[:, first : first + AT_ONCE])
            sample, other = samples[row], nearest[row, first + place]
            delta = others[np.ix_(other, space.integers)].astype(np.float64)
            delta -= space.X[np.ix_(sample, space.integers)]
            steps = np.nan_to_num(np.round(delta / space.spacing))  # a gap gives no direction
            steps = steps.clip(space.least_steps[sample], space.most_steps[sample])
            points = np.clip(others[other], space.low, space.high).astype(space.X.dtype)
            rows = space.build(TableRows(sample, categories[other], steps, points))
            rows = rows[self._ask(rows)]
            rows = rows[np.argsort(space.cost(rows), kind="stable")]
            place = rank(rows.sample)
            for number in range(BEAM):
                self._reduce(rows[place == number])

    def _distances(self, samples: Indices, others: NDArray[Any], categories: Indices) -> Array:
        """Cost for each sample to become each of the other rows, as far as it can."""
        space, total = self.space, np.zeros((len(samples), len(others)))
        for j in np.flatnonzero(space.numeric):
            apart = space.X[samples, j].astype(np.float64)[:, None] - others[:, j]
            total = space.combine(total, np.nan_to_num(np.abs(apart)) / space.unit[j])
        for b in range(space.n_blocks):
            switched = space.own_categories[samples, b][:, None] != categories[:, b]
            total = space.combine(total, space.category_cost * switched)
        return total

    # --- Back to the sample

    def _reduce(self, rows: TableRows) -> None:
        """Return what the flip does not need: all together, then the most costly feature first."""
        rows = self._bisect(rows, np.ones((len(rows), self.n_features), dtype=bool))
        order = np.argsort(-self._costs(rows), axis=1, kind="stable")
        for feature in order.T:
            rows = self._bisect(rows, feature[:, None] == np.arange(self.n_features))

    def _bisect(self, rows: TableRows, features: Flags) -> TableRows:
        """Shorten the moves of some features as far as rows stay flipped: wholly, or in part."""
        outer, cost = rows, self.space.cost(rows)
        inner = self.space.unperturbed(rows.sample)
        low, high = np.zeros(len(rows)), np.ones(len(rows))
        for halving in range(1 + HALVINGS):
            share = (low + high) / 2 if halving else low
            tried = self._shorter(rows, features, share)
            # Rows that coincide with one whose label is known are not asked about again.
            flipped = _same(tried.points, outer.points)
            known = flipped | _same(tried.points, inner.points)
            tried_cost = self.space.cost(tried)
            unknown = np.flatnonzero(~known & (tried_cost < cost))
            flipped[unknown] = self._ask(tried[unknown])
            low, high = np.where(flipped, low, share), np.where(flipped, share, high)
            cost = np.where(flipped, tried_cost, cost)
            outer, inner = tried.where(flipped, outer), tried.where(~flipped, inner)
        return outer

    def _costs(self, rows: TableRows) -> Array:
        """Cost of each feature, of shape (m, n_features): blocks, integers, continuous ones."""
        space, on = self.space, self.continuous
        # In float64, or the differences of float32 rows would lose digits.
        delta = rows.points[:, on].astype(np.float64) - space.X[np.ix_(rows.sample, on)]
        delta = np.nan_to_num(delta)
        changed = space.category_cost * (rows.categories != space.own_categories[rows.sample])
        stepped = np.abs(rows.steps) * space.step_cost
        return np.concatenate([changed, stepped, np.abs(delta) / space.unit[on]], axis=1)

    def _shorter(self, rows: TableRows, features: Flags, share: Array) -> TableRows:
        """Scale some moves by a share; in L-inf clip them, where only the greatest counts."""
        space, n_blocks = self.space, self.space.n_blocks
        cost = self._costs(rows) * features
        keep = np.broadcast_to(share[:, None], cost.shape)
        if space.norm != 2:
            level = keep * cost.max(axis=1, keepdims=True, initial=0)
            keep = np.minimum(1, level / np.where(cost > 0, cost, 1))
        keep = np.where(features & (cost > 0), keep, 1)
        # A category is kept or not; whole steps are cut, except for what rounding has left.
        kept = keep[:, :n_blocks] > 0 if space.norm == 2 else keep[:, :n_blocks] >= 1
        categories = np.where(kept, rows.categories, space.own_categories[rows.sample])
        steps = np.trunc(rows.steps * keep[:, n_blocks : space.n_discrete] * (1 + 1e-9))
        x, points = space.X[np.ix_(rows.sample, self.continuous)], rows.points.copy()
        points[:, self.continuous] = x + keep[:, space.n_discrete :] * (
            points[:, self.continuous] - x
        )
        return space.build(TableRows(rows.sample, categories, steps, points))

    # --- Exchanges

    def _exchange(self, samples: Indices) -> Indices:
        """Return one feature and edit another; return the samples that this improves."""
        if self.space.n_discrete == 0:
            return samples[:0]
        size = max(1, EXCHANGES // (self.n_features * len(self.space.edit_feature)))
        parts = (samples[first : first + size] for first in range(0, len(samples), size))
        return np.concatenate([samples[:0], *map(self._exchange_some, parts)])

    def _exchange_some(self, samples: Indices) -> Indices:
        """Exchange features of a few samples, whose edits fit in memory together."""
        space, best = self.space, self.best
        before = best.cost[samples].copy()
        rows = best.rows[samples]
        row, feature = np.nonzero(self._costs(rows) > 0)
        back = self._shorter(
            rows[row], feature[:, None] == np.arange(self.n_features), np.zeros(len(row))
        )
        row, edit = np.nonzero(space.allowed_edits(back) & (space.edit_feature != feature[:, None]))
        edited = space.apply_edits(back[row], edit)
        cost = space.cost(edited)
        cheap = np.flatnonzero((cost < best.cost[edited.sample]) & (cost > 0))
        cheap = cheap[np.argsort(cost[cheap], kind="stable")]
        turn = rank(edited.sample[cheap])
        cheap, turn = (a[turn < self.left[edited.sample[cheap]]] for a in (cheap, turn))
        for batch in range(int(turn.max(initial=-1)) // BATCH + 1):
            now = cheap[turn // BATCH == batch]
            # Once one of them flips, what is left of the budget is for going on from there.
            now = now[cost[now] < best.cost[edited.sample[now]]]
            self._ask(space.build(edited[now]))
        return samples[best.cost[samples] < before]


def _same(points: NDArray[Any], others: NDArray[Any]) -> Flags:
    """Tell which points are equal, gaps included."""
    return np.asarray(((points == others) | np.isnan(points)).all(axis=1))
