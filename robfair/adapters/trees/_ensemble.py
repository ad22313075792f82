"""A sum of trees as arrays: what all readers return and all searches take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ensemble", "UnreadableTrees"]

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
        How far at most a sum of leaves in float64 is from the model's own scores.
    single : bool, default=False
        Whether the model adds in float32, one tree after the other, as `scores` then does too.
    categories : dict
        For columns of categories whose values the model knows: what the codes 0, 1, ... stand for.
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
    single: bool = False
    categories: Mapping[int, NDArray[Any]] = field(default_factory=dict)

    def leaves(self, X: NDArray[Any]) -> Integers:
        """Return the leaf of each row of `X` in each tree, of shape (n_samples, n_trees)."""
        X = np.asarray(X, dtype=np.float64)
        leaves = np.tile(self.roots, (len(X), 1))
        node = leaves.ravel()
        walking = np.flatnonzero(self.feature[node] >= 0)
        while len(walking):
            at = node[walking]
            left = self.goes_left(at, X[walking // len(self.roots), self.feature[at]])
            node[walking] = np.where(left, self.left[at], self.right[at])
            walking = walking[self.feature[node[walking]] >= 0]
        return leaves

    def scores(self, X: NDArray[Any]) -> Floats:
        """Return the scores of the rows of `X`, of shape (n_samples, n_scores)."""
        X = np.asarray(X, dtype=np.float64)
        dtype = np.float32 if self.single else np.float64
        scores: NDArray[Any] = np.tile(self.base, (len(X), 1)).astype(dtype)
        value: NDArray[Any] = self.value.astype(dtype)
        size = max(1, PAIRS // max(1, len(self.roots)))
        for start in range(0, len(X), size):
            part = slice(start, start + size)
            for leaf in self.leaves(X[part]).T:  # tree by tree, as models add them
                scores[part] = scores[part] + value[leaf]
        return scores.astype(np.float64)

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

    def goes_left(self, at: Integers, x: Floats) -> Flags:
        """Flag which of the nodes `at` send the values `x` left, one value each."""
        left = x <= self.split[at]
        if len(self.left_sets):
            coded = np.flatnonzero(self.left_set[at] >= 0)
            left[coded] = self._is_in_set(at[coded], x[coded])
        missing = np.isnan(x)
        left[missing] = self.missing_left[at[missing]]
        return left

    def _codes(self, scores: Floats) -> Integers:
        if scores.shape[1] > 1:
            greatest: Integers = scores.argmax(axis=1)
            return greatest
        first = scores[:, 0] >= 0 if self.ties_to == 1 else scores[:, 0] > 0
        return first.astype(np.intp)

    def _is_in_set(self, at: Integers, x: Floats) -> Flags:
        n_codes = self.left_sets.shape[1]
        seen = (x >= 0) & (x < n_codes)  # not so NaN
        code = np.where(seen, x, 0).astype(np.intp)
        return np.where(seen, self.left_sets[self.left_set[at], code], self.unseen_left[at])
