"""Distances of a model that only tells labels: forests, boosting, neighbours, remote models.

From several samples of another label the search goes inwards to the boundary, then improves the
nearest point by whichever move has paid best for that sample: along the normal of the boundary,
measured feature by feature; from further starts; single features back to where they were. All
samples of a chunk ask together, so that a call of the model predicts many points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from robfair.distance.labels._moves import Move, NormalMove, ReturnMove, StartMove
from robfair.distance.labels._state import Array, Rows, Search

__all__ = ["DecisionResult", "decision_distance"]

CHUNK = 256  # samples; fixed, so that results do not depend on the number of processes
MEMORY = 2**25  # numbers in the largest array of points
N_STARTS = 100  # samples of another label, at most, that are tried as starts
HOPE = 0.02  # gain that an untried move promises, relative, per 100 queries
ENOUGH = 0.001  # a sample is done when no move promises more


@dataclass(frozen=True)
class DecisionResult:
    """What the search found.

    Attributes
    ----------
    distance : ndarray of shape (n,)
        Distances; inf where no flipped point was found.
    points : ndarray of shape (n, d)
        The points behind them, each of which the model has labelled differently; NaN for none.
    n_queries : ndarray of shape (n,)
        Points predicted for each sample.
    """

    distance: Array
    points: Array
    n_queries: Rows


def decision_distance(
    predict: Callable[[Array], Any],
    X: Array,
    labels: NDArray[Any],
    *,
    norm: float,
    box: tuple[Array, Array] | None,
    mask: NDArray[np.bool_] | None,
    background: Array | None,
    background_labels: NDArray[Any] | None,
    budget: int,
    random_state: int,
    n_jobs: int | None,
    progress: Callable[[int], Any],
) -> DecisionResult:
    """Search the nearest point of another label for each sample.

    Parameters
    ----------
    predict : callable
        From points (m, d) to labels (m,).
    X : ndarray of shape (n, d)
        Samples, inside the box.
    labels : ndarray of shape (n,)
        What the model predicts for them.
    norm : {2, inf}
        Norm of the distance.
    box : tuple of two ndarrays of shape (d,), or None
        Where perturbed samples must stay.
    mask : ndarray of bool of shape (d,), or None
        Features that may change.
    background, background_labels : ndarray of shape (m, d) and of shape (m,), or None
        Samples to start from, such as training data, and what the model predicts for them. None:
        X itself.
    budget : int
        Points that may be predicted for each sample.
    random_state : int
        Seed.
    n_jobs : int or None
        Processes, as in joblib.
    progress : callable
        Called with the number of samples that have been finished.

    Returns
    -------
    DecisionResult
        Distances, which are upper bounds, and the points behind them.
    """
    if background is None or background_labels is None:
        background, background_labels = X, labels
    n, d = X.shape
    width = min(d, max(1, budget // 4))
    size = int(np.clip(MEMORY // (StartMove.at_once * width * d), 1, CHUNK))
    chunks = [np.arange(start, min(start + size, n)) for start in range(0, n, size)]
    searches = (
        Search(predict, X[i], labels[i], norm, box, mask, budget, _rngs(i, random_state))
        for i in chunks
    )
    parts = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_search_chunk)(search, background, background_labels) for search in searches
    )
    found = []
    for part in parts:
        found.append(part)
        progress(len(part[0]))
    distance, points, n_queries = (
        (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        if found
        else (np.zeros(0), np.zeros((0, d)), np.zeros(0, dtype=np.intp))
    )
    return DecisionResult(distance, points, n_queries)


def _rngs(rows: Rows, seed: int) -> list[np.random.Generator]:
    """Make a stream for each sample, from the seed and the sample's place in X."""
    return [
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(row),))) for row in rows
    ]


def _search_chunk(
    search: Search, background: Array, background_labels: NDArray[Any]
) -> tuple[Array, Array, Rows]:
    starts, scale = _starts(search, background, background_labels)
    rows = np.arange(len(search.X))
    starts(rows)
    _at_random(search, starts, rows[np.isinf(search.distance)], scale)
    moves: list[Move] = [NormalMove(search), starts]
    if search.norm == 2:  # in L-inf a single feature changes nothing
        moves.append(ReturnMove(search))
    promise = np.full((len(search.X), len(moves)), HOPE)
    while True:
        unfinished = np.isfinite(search.distance) & (search.left(rows) > 0)
        unfinished &= promise.max(axis=1) >= ENOUGH
        if not unfinished.any():
            return search.distance, search.points, search.n_queries
        choice = promise.argmax(axis=1)
        for k, move in enumerate(moves):
            chosen = np.flatnonzero(unfinished & (choice == k))
            if len(chosen) == 0:
                continue
            before, asked = search.distance[chosen], search.n_queries[chosen]
            move(chosen)
            gain = 1 - search.distance[chosen] / before
            rate = 100 * gain / np.maximum(search.n_queries[chosen] - asked, 1)
            # One failure is no proof: a quarter of the hope remains.
            promise[chosen, k] = np.maximum(rate, promise[chosen, k] / 4)


def _starts(
    search: Search, background: Array, background_labels: NDArray[Any]
) -> tuple[StartMove, Array]:
    """Find the nearest samples of another label, and the greatest distance to any sample."""
    mine, theirs = search.X[:, search.mask], background[:, search.mask]
    apart = (
        cdist(mine, theirs, "euclidean") if search.norm == 2 else cdist(mine, theirs, "chebyshev")
    )
    scale = apart.max(axis=1, initial=0)
    apart[background_labels[None] == search.labels[:, None]] = np.inf
    k = min(N_STARTS, len(background))
    order = np.argsort(apart, axis=1, kind="stable")[:, :k]
    order[np.isinf(np.take_along_axis(apart, order, axis=1))] = -1
    return StartMove(search, background, order), scale


def _at_random(search: Search, starts: StartMove, rows: Rows, scale: Array) -> None:
    """Start from random directions, further and further out, where no sample would do."""
    for row in rows:
        scale[row] = scale[row] or np.abs(search.X[row]).max() or 1.0
    for size in 4.0 ** np.arange(-1, 6):
        rows = rows[np.isinf(search.distance[rows]) & (search.left(rows) > 0)]
        if len(rows) == 0:
            return
        owner = np.repeat(rows, starts.at_once)
        direction = np.stack([search.rngs[row].normal(size=search.X.shape[1]) for row in owner])
        direction /= search.sizes(direction)[:, None]
        starts.start(owner, search.X[owner] + size * scale[owner, None] * direction)
    starts.polish(rows[np.isfinite(search.distance[rows])])
