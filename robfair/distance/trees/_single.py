"""Exact distance to the boundary of a single decision tree of scikit-learn.

A leaf is a box, and the distance to a box is a closed form: clip the sample to it. What remains is
the nearest leaf of another class, found by walking down the tree with all samples at once. On the
way down a box only shrinks and its distance only grows, so a sample leaves the walk at the first
node that is farther than the best leaf so far.

The tree compares ``float32(x) <= threshold``, in float64. That is the same as ``x <= t`` for one
float64 number t, the largest that float32 rounds to the threshold or lower, so that in float64 the
fitted tree is an ordinary tree whose boxes are closed: their lower side is the number after t. The
distances are those of this tree, which is the one that predicts, to the last bits of float64; its
thresholds differ from the fitted ones by at most half a unit in the last place of float32. The
distance is attained, by the point that is returned.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_is_fitted

from robfair.adapters.trees import last_left
from robfair.distance._arrays import Array, Flags

__all__ = ["tree_distance"]

ROWS = 2**12  # that walk together; bounds the memory


def tree_distance(
    tree: DecisionTreeClassifier,
    X: Array,
    *,
    norm: float,
    box: tuple[Array, Array] | None,
    mask: Flags | None,
    progress: Callable[[int], Any],
) -> tuple[Array, Array]:
    """Return the distance of each row to the nearest leaf of another class, and the point there.

    Parameters
    ----------
    tree : DecisionTreeClassifier or ExtraTreeClassifier
        The fitted classifier.
    X : ndarray of shape (n, n_features), float64
        Samples, finite.
    norm : {2, inf}
        The norm.
    box : tuple of two ndarrays of shape (n_features,), or None
        The box that the points must stay in.
    mask : ndarray of bool, of shape (n_features,), or None
        Features that may change; None when all may.
    progress : callable
        Told the number of samples done, now and then.

    Returns
    -------
    distance : ndarray of shape (n,)
        The distances; inf where no other class can be reached.
    points : ndarray of shape (n, n_features)
        Points at these distances that the tree predicts differently, also after rounding to
        float32; NaN where there are none.

    Raises
    ------
    TypeError
        If `tree` is not a decision tree, or one with several outputs.
    """
    if not isinstance(tree, DecisionTreeClassifier):
        raise TypeError(f"tree must be a DecisionTreeClassifier; got a {type(tree).__name__}.")
    check_is_fitted(tree)
    if tree.n_outputs_ != 1:
        raise TypeError(
            f"{type(tree).__name__} was fitted on {tree.n_outputs_} outputs; robfair needs one "
            "class per sample."
        )
    points = np.full(X.shape, np.nan)
    walk = _Walk(tree.tree_, norm, box, np.full(X.shape[1], True) if mask is None else mask)
    for start in range(0, len(X), ROWS):
        rows = slice(start, start + ROWS)
        walk(X[rows], points[rows])
        progress(len(X[rows]))
    distance = np.linalg.norm(points - X, norm, axis=1)
    return np.where(np.isnan(distance), np.inf, distance), points


class _Walk:
    """Walks down one tree with many samples."""

    def __init__(
        self, tree: Any, norm: float, box: tuple[Array, Array] | None, mutable: Flags
    ) -> None:
        self.tree = tree
        self.norm = norm
        self.mutable = mutable
        self.label = tree.value[:, 0].argmax(axis=1)
        self.last_left = last_left(tree.threshold)
        self.first_right = np.nextafter(self.last_left, np.inf)
        self.low, self.high = np.full((2, len(mutable)), [[-np.inf], [np.inf]])
        if box is not None:
            # Features that cannot move need no box, and may lie out of it by a rounding error.
            self.low, self.high = np.where(mutable, box, (self.low, self.high))

    def __call__(self, X: Array, points: Array) -> None:
        """Write to each row of `points` the nearest point of another class."""
        tree = self.tree
        own = self.label[tree.apply(X.astype(np.float32))]
        best = np.full(len(X), np.inf)
        stack = [(0, np.arange(len(X)), np.zeros(len(X)), self.low, self.high)]
        while stack:
            node, rows, size, low, high = stack.pop()
            nearer = size < best[rows]
            rows, size = rows[nearer], size[nearer]
            if len(rows) == 0:
                continue
            if tree.children_left[node] == tree.children_right[node]:  # a leaf
                other = own[rows] != self.label[node]
                rows = rows[other]
                best[rows] = size[other]
                points[rows] = X[rows].clip(low, high)
                continue
            feature = tree.feature[node]
            column = X[rows, feature]
            before = _gap(column, low[feature], high[feature])
            for child, start, stop in (
                (tree.children_left[node], -np.inf, self.last_left[node]),
                (tree.children_right[node], self.first_right[node], np.inf),
            ):
                child_low, child_high = low.copy(), high.copy()
                child_low[feature] = max(start, low[feature])
                child_high[feature] = min(stop, high[feature])
                if child_low[feature] > child_high[feature]:
                    continue
                gap = _gap(column, child_low[feature], child_high[feature])
                if self.mutable[feature]:
                    grown = self._grow(size, before, gap)
                    stack.append((child, rows, grown, child_low, child_high))
                else:
                    inside = gap == 0
                    stack.append((child, rows[inside], size[inside], child_low, child_high))

    def _grow(self, size: Array, before: Array, gap: Array) -> Array:
        """Return the size of a step, squared for L2, after one coordinate has grown."""
        if self.norm == 2:
            return size + (gap - before) * (gap + before)
        return np.maximum(size, gap)


def _gap(column: Array, low: float, high: float) -> Array:
    """Return the distance of each value from an interval."""
    gap: Array = np.maximum(np.maximum(low - column, column - high), 0)
    return gap
