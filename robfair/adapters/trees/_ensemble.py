"""A sum of trees as arrays: what all readers return and all searches take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ensemble", "Tree", "UnreadableTrees", "assemble"]

Floats = NDArray[np.float64]
Integers = NDArray[np.intp]
Flags = NDArray[np.bool_]

PAIRS = 2**20  # of rows and trees that are looked at together; bounds the memory


class UnreadableTrees(ValueError):
    """Raised for a model whose trees cannot be read; the message is a clause that says why."""


@dataclass(frozen=True)
class Ensemble:
    """A sum of trees as arrays.

    A row goes left at a node where ``x[feature] <= split``, in float64. The nodes of all trees lie
    in one table; n_scores is 1 for two classes, and else the number of classes.

    Attributes
    ----------
    classes : ndarray of shape (n_classes,)
        The labels, as the model's ``predict`` gives them.
    n_features : int
        The number of columns of what the model is given.
    base : ndarray of shape (n_scores,)
        What the leaves are added to.
    roots : ndarray of shape (n_trees,)
        The first node of each tree.
    feature : ndarray of shape (n_nodes,)
        The column that a node looks at; -1 at leaves.
    split : ndarray of shape (n_nodes,)
        The greatest number that goes left. Casts to float32, ``<`` and the like are resolved.
    left, right : ndarray of shape (n_nodes,)
        The next nodes; -1 at leaves.
    missing_left : ndarray of bool, of shape (n_nodes,)
        Whether NaN goes left.
    left_set : ndarray of shape (n_nodes,)
        The row of `left_sets` of a node that compares codes of categories; -1 at other nodes.
    left_sets : ndarray of bool, of shape (n_sets, n_codes)
        Which codes, ``int(x)``, go left.
    unseen_left : ndarray of bool, of shape (n_nodes,)
        Whether codes that `left_sets` has no column for go left.
    value : ndarray of shape (n_nodes, n_scores)
        The values of leaves; 0 at other nodes.
    ties_to : int
        The class of a score of 0, where there are two classes. With more of them the first of the
        greatest scores counts.
    rounding : float
        How far at most the scores, in float64, are from the model's own.
    """

    classes: NDArray[Any]
    n_features: int
    base: Floats
    roots: Integers
    feature: Integers
    split: Floats
    left: Integers
    right: Integers
    missing_left: Flags
    left_set: Integers
    left_sets: Flags
    unseen_left: Flags
    value: Floats
    ties_to: int
    rounding: float

    def leaves(self, X: NDArray[Any]) -> Integers:
        """Return the leaf of each row of `X` in each tree, of shape (n_samples, n_trees)."""
        X = np.asarray(X, dtype=np.float64)
        leaves = np.tile(self.roots, (len(X), 1))
        node = leaves.ravel()
        walking = np.flatnonzero(self.feature[node] >= 0)
        while len(walking):
            at = node[walking]
            left = self._goes_left(at, X[walking // len(self.roots), self.feature[at]])
            node[walking] = np.where(left, self.left[at], self.right[at])
            walking = walking[self.feature[node[walking]] >= 0]
        return leaves

    def scores(self, X: NDArray[Any]) -> Floats:
        """Return the scores of the rows of `X`, of shape (n_samples, n_scores)."""
        X = np.asarray(X, dtype=np.float64)
        scores = np.tile(self.base, (len(X), 1))
        size = max(1, PAIRS // max(1, len(self.roots)))
        for start in range(0, len(X), size):
            part = slice(start, start + size)
            for leaf in self.leaves(X[part]).T:  # tree by tree, as models add them
                scores[part] += self.value[leaf]
        return scores

    def predict(self, X: NDArray[Any]) -> NDArray[Any]:
        """Return the label of each row of `X`."""
        labels: NDArray[Any] = self.classes[self._codes(self.scores(X))]
        return labels

    def differs(self, X: NDArray[Any], labels: NDArray[Any]) -> Flags:
        """Flag the rows of `X` to which a model that rounds as it may gives other labels.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows.
        labels : ndarray of shape (n_samples,)
            What the model predicts.

        Returns
        -------
        ndarray of bool, of shape (n_samples,)
            True where another label is ahead by more than the rounding.
        """
        scores = self.scores(X)
        differs: Flags = self.classes[self._codes(scores)] != labels
        if self.rounding and differs.any():
            order = np.sort(scores, axis=1)
            gap = np.abs(order[:, 0]) if scores.shape[1] == 1 else order[:, -1] - order[:, -2]
            slack = self.rounding * (1 if scores.shape[1] == 1 else 2)
            differs &= (gap > slack) | ~np.isin(labels, self.classes)
        return differs

    def _codes(self, scores: Floats) -> Integers:
        if scores.shape[1] > 1:
            greatest: Integers = scores.argmax(axis=1)
            return greatest
        first = scores[:, 0] >= 0 if self.ties_to == 1 else scores[:, 0] > 0
        return first.astype(np.intp)

    def _goes_left(self, at: Integers, x: Floats) -> Flags:
        left = x <= self.split[at]
        if len(self.left_sets):
            coded = np.flatnonzero(self.left_set[at] >= 0)
            left[coded] = self._is_in_set(at[coded], x[coded])
        missing = np.isnan(x)
        left[missing] = self.missing_left[at[missing]]
        return left

    def _is_in_set(self, at: Integers, x: Floats) -> Flags:
        n_codes = self.left_sets.shape[1]
        seen = (x > -1) & (x < n_codes)  # int() rounds towards zero; NaN is not seen
        code = np.where(seen, x, 0).astype(np.intp)
        return np.where(seen, self.left_sets[self.left_set[at], code], self.unseen_left[at])


@dataclass(frozen=True)
class Tree:
    """The nodes of one tree, counted from 0, as a reader finds them.

    The arrays are those of an :class:`Ensemble`. `left_codes` maps a node that compares codes of
    categories to the codes that go left.
    """

    feature: NDArray[Any]
    split: NDArray[Any]
    left: NDArray[Any]
    right: NDArray[Any]
    missing_left: NDArray[Any]
    value: Floats
    left_codes: Mapping[int, NDArray[Any]] = field(default_factory=dict)
    unseen_left: NDArray[Any] | None = None

    @property
    def is_leaf(self) -> Flags:
        """Flag the leaves."""
        return np.asarray(self.left) < 0


def assemble(
    trees: Sequence[Tree],
    *,
    classes: NDArray[Any],
    n_features: int,
    base: NDArray[Any],
    ties_to: int = 0,
    rounding: float = 0.0,
    n_codes: int = 0,
) -> Ensemble:
    """Put the nodes of all trees into one table.

    Parameters
    ----------
    trees : sequence of Tree
        The trees, in the order in which the model adds them.
    classes, n_features, base, ties_to, rounding
        As in :class:`Ensemble`.
    n_codes : int, default=0
        The number of codes that the model knows, at least; others are unseen.

    Returns
    -------
    Ensemble
        All trees.
    """
    starts = np.cumsum([0, *(len(tree.feature) for tree in trees)])

    def joined(name: str, dtype: Any) -> NDArray[Any]:
        parts = [np.asarray(getattr(tree, name)).astype(dtype) for tree in trees]
        return np.concatenate(parts) if parts else np.zeros(0, dtype)

    leaf = joined("is_leaf", bool)
    offset = np.repeat(starts[:-1], np.diff(starts))
    sets = [
        (start + node, codes)
        for start, tree in zip(starts, trees, strict=False)
        for node, codes in tree.left_codes.items()
    ]
    width = max([n_codes, *(int(codes.max(initial=-1)) + 1 for _, codes in sets)])
    left_set = np.full(starts[-1], -1, dtype=np.intp)
    left_sets = np.zeros((len(sets), width if sets else 0), dtype=bool)
    for row, (node, codes) in enumerate(sets):
        left_set[node] = row
        left_sets[row, codes] = True
    value = np.concatenate([tree.value for tree in trees]) if trees else np.zeros((0, len(base)))
    return Ensemble(
        classes=np.asarray(classes),
        n_features=n_features,
        base=np.array(base, dtype=np.float64),
        roots=starts[:-1].astype(np.intp),
        feature=np.where(leaf, -1, joined("feature", np.intp)),
        split=np.where(leaf, 0.0, joined("split", np.float64)),
        left=np.where(leaf, -1, joined("left", np.intp) + offset),
        right=np.where(leaf, -1, joined("right", np.intp) + offset),
        missing_left=joined("missing_left", bool) & ~leaf,
        left_set=left_set,
        left_sets=left_sets,
        unseen_left=_joined_unseen(trees),
        value=np.where(leaf[:, None], value, 0.0),
        ties_to=ties_to,
        rounding=rounding,
    )


def _joined_unseen(trees: Sequence[Tree]) -> Flags:
    parts = [
        np.zeros(len(tree.feature), bool) if tree.unseen_left is None else tree.unseen_left
        for tree in trees
    ]
    return np.concatenate(parts).astype(bool) if parts else np.zeros(0, bool)
