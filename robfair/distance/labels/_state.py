"""What a search by labels knows: the samples, the nearest flipped points, the queries made.

Every point goes through :meth:`Search.flipped`, which asks the model, counts, and keeps the point
if it is the nearest yet that the model has labelled differently. The moves of
:mod:`._decision_moves` therefore only have to ask good questions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Search", "shrink"]

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
Flags = NDArray[np.bool_]


class Search:
    """State of the search for one chunk of samples.

    Parameters
    ----------
    predict : callable
        From points (m, d) to labels (m,).
    X : ndarray of shape (n, d)
        Samples.
    labels : ndarray of shape (n,)
        What the model predicts for them.
    norm : {2, inf}
        Norm of the distance.
    box : tuple of two ndarrays of shape (d,), or None
        Where points must stay.
    mask : ndarray of bool of shape (d,), or None
        Features that may change.
    budget : int
        Points that may be predicted for each sample.
    rngs : list of Generator
        A random stream for each sample, so that what one does changes nothing for another.
    """

    def __init__(
        self,
        predict: Callable[[Array], Any],
        X: Array,
        labels: NDArray[Any],
        norm: float,
        box: tuple[Array, Array] | None,
        mask: Flags | None,
        budget: int,
        rngs: list[np.random.Generator],
    ) -> None:
        self.predict, self.X, self.labels, self.norm = predict, X, labels, norm
        n, d = X.shape
        everywhere: tuple[Array, Array] = (np.full(d, -np.inf), np.full(d, np.inf))
        self.low, self.high = everywhere if box is None else box
        self.mask = np.ones(d, dtype=bool) if mask is None else mask
        self.budget, self.rngs = budget, rngs
        self.points = np.full((n, d), np.nan)
        self.distance = np.full(n, np.inf)
        self.n_queries = np.zeros(n, dtype=np.intp)

    def left(self, rows: Rows) -> Rows:
        """Return how many points may still be predicted for each of the rows."""
        return self.budget - self.n_queries[rows]

    def sizes(self, delta: Array) -> Array:
        """Return the norm of each row of `delta`."""
        norms: Array = np.linalg.norm(delta, self.norm, axis=1)
        return norms

    def inside(self, rows: Rows, points: Array) -> Array:
        """Put points into the box, with the immutable features of their samples."""
        return np.where(self.mask, np.clip(points, self.low, self.high), self.X[rows])

    def flipped(self, rows: Rows, points: Array) -> Flags:
        """Whether the model labels each point differently from its sample, ``X[rows]``.

        A point beyond a sample's budget is not predicted, and counts as not flipped. The points
        must be :meth:`inside`.
        """
        turn = _occurrence(rows)
        asked = np.flatnonzero(turn < self.left(rows))
        flipped = np.zeros(len(rows), dtype=bool)
        if len(asked) == 0:
            return flipped
        rows, points = rows[asked], points[asked]
        self.n_queries += np.bincount(rows, minlength=len(self.X))
        size = self.sizes(points - self.X[rows])
        flipped[asked] = hit = (self.predict(points) != self.labels[rows]) & (size > 0)
        nearer = np.flatnonzero(hit & (size < self.distance[rows]))
        nearer = nearer[np.argsort(-size[nearer], kind="stable")]  # the last one written stays
        self.points[rows[nearer]] = points[nearer]
        self.distance[rows[nearer]] = size[nearer]
        return flipped


def _occurrence(rows: Rows) -> Rows:
    """How many equal entries stand before each entry."""
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    out = np.empty(len(rows), dtype=np.intp)
    out[order] = np.arange(len(rows)) - np.searchsorted(ordered, ordered)
    return out


def shrink(search: Search, rows: Rows, ends: Array, first: float, tolerance: float) -> Array:
    """Go from flipped points towards their samples, as far as the label stays flipped.

    Steps double until one fails, then the bracket is bisected.

    Parameters
    ----------
    search : Search
        The search.
    rows : ndarray of shape (m,)
        Samples that the points belong to; they may repeat.
    ends : ndarray of shape (m, d)
        Flipped points.
    first : float
        Size of the first step, as a share of the way.
    tolerance : float
        Relative precision.

    Returns
    -------
    ndarray of shape (m, d)
        Flipped points.
    """
    points = ends.copy()
    inner, outer = np.zeros(len(rows)), np.ones(len(rows))
    step, failed = np.full(len(rows), first), np.zeros(len(rows), dtype=bool)
    while True:
        a = np.flatnonzero((outer - inner > tolerance * outer) & (search.left(rows) > 0))
        if len(a) == 0:
            return points
        t = (inner[a] + outer[a]) / 2
        t = np.where(failed[a], t, np.maximum(t, outer[a] - step[a]))
        tried = search.inside(rows[a], _between(search, rows[a], ends[a], t))
        flipped = search.flipped(rows[a], tried)
        points[a[flipped]] = tried[flipped]
        outer[a[flipped]], inner[a[~flipped]] = t[flipped], t[~flipped]
        failed[a[~flipped]] = True
        step[a] *= 2


def _between(search: Search, rows: Rows, ends: Array, t: Array) -> Array:
    """Points at a share t of the distance of the ends."""
    x = search.X[rows]
    delta = ends - x
    if search.norm == 2:
        return x + t[:, None] * delta
    # In L-inf only the largest moves count. If the model is constant on some box that holds the
    # end, as trees are, cutting them finds the point of that box that is nearest to the sample.
    reach = t[:, None] * np.abs(delta).max(axis=1, keepdims=True)
    return x + np.clip(delta, -reach, reach)
