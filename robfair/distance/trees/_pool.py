"""The part of an ensemble within a radius of each row.

All rows walk down all trees together. A step adds one condition and drops what is farther than the
radius. Trees of which one leaf is left are a constant, and so are conditions that hold in the whole
ball. What remains is a small part of the ensemble: about 250 pairs of a row and a leaf, of 6,000
leaves for 200 trees on Adult. A pair is met where all of its conditions are. The pairs of a row
share these, so that whether they hold is found once for each *term*, a row and a condition, and
added up over the *entries*, a pair and a term, of which there are 5 (boosting) to 40 times as many.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robfair.distance._arrays import Array, Flags, Indices, adder, first_of_each, ranges
from robfair.distance.trees._costs import RowCosts

__all__ = ["Objective", "Pool", "Terms", "TooManyPairs"]

SLACK = 1e-12  # relative, for the rounding of sums of squares
MOST_PAIRS = 2**22  # of rows and nodes that are walked to together; bounds the memory


class TooManyPairs(MemoryError):
    """The rows reach more leaves together than there should be in memory."""


@dataclass(frozen=True)
class Objective:
    """The margin that flips a row: the score of a target class less that of its own."""

    value: Array  # of leaves, (n_nodes, n_scores)
    sums_scores: Flags  # (n_trees, n_scores)
    plus: Indices  # (n_rows,): column of `value` that speaks for the target
    minus: Indices | None  # column that speaks for the own class; None: there is one score
    sign: Array  # (n_rows,), -1 where one score speaks against the target
    base: Array  # (n_rows,)

    def of(self, row: Indices, leaf: Indices) -> Array:
        """Return what leaves add to the margin of rows."""
        value = self.value[leaf, self.plus[row]] * self.sign[row]
        if self.minus is not None:
            value = value - self.value[leaf, self.minus[row]]
        return value

    def trees(self) -> Flags:
        """Tell which trees say anything about each row, of shape (n_rows, n_trees)."""
        used = self.sums_scores[:, self.plus]
        if self.minus is not None:
            used = used | self.sums_scores[:, self.minus]
        return used.T

    def __getitem__(self, rows: Indices) -> Objective:
        minus = None if self.minus is None else self.minus[rows]
        plus, sign, base = self.plus[rows], self.sign[rows], self.base[rows]
        return Objective(self.value, self.sums_scores, plus, minus, sign, base)


@dataclass(frozen=True)
class Terms:
    """The distinct conditions of the pairs of each row, ordered by row."""

    row: Indices
    condition: Indices
    group: Indices
    place: Indices  # in arrays of shape (n_rows, n_groups)
    in_set: Flags | None  # None where no condition is a set

    def __len__(self) -> int:
        return len(self.row)


class Pool:
    """The pairs, terms and entries of some rows of a cost table.

    Margins are positive where a row is flipped. `upper` bounds them in the whole ball.
    """

    def __init__(
        self, costs: RowCosts, rows: Indices, radius: Array, objective: Objective, is_l2: bool
    ) -> None:
        compiled = costs.compiled
        self.compiled, self.is_l2, self.radius = compiled, is_l2, radius
        self.objective = objective
        self.costs, self.rows = costs, rows  # the row of the table for each row here
        self.own = costs.own[rows]
        self.has_sets = bool(compiled.layout.is_set.any())
        row, leaf = self._reach(objective)
        value = objective.of(row, leaf)
        n_trees = len(compiled.roots)
        key = row * n_trees + compiled.tree[leaf]
        start = first_of_each(key)
        size = np.diff(np.append(start, len(key)))
        least = np.minimum.reduceat(value, start) if len(start) else value
        most = np.maximum.reduceat(value, start) if len(start) else value
        constant = (size == 1) | (least == most)
        at = start[constant]
        self.base = objective.base + np.bincount(row[at], value[at], len(rows))
        left = ~constant
        self.upper = self.base + np.bincount(row[start[left]], most[left], len(rows))
        kept = np.repeat(left, size)
        self._set_pairs(row[kept], value[kept], key[kept])
        self._find_entries(leaf[kept])

    def __len__(self) -> int:
        return len(self.rows)

    def _reach(self, objective: Objective) -> tuple[Indices, Indices]:
        """Return the pairs of rows and leaves within the radius, ordered by row and tree."""
        compiled = self.compiled
        cost = self.costs.of_condition
        n_conditions = cost.shape[1]
        flat = cost.ravel()
        limit = (self.radius**2 if self.is_l2 else self.radius) * (1 + SLACK)
        row, tree = np.nonzero(objective.trees())
        node = compiled.roots[tree]
        size = np.zeros(len(row))
        found = []
        while len(row):
            leaf = compiled.left[node] < 0
            found.append((row[leaf], node[leaf]))
            row, node, size = row[~leaf], node[~leaf], size[~leaf]
            child = np.concatenate([compiled.left[node], compiled.right[node]])
            row, size = np.tile(row, 2), np.tile(size, 2)
            at = self.rows[row] * n_conditions
            new = flat[at + compiled.entered_by[child]]
            if self.is_l2:
                new = np.minimum(new, 1e150)  # inf - inf would be NaN
                old = np.minimum(flat[at + compiled.replaces[child]], 1e150)
                size = size + (new - old) * (new + old)
            else:
                size = np.maximum(size, new)
            near = size <= limit[row]
            row, node, size = row[near], child[near], size[near]
            if len(row) > MOST_PAIRS and len(self.rows) > 1:
                raise TooManyPairs
        if not found:
            return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
        row, node = (np.concatenate(part) for part in zip(*found, strict=True))
        n_nodes = len(compiled.left)
        key = np.sort(row * n_nodes + node)
        row = key // n_nodes
        return row, key - row * n_nodes

    def _set_pairs(self, row: Indices, value: Array, key: Indices) -> None:
        self.row, self.value = row, value
        self.start = first_of_each(key)  # of the pairs of one row and tree
        self.tree_row = row[self.start]
        self.tree_of = np.repeat(
            np.arange(len(self.start)), np.diff(np.append(self.start, len(row)))
        )

    def _find_entries(self, leaf: Indices) -> None:
        """Find the conditions of each pair that do not hold in the whole ball."""
        compiled = self.compiled
        layout, conditions = compiled.layout, compiled.conditions
        first, last = (np.zeros((len(self), len(layout.start)), dtype=np.intp) for _ in range(2))
        # A little wider than the walk, so that no pair is left without an entry.
        inside = self.costs.of_bin[self.rows] <= self.radius[:, None] * (1 + 1e3 * SLACK)
        for g, (start, n) in enumerate(zip(layout.start, layout.n_bins, strict=True)):
            part = inside[:, start : start + n]
            first[:, g] = part.argmax(axis=1)
            last[:, g] = n - 1 - part[:, ::-1].argmax(axis=1)
        missing = self.own == layout.n_bins
        last[missing], first[missing] = -1, 0  # what is missing stays so: no entry can fail
        pair = np.repeat(np.arange(len(leaf)), compiled.n_leaf[leaf])
        condition = compiled.leaf_condition[
            ranges(compiled.leaf_start[leaf], compiled.n_leaf[leaf])
        ]
        group = conditions.group[condition]
        at = self.row[pair] * len(layout.start) + group
        low, high = first.ravel()[at], last.ravel()[at]
        may_fail = (conditions.first[condition] > low) | (conditions.last[condition] < high)
        if self.has_sets:
            k = np.flatnonzero(layout.is_set[group])
            met = conditions.n_met(condition[k], low[k], high[k])
            may_fail[k] = met < high[k] - low[k] + 1
        may_fail &= high >= low
        pair, condition = pair[may_fail], condition[may_fail]
        # A table of flags finds the distinct ones faster than a sort.
        asked = np.zeros((len(self), len(conditions.group)), dtype=bool)
        asked[self.row[pair], condition] = True
        number = np.cumsum(asked, dtype=np.int32) - 1
        self._set_terms(*np.nonzero(asked))
        self._set_entries(pair, number[self.row[pair] * asked.shape[1] + condition])

    def _set_terms(self, row: Indices, condition: Indices) -> None:
        layout = self.compiled.layout
        group = self.compiled.conditions.group[condition]
        in_set = layout.is_set[group] if self.has_sets else None
        self.terms = Terms(row, condition, group, row * len(layout.start) + group, in_set)

    def _set_entries(self, pair: Indices, term: NDArray[np.int32]) -> None:
        self.pair, self.term = pair, term
        self.entry_start = first_of_each(pair)  # every pair has an entry

    def shrunk(self, rows: Indices, radius: Array) -> Pool:
        """Return the pool of some of the rows in smaller balls."""
        return Pool(self.costs, self.rows[rows], radius, self.objective[rows], self.is_l2)

    def part(self, kept: Flags) -> Pool:
        """Return the pool of some of the rows."""
        if kept.all():
            return self
        part = object.__new__(Pool)
        part.compiled, part.is_l2, part.costs = self.compiled, self.is_l2, self.costs
        part.has_sets, part.objective = self.has_sets, self.objective[np.flatnonzero(kept)]
        for name in ("rows", "radius", "own", "base", "upper"):
            setattr(part, name, getattr(self, name)[kept])
        number = np.cumsum(kept) - 1
        pairs, terms = kept[self.row], kept[self.terms.row]
        part._set_pairs(number[self.row[pairs]], self.value[pairs], self.tree_of[pairs])
        part._set_terms(number[self.terms.row[terms]], self.terms.condition[terms])
        entries = pairs[self.pair]
        part._set_entries(
            (np.cumsum(pairs) - 1)[self.pair[entries]],
            (np.cumsum(terms, dtype=np.int32) - 1)[self.term[entries]],
        )
        return part

    def margins(self, bins: Indices, moves: Indices) -> tuple[Array, Array]:
        """Return the margin of points, and that after moves of one group to a bin.

        The points are bins of shape (n, n_groups); moves are places in arrays of shape (n, width).
        A leaf that misses by one condition adds its gain to the bins that meet it.
        """
        width, terms = self.compiled.layout.width, self.terms
        if not len(self.pair):
            return self.base, self.base[moves // width]
        conditions, layout = self.compiled.conditions, self.compiled.layout
        fails = ~conditions.met(terms.condition, bins.ravel()[terms.place], terms.in_set)
        pairs = adder(self.term, self.entry_start, len(terms))
        n_failed = pairs @ fails.astype(np.float64)
        holds = n_failed == 0
        current = np.zeros(len(self.start))
        current[self.tree_of[holds]] = self.value[holds]
        margin = self.base + np.bincount(self.tree_row, current, len(self))
        near = np.flatnonzero(n_failed == 1)
        gain = self.value[near] - current[self.tree_of[near]]
        # The number of the one term that fails is the sum of the numbers of those that do.
        term = (pairs @ np.where(fails, np.arange(len(terms)), 0.0))[near].astype(np.intp)
        gain_of = np.bincount(term, gain, len(terms))
        term = np.flatnonzero(gain_of)
        condition = terms.condition[term]
        n_runs = conditions.n_runs[condition]
        run = ranges(conditions.run_start[condition], n_runs)
        at = np.repeat(terms.row[term] * width + layout.start[terms.group[term]], n_runs)
        gain = np.repeat(gain_of[term], n_runs)
        ends = np.concatenate([at + conditions.run_first[run], at + conditions.run_last[run] + 1])
        change = np.bincount(ends, np.concatenate([gain, -gain]), len(self) * width)
        change = change.reshape(-1, width).cumsum(axis=1).ravel()
        return margin, change[moves] + margin[moves // width]
