"""Edits that are likely to lower the cost of rows, judged by margins and gradients.

The margin of an edited row is asked for. What the numeric move that is then left would cost is
estimated: by the gradient where there is one, and otherwise by how far the row is from flipped.
"""

from __future__ import annotations

import numpy as np

from robfair.distance._arrays import Array, Flags, Indices, rank
from robfair.distance.tabular._best import BestRows
from robfair.distance.tabular._oracle import TableOracle
from robfair.distance.tabular._space import TableRows, TableSpace

# Edits that are paired, of those that cost less and of those that flip more; 5 and 20 give the same
# distances in bench_table_constants.py.
PARTNERS = 10
MEMORY = 2**22  # numbers in the largest array of neighbouring rows


class EditSearch:
    """Choose edits of rows; those that cannot beat the best rows are not considered."""

    def __init__(self, oracle: TableOracle, best: BestRows) -> None:
        self.oracle, self.space, self.best = oracle, oracle.space, best

    def neighbours(self, rows: TableRows, features: Flags) -> tuple[Array, Array]:
        """Compute the margin and the discrete cost of each row after each edit: (m, n_edits).

        They are inf where an edit is not allowed, where `features` of shape (m, n_discrete) leaves
        it out, and where it cannot lead to a row that is cheaper than the best.
        """
        space = self.space
        n_edits = len(space.edit_feature)
        wanted = space.allowed_edits(rows) & features[:, space.edit_feature]
        margin, discrete = np.full(wanted.shape, np.inf), np.full(wanted.shape, np.inf)
        size = max(1, MEMORY // (n_edits * space.X.shape[1]))
        for first in range(0, len(rows), size):
            i, edits = np.nonzero(wanted[first : first + size])
            i += first
            edited = space.apply_edits(rows[i], edits)
            cost = space.discrete_cost(edited)
            cheap = cost < self.best.cost[edited.sample]
            i, edits, edited = i[cheap], edits[cheap], edited[cheap]
            discrete[i, edits] = cost[cheap]
            margin[i, edits] = self.oracle.margin(space.build(edited))
        return margin, discrete

    def promising(self, rows: TableRows, scale: Array, n: int) -> TableRows:
        """Choose the edits, alone and in pairs, that are expected to lower the cost of rows most.

        Return at most n edited rows for each of the flipped rows; their points are out of date.
        `scale` holds the margins of their samples.
        """
        space, index = self.space, np.arange(len(rows))[:, None]
        (gradient,) = self.oracle.gradients(rows, 1)
        steep = space.steepness(gradient, space.continuous)[:, None]
        here = self.oracle.margin(rows)
        margin, discrete = self.neighbours(rows, np.ones((len(rows), space.n_discrete), dtype=bool))
        single = self._estimate(rows, margin, discrete, steep, scale)
        # Without a gradient only margins are known, and a positive one says nothing of the cost.
        single[(steep == 0) & (margin >= 0)] = np.inf

        # Pairs of one that costs less and one that flips more, by the sum of what each does.
        cheaper = discrete < space.discrete_cost(rows)[:, None]
        i = np.argsort(np.where(cheaper, margin, np.inf), axis=1, kind="stable")[:, :PARTNERS]
        j = np.argsort(margin, axis=1, kind="stable")[:, :PARTNERS]
        i, j = np.repeat(i, j.shape[1], axis=1), np.tile(j, i.shape[1])
        both = margin[index, i] + margin[index, j] - here[:, None]
        both[(space.edit_feature[i] == space.edit_feature[j]) | ~cheaper[index, i]] = np.inf
        pairs = _pairs(space, rows, i, j)
        discrete = space.discrete_cost(pairs).reshape(i.shape)
        pair = self._estimate(rows, both, discrete, steep, scale)

        estimate = np.concatenate([single, pair], axis=1)
        estimate[estimate >= self.best.cost[rows.sample][:, None]] = np.inf
        order = np.argsort(estimate, axis=1, kind="stable")[:, :n]
        row, place = np.nonzero(np.isfinite(estimate[index, order]))
        edit = order[row, place]
        alone = edit < single.shape[1]
        return TableRows.join(
            [
                space.apply_edits(rows[row[alone]], edit[alone]),
                pairs[row[~alone] * i.shape[1] + edit[~alone] - single.shape[1]],
            ]
        )

    def _estimate(
        self, rows: TableRows, margin: Array, discrete: Array, steep: Array, scale: Array
    ) -> Array:
        """Estimate costs of edited rows, whose margins are those without a further numeric move."""
        moved = self.space.move_cost(rows, self.space.continuous)[:, None]
        left = margin / np.where(steep > 0, steep, 1)
        sloped = self.space.combine(discrete, (moved + left).clip(min=0))
        # Without a gradient: the further from flipped, the less of the saving is to be believed.
        cost, scale = self.best.cost[rows.sample][:, None], scale[:, None]
        known = np.isfinite(margin) & np.isfinite(discrete)
        beyond, lowest = (np.where(known, values, 0) for values in (margin.clip(min=0), discrete))
        flat = lowest + (cost - lowest) * beyond / (beyond + scale)
        return np.where(known, np.where(steep > 0, sloped, flat), np.inf)


def _pairs(space: TableSpace, rows: TableRows, i: Indices, j: Indices) -> TableRows:
    """Apply two edits to each row, of shape (m, n_pairs) each."""
    repeated = rows[np.repeat(np.arange(len(rows)), i.shape[1])]
    return space.apply_edits(space.apply_edits(repeated, i.ravel()), j.ravel())


def least(samples: Indices, value: Array, k: int) -> Indices:
    """Find the `k` rows of least value of each sample."""
    order = np.lexsort((value, samples))
    return order[rank(samples[order]) < k]


def distinct(rows: TableRows) -> Indices:
    """Find the first of all rows with the same categories and steps."""
    # Points are left out: they follow from the keys, or are out of date.
    keys = np.concatenate([rows.sample[:, None], rows.categories, rows.steps], axis=1)
    _, first = np.unique(keys, axis=0, return_index=True)
    return np.sort(first)
