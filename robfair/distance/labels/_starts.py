"""Starts of a search by labels: samples of another label, and random points where none serves."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from robfair.distance._arrays import Array, Indices
from robfair.distance.labels._reduce import polish, return_features, shrink
from robfair.distance.labels._state import DecisionState

# In brackets what halving and doubling do to the length in bench_constants.
N_STARTS = 100  # samples of another label, at most, that are tried as starts (the same)
AT_ONCE = 10  # starts of a sample that are tried in one move (+1.5 %, the same)
COARSE = 0.1  # relative precision of a start (+0.4 %, +0.9 %)


class Starts:
    """Go inwards from samples of another label, the nearest first.

    Each start leads to another part of the boundary, or to another leaf of a tree.
    """

    def __init__(
        self, state: DecisionState, background: Array, background_labels: NDArray[Any]
    ) -> None:
        self.state, self.background = state, background
        x, others = state.X[:, state.mask], background[:, state.mask]
        apart = cdist(x, others, "euclidean") if state.norm == 2 else cdist(x, others, "chebyshev")
        self.scale = apart.max(axis=1, initial=0)  # the greatest distance to any sample
        apart[background_labels[None] == state.labels[:, None]] = np.inf
        order = np.argsort(apart, axis=1, kind="stable")[:, : min(N_STARTS, len(background))]
        # A background of few other labels leaves samples of the same label at the end.
        order[np.isinf(np.take_along_axis(apart, order, axis=1))] = -1
        self.order = order  # (n, k), -1 where there are no more
        self.n_tried = np.zeros(len(order), dtype=np.intp)

    def __call__(self, samples: Indices) -> None:
        """Try the next starts of some samples."""
        chosen = self.n_tried[samples, None] + np.arange(AT_ONCE)
        self.n_tried[samples] += AT_ONCE
        within = chosen < self.order.shape[1]
        start = np.where(within, self.order[samples[:, None], np.where(within, chosen, 0)], -1)
        repeated, start = np.repeat(samples, AT_ONCE), start.ravel()
        self._try(repeated[start >= 0], self.background[start[start >= 0]])
        polish(self.state, samples[np.isfinite(self.state.distance[samples])])

    def at_random(self, samples: Indices) -> None:
        """Try random directions, further and further out, for samples without a flipped point."""
        state = self.state
        samples = samples[np.isinf(state.distance[samples])]
        for i in samples:
            # Where all samples are the same, the sizes of their features are the only scale.
            self.scale[i] = self.scale[i] or np.abs(state.X[i]).max() or 1.0
        for size in 4.0 ** np.arange(-1, 6):
            samples = samples[np.isinf(state.distance[samples]) & (state.left(samples) > 0)]
            if len(samples) == 0:
                return
            repeated = np.repeat(samples, AT_ONCE)
            # Each from the sample's own stream: another sample's queries do not shift it.
            direction = np.stack([state.rngs[i].normal(size=state.X.shape[1]) for i in repeated])
            direction /= state.sizes(direction)[:, None]
            far = size * self.scale[repeated, None] * direction
            self._try(repeated, state.X[repeated] + far)
        polish(state, samples[np.isfinite(state.distance[samples])])

    def _try(self, samples: Indices, points: Array) -> None:
        """Go inwards from those points that are flipped."""
        state = self.state
        points = state.inside(samples, points)
        flipped = state.flipped(samples, points)
        samples, points = samples[flipped], points[flipped]
        points = shrink(state, samples, points, 0.5, COARSE)
        if state.norm == 2:  # in L-inf a single feature changes nothing
            return_features(state, samples, points, halvings=0)
