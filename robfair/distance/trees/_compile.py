"""An ensemble as leaves with conditions: the bins in which each group has to be.

A leaf asks of each group on its path to be in an interval of bins, or for categories in a set. Most
leaves share these conditions, so that each distinct one is kept, and costed, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.adapters.trees import Ensemble
from robfair.distance._arrays import Array, Flags, Indices, ranges, starts_of
from robfair.distance.trees._groups import Group, NumberGroup, left_of

__all__ = ["Compiled", "Conditions", "Layout", "compile_ensemble"]


@dataclass(frozen=True)
class Layout:
    """The bins of all groups, one group after the other."""

    n_bins: Indices  # of each group; the bin of missing values comes after these
    start: Indices  # the first bin of each group
    is_set: Flags  # whether the bins of a group are categories
    group: Indices  # of each bin
    bin: Indices  # number of each bin within its group

    @property
    def width(self) -> int:
        """Number of bins of all groups."""
        return len(self.group)


@dataclass(frozen=True)
class Conditions:
    """The distinct conditions; arrays of shape (n_conditions,) unless said otherwise."""

    group: Indices
    first: Indices  # interval of bins, both ends included; for sets the least and greatest bin
    last: Indices
    missing: Flags  # whether missing values meet it
    set: Indices  # row of the tables below; 0 for numbers
    # For sets, by row and bin, of shape (n_sets, most bins + 1):
    count: Indices  # number of members before a bin
    up: Indices  # the first member from a bin on; a great number if there is none
    down: Indices  # the last member up to a bin; -1 if there is none
    # The runs of neighbouring bins that meet each condition:
    run_start: Indices
    n_runs: Indices
    run_first: Indices
    run_last: Indices

    def met(self, condition: Indices, at: Indices, is_set: Flags | None) -> Flags:
        """Tell which conditions are met by bins; `is_set` is None where none is a set."""
        met: Flags = (self.first[condition] <= at) & (at <= self.last[condition])
        if is_set is not None:
            k = np.flatnonzero(is_set & met)
            met[k] = self.up[self.set[condition[k]], at[k]] == at[k]
        return met

    def n_met(self, condition: Indices, first: Indices, last: Indices) -> Indices:
        """Count the bins of intervals that meet conditions on sets."""
        row = self.set[condition]
        counted: Indices = self.count[row, last + 1] - self.count[row, first]
        return counted


@dataclass(frozen=True)
class Compiled:
    """An ensemble as the search walks it."""

    groups: list[Group]
    layout: Layout
    conditions: Conditions
    left: Indices  # -1 at leaves
    right: Indices
    roots: Indices
    tree: Indices  # of each node
    entered_by: Indices  # the condition that a node adds to those of its parent
    replaces: Indices  # the parent's condition on the same group
    n_leaf: Indices  # number of conditions of a leaf
    leaf_start: Indices
    leaf_condition: Indices
    value: Array  # of leaves, (n_nodes, n_scores)
    sums_scores: Flags  # (n_trees, n_scores): whether a tree adds to a score


@dataclass(frozen=True)
class _Level:
    """Nodes of the same depth and the boxes that lead to them."""

    node: Indices
    first: Indices  # (n_nodes, n_groups)
    last: Indices  # for sets: the row of the table of sets
    missing: Flags

    def of(self, at: NDArray[Any]) -> _Level:
        """Return some of the nodes."""
        return _Level(self.node[at], self.first[at], self.last[at], self.missing[at])

    def child(
        self, node: Indices, g: Indices, first: Indices, last: Indices, missing: Flags
    ) -> _Level:
        """Return children whose boxes differ in one group each."""
        at = np.arange(len(node))
        level = _Level(node, self.first.copy(), self.last.copy(), self.missing.copy())
        level.first[at, g], level.last[at, g], level.missing[at, g] = first, last, missing
        return level

    def joined(self, other: _Level) -> _Level:
        """Return these nodes and others."""
        return _Level(
            np.concatenate([self.node, other.node]),
            np.concatenate([self.first, other.first]),
            np.concatenate([self.last, other.last]),
            np.concatenate([self.missing, other.missing]),
        )


def compile_ensemble(ensemble: Ensemble, groups: list[Group], has_missing: bool) -> Compiled:
    """Return the leaves of an ensemble and their conditions.

    Without missing values in the rows it does not matter where these go.
    """
    n_bins = np.array([group.n_bins for group in groups], dtype=np.intp)
    start = starts_of(n_bins + 1)
    width = int((n_bins + 1).sum())
    group_of = np.repeat(np.arange(len(groups)), n_bins + 1)
    is_set = np.array([group.is_set for group in groups], dtype=bool)
    layout = Layout(n_bins, start, is_set, group_of, np.arange(width) - start[group_of])
    walk = _Walk(ensemble, groups, layout, has_missing)
    walk.run()
    return walk.finish()


class _Walk:
    """Walks down all trees together and collects conditions."""

    def __init__(
        self, ensemble: Ensemble, groups: list[Group], layout: Layout, has_missing: bool
    ) -> None:
        self.ensemble, self.groups, self.layout = ensemble, groups, layout
        self.has_missing = has_missing
        self.n_nodes = len(ensemble.feature)
        self.group, self.bin, self.mask = self._read_nodes()
        size = max([1, *layout.n_bins[layout.is_set]])
        # Row 0 is for numbers; then the full set of each group, and what nodes leave of it.
        self.sets = np.zeros((1 + len(groups), size), dtype=bool)
        for g in np.flatnonzero(layout.is_set):
            self.sets[1 + g, : layout.n_bins[g]] = True
        self.full = np.where(layout.is_set, 1 + np.arange(len(groups)), layout.n_bins - 1)
        # Where each condition is used, and the condition: (group, first, last, missing).
        self.found: list[tuple[str, Indices, Indices]] = []

    def _read_nodes(self) -> tuple[Indices, Indices, Flags]:
        """Return the group of each node, the last bin that goes left, and the left categories."""
        ensemble, n = self.ensemble, self.n_nodes
        group, bins = np.zeros(n, dtype=np.intp), np.zeros(n, dtype=np.intp)
        size = max([1, *self.layout.n_bins[self.layout.is_set]])
        mask = np.zeros((n if self.layout.is_set.any() else 1, size), dtype=bool)
        inner = np.flatnonzero(ensemble.feature >= 0)
        for g, of in enumerate(self.groups):
            if isinstance(of, NumberGroup):
                at = inner[ensemble.feature[inner] == of.column]
                group[at] = g
                # In the dtype of points a split may lie between two numbers: it ends the lower bin.
                bins[at] = np.searchsorted(of.low[1:], ensemble.split[at], side="right")
                continue
            for k, j in enumerate(of.columns):
                at = inner[ensemble.feature[inner] == j]
                group[at] = g
                mask[at, : of.n_bins] = left_of(ensemble, at, of.values[:, k])
        return group, bins, mask

    def run(self) -> None:
        """Walk level by level; only the boxes of one level are in memory."""
        ensemble, n_groups = self.ensemble, len(self.groups)
        roots = ensemble.roots
        level = _Level(
            roots,
            np.zeros((len(roots), n_groups), dtype=np.intp),
            np.tile(self.full, (len(roots), 1)),
            np.ones((len(roots), n_groups), dtype=bool),
        )
        while len(level.node):
            leaf = ensemble.feature[level.node] < 0
            self._note_leaves(level.of(leaf))
            level = self._children(level.of(~leaf))

    def _children(self, level: _Level) -> _Level:
        """Return the next level, and note the condition that each node adds."""
        ensemble, node = self.ensemble, level.node
        at = np.arange(len(node))
        g, split = self.group[node], self.bin[node]
        first, last, missing = level.first[at, g], level.last[at, g], level.missing[at, g]
        in_set = self.layout.is_set[g]
        left_last, right_first = np.minimum(last, split), np.maximum(first, split + 1)
        right_last = last.copy()
        right_first[in_set] = 0
        k = np.flatnonzero(in_set)
        if len(k):
            held = self.sets[last[k]]
            mask = self.mask[node[k]]
            left_last[k], right_last[k] = self._intern(held & mask), self._intern(held & ~mask)
        goes_left = ensemble.missing_left[node]
        sides = (
            (ensemble.left[node], first, left_last, missing & goes_left),
            (ensemble.right[node], right_first, right_last, missing & ~goes_left),
        )
        for child, low, high, kept in sides:
            self._note("replaces", child, g, first, last, missing)
            self._note("entered_by", child, g, low, high, kept)
        left, right = (level.child(child, g, *part) for child, *part in sides)
        return left.joined(right)

    def _intern(self, sets: Flags) -> Indices:
        """Return the rows of the table that hold sets, which are added to it."""
        packed = np.packbits(sets, axis=1)
        _, first, inverse = np.unique(packed, axis=0, return_index=True, return_inverse=True)
        row = len(self.sets) + inverse.ravel()
        self.sets = np.concatenate([self.sets, sets[first]])
        return row

    def _note_leaves(self, leaves: _Level) -> None:
        trivial = (leaves.first == 0) & (leaves.last == self.full)
        if self.has_missing:
            trivial &= leaves.missing
        i, g = np.nonzero(~trivial)
        self._note(
            "leaf", leaves.node[i], g, leaves.first[i, g], leaves.last[i, g], leaves.missing[i, g]
        )

    def _note(
        self, use: str, node: Indices, g: Indices, first: Indices, last: Indices, missing: Flags
    ) -> None:
        if not self.has_missing:
            missing = np.ones_like(missing)
        self.found.append((use, node, np.stack([g, first, last, missing.astype(np.intp)])))

    def finish(self) -> Compiled:
        """Give the distinct conditions numbers and put everything together."""
        ensemble = self.ensemble
        packed = np.packbits(self.sets, axis=1)
        _, first, same = np.unique(packed, axis=0, return_index=True, return_inverse=True)
        self.sets, same = self.sets[first], same.ravel()
        parts = np.concatenate([found for _, _, found in self.found], axis=1)
        in_set = self.layout.is_set[parts[0]]
        parts[2] = np.where(in_set, same[np.where(in_set, parts[2], 0)], parts[2])
        shape = (len(self.groups), int(parts[1].max()) + 1, int(parts[2].max()) + 1, 2)
        key = np.ravel_multi_index(tuple(parts), shape)
        distinct, number = np.unique(key, return_inverse=True)
        conditions = self._conditions(*np.unravel_index(distinct, shape))
        ends = np.cumsum([len(node) for _, node, _ in self.found])
        uses: dict[str, list[tuple[Indices, Indices]]] = {}
        for (use, node, _), ids in zip(self.found, np.split(number, ends[:-1]), strict=True):
            uses.setdefault(use, []).append((node, ids))
        at_node = {}
        for use in ("entered_by", "replaces"):
            at_node[use] = np.zeros(self.n_nodes, dtype=np.intp)
            for node, ids in uses.get(use, ()):
                at_node[use][node] = ids
        node, ids = (np.concatenate(part) for part in zip(*uses["leaf"], strict=True))
        order = np.argsort(node, kind="stable")
        n_leaf = np.bincount(node, minlength=self.n_nodes)
        sizes = np.diff(np.append(ensemble.roots, self.n_nodes))
        tree = np.repeat(np.arange(len(ensemble.roots)), sizes)
        sums = np.zeros((len(ensemble.roots), ensemble.value.shape[1]), dtype=bool)
        where = np.nonzero(ensemble.value)
        sums[tree[where[0]], where[1]] = True
        return Compiled(
            self.groups,
            self.layout,
            conditions,
            ensemble.left,
            ensemble.right,
            ensemble.roots,
            tree,
            **at_node,
            n_leaf=n_leaf,
            leaf_start=starts_of(n_leaf),
            leaf_condition=ids[order],
            value=ensemble.value,
            sums_scores=sums,
        )

    def _conditions(
        self, group: Indices, first: Indices, last: Indices, missing: Indices
    ) -> Conditions:
        """Return distinct conditions, given as the walk has them, with their tables of sets."""
        n_sets, size = self.sets.shape
        bins = np.arange(size)
        count = np.zeros((n_sets, size + 1), dtype=np.intp)
        np.cumsum(self.sets, axis=1, out=count[:, 1:])
        none = np.iinfo(np.int32).max
        up = np.full((n_sets, size + 1), none, dtype=np.intp)
        up[:, :-1] = np.minimum.accumulate(np.where(self.sets, bins, none)[:, ::-1], 1)[:, ::-1]
        down = np.full((n_sets, size + 1), -1, dtype=np.intp)
        down[:, :-1] = np.maximum.accumulate(np.where(self.sets, bins, -1), 1)
        in_set = self.layout.is_set[group]
        row = np.where(in_set, last, 0)
        # Runs of members of each set begin where the bin before is none.
        padded = np.pad(self.sets, ((0, 0), (1, 1)))
        begins, ends = (
            np.nonzero(padded[:, 1:-1] & ~padded[:, :-2]),
            np.nonzero(padded[:, 1:-1] & ~padded[:, 2:]),
        )
        set_runs = np.bincount(begins[0], minlength=n_sets)
        n_runs = np.where(in_set, set_runs[row], 1)
        run_start = starts_of(n_runs)
        run_first, run_last = (np.repeat(ends_, n_runs) for ends_ in (first, last))
        from_set = np.repeat(in_set, n_runs)
        at = ranges(starts_of(set_runs)[row[in_set]], n_runs[in_set])
        run_first[from_set], run_last[from_set] = begins[1][at], ends[1][at]
        first = np.where(in_set, up[row, 0], first)  # none for the empty set: met by no bin
        last = np.where(in_set, down[row, size - 1], last)
        return Conditions(
            group, first, last, missing.astype(bool), row, count, up, down,
            run_start, n_runs, run_first, run_last,
        )  # fmt: skip
