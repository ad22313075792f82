"""Points close to the boundary of what is read of a model, between and around samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["near_boundary"]

Codes = Callable[[NDArray[Any]], NDArray[np.intp]]

PAIRS = 24  # segments that cross the boundary; with eight halvings each, a pass over 192 rows
HALVINGS = 8  # leaves 0.4 % of a segment: far more than rounding, less than a shift that matters
DIRECTIONS, REACH = 16, 2.0 ** np.arange(-3, 12)  # of a search from samples of one class


def near_boundary(codes: Codes, X: NDArray[Any]) -> NDArray[Any]:
    """Return points on both sides of the boundary, where labels by `codes` are known to differ."""
    start, end = _pairs(X, codes(X))
    if len(start) == 0:
        start, end = _outwards(codes, X)
    if len(start) == 0:
        return start
    first = codes(start)
    for _ in range(HALVINGS):
        middle = (start + end) / 2
        same = codes(middle) == first
        start = np.where(_spread(same, X), middle, start)
        end = np.where(_spread(same, X), end, middle)
    return np.concatenate([start, end])


def _pairs(X: NDArray[Any], labels: NDArray[np.intp]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return samples and, for each, the next one of another class."""
    changes = np.flatnonzero(labels != np.roll(labels, -1))
    chosen = changes[np.linspace(0, len(changes) - 1, min(PAIRS, len(changes))).astype(np.intp)]
    return X[chosen], X[(chosen + 1) % len(X)]


def _outwards(codes: Codes, X: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Go out from samples of one class, twice as far each time, until the label changes."""
    rng = np.random.default_rng(0)
    start = X[np.arange(DIRECTIONS) % len(X)]
    scale = np.abs(X).max(axis=0)
    steps = rng.standard_normal(start.shape) * np.where(scale == 0, 1, scale)
    path = start[None] + REACH.reshape(-1, *[1] * X.ndim) * steps[None]
    path = path.astype(X.dtype)
    labels = codes(path.reshape(-1, *X.shape[1:])).reshape(len(REACH), DIRECTIONS)
    changed = labels != codes(start)
    rows = np.flatnonzero(changed.any(axis=0))
    first = changed[:, rows].argmax(axis=0)
    before = np.where(_spread(first == 0, X), start[rows], path[np.maximum(first - 1, 0), rows])
    return before, path[first, rows]


def _spread(flags: NDArray[np.bool_], X: NDArray[Any]) -> NDArray[np.bool_]:
    return flags.reshape(-1, *[1] * (X.ndim - 1))
