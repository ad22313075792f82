"""Distances of a model that only tells labels: forests, boosting, neighbours, remote models.

From several samples of another label the search goes inwards to the boundary. It then improves the
nearest point by whichever move has gained most for that sample: a step along the normal of the
boundary, which is measured feature by feature; further starts; the return of single features. All
samples of a chunk ask together, so that a call of the model predicts many points.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair._parallel import in_order
from robfair.distance._arrays import Array, Indices
from robfair.distance.labels._normal import BoundaryNormals
from robfair.distance.labels._reduce import polish, return_features
from robfair.distance.labels._starts import AT_ONCE, Starts
from robfair.distance.labels._state import DecisionState

CHUNK = 256  # samples; fixed, so that results do not depend on the number of processes
MEMORY = 2**25  # numbers in the largest array of points
# Halved or doubled, each of the three changes the length by less than 0.1 % in bench_constants.
HALVINGS = 5  # of a feature's move, which is returned to a thirty-second of it
UNTRIED = 0.02  # expected gain of an untried move, relative, per 100 queries
ENOUGH = 0.001  # a sample is done when no move is expected to gain more


@dataclass(frozen=True)
class DecisionResult:
    """Distances, the points behind them, and the predictions that they took."""

    distance: Array  # (n,); inf without a flipped point
    points: Array  # (n, d), of another label than the samples; NaN without one
    n_queries: Indices  # (n,), points predicted for each sample


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
    X, labels : ndarray of shape (n, d) and of shape (n,)
        Samples, inside the box, and their predicted labels.
    norm : {2, inf}
        Norm of the distance.
    box : tuple of two ndarrays of shape (d,), or None
        Where perturbed samples must stay.
    mask : ndarray of bool of shape (d,), or None
        Features that may change.
    background, background_labels : ndarray of shape (m, d) and of shape (m,), or None
        Samples to start from, such as training data, and their predicted labels. None: X itself.
    budget : int
        Points that may be predicted for each sample.
    random_state, n_jobs : int, and int or None
        Seed, and processes as in joblib.
    progress : callable
        Called with the number of samples that are done.

    Returns
    -------
    DecisionResult
        Distances, which are upper bounds, and the points behind them.
    """
    if background is None or background_labels is None:
        background, background_labels = X, labels
    n, d = X.shape
    width = min(d, max(1, budget // 4))
    size = int(np.clip(MEMORY // (AT_ONCE * width * d), 1, CHUNK))
    chunks = [np.arange(start, min(start + size, n)) for start in range(0, n, size)]

    def state(chunk: int) -> DecisionState:
        i = chunks[chunk]
        rngs = _rngs(i, random_state)
        return DecisionState(predict, X[i], labels[i], norm, box, mask, budget, rngs)

    search = partial(_search_chunk, background=background, background_labels=background_labels)
    parts = [(np.zeros(0), np.zeros((0, d)), np.zeros(0, dtype=np.intp))]  # if there is no chunk
    for part in in_order(search, state, len(chunks), n_jobs):
        parts.append(part)
        progress(len(part[0]))
    return DecisionResult(*map(np.concatenate, zip(*parts, strict=True)))


def _rngs(samples: Indices, seed: int) -> list[np.random.Generator]:
    """Make a stream for each sample, from the seed and the sample's place in X."""
    # Spawned by place, so that neither the chunks nor the number of processes matter.
    seeds = [np.random.SeedSequence(seed, spawn_key=(int(sample),)) for sample in samples]
    return [np.random.default_rng(s) for s in seeds]


def _search_chunk(
    state: DecisionState, background: Array, background_labels: NDArray[Any]
) -> tuple[Array, Array, Indices]:
    """Search a chunk of samples, each by the move that is expected to gain most for it."""
    starts = Starts(state, background, background_labels)
    samples = np.arange(len(state.X))
    starts(samples)
    starts.at_random(samples)
    moves: list[Callable[[Indices], None]] = [BoundaryNormals(state), starts]
    if state.norm == 2:  # in L-inf a single feature changes nothing
        moves.append(partial(_return_from_best, state))
    expected = np.full((len(samples), len(moves)), UNTRIED)
    while True:
        unfinished = np.isfinite(state.distance) & (state.left(samples) > 0)
        unfinished &= expected.max(axis=1) >= ENOUGH
        if not unfinished.any():
            return state.distance, state.points, state.n_queries
        choice = expected.argmax(axis=1)
        for k, move in enumerate(moves):
            chosen = np.flatnonzero(unfinished & (choice == k))
            if len(chosen) == 0:
                continue
            before, asked = state.distance[chosen], state.n_queries[chosen]
            move(chosen)
            gain = 1 - state.distance[chosen] / before
            rate = 100 * gain / np.maximum(state.n_queries[chosen] - asked, 1)
            # One failure proves little: a quarter of the expected gain remains.
            expected[chosen, k] = np.maximum(rate, expected[chosen, k] / 4)


def _return_from_best(state: DecisionState, samples: Indices) -> None:
    """Return features of the best points, which trees need in L2, and go inwards."""
    return_features(state, samples, state.points[samples], HALVINGS)
    polish(state, samples)
