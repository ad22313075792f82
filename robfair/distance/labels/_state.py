"""The state of a search by labels: the samples, the nearest flipped points, the queries made.

Every point goes through :meth:`DecisionState.flipped`, which asks the model, counts, and keeps the
point if it is the nearest yet that the model labels differently. The moves of the search therefore
only have to ask good questions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.distance._arrays import Array, Flags, Indices, rank


class DecisionState:
    """State of the search for one chunk of samples X, of shape (n, d).

    `labels` are their predictions, `rngs` a random stream for each sample, so that the queries of
    one change nothing for another; `budget` limits the points that may be predicted for each.
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
        open_box: tuple[Array, Array] = (np.full(d, -np.inf), np.full(d, np.inf))
        self.low, self.high = open_box if box is None else box
        self.mask = np.ones(d, dtype=bool) if mask is None else mask
        self.budget, self.rngs = budget, rngs
        # Features that one move may try for one sample: moves of a wide table, too, leave queries.
        self.n_features = min(int(self.mask.sum()), max(1, budget // 4))
        self.points = np.full((n, d), np.nan)
        self.distance = np.full(n, np.inf)
        self.n_queries = np.zeros(n, dtype=np.intp)

    def left(self, samples: Indices) -> Indices:
        """Return the number of points that may still be predicted for each sample."""
        return self.budget - self.n_queries[samples]

    def sizes(self, delta: Array) -> Array:
        """Return the norm of each row of `delta`."""
        return np.asarray(np.linalg.norm(delta, self.norm, axis=1))

    def inside(self, samples: Indices, points: Array) -> Array:
        """Put points into the box, with the immutable features of their samples."""
        return np.where(self.mask, np.clip(points, self.low, self.high), self.X[samples])

    def flipped(self, samples: Indices, points: Array) -> Flags:
        """Tell whether the model labels each point differently from its sample, ``X[samples]``.

        A point beyond a sample's budget is not predicted, and counts as not flipped. The points
        must be :meth:`inside`.
        """
        asked = np.flatnonzero(rank(samples) < self.left(samples))
        flipped = np.zeros(len(samples), dtype=bool)
        if len(asked) == 0:
            return flipped
        samples, points = samples[asked], points[asked]
        self.n_queries += np.bincount(samples, minlength=len(self.X))
        # Measured after clipping, which may have changed them; 0 is the sample itself.
        size = self.sizes(points - self.X[samples])
        flipped[asked] = hit = (self.predict(points) != self.labels[samples]) & (size > 0)
        nearer = np.flatnonzero(hit & (size < self.distance[samples]))
        nearer = nearer[np.argsort(-size[nearer], kind="stable")]  # the last one written stays
        self.points[samples[nearer]] = points[nearer]
        self.distance[samples[nearer]] = size[nearer]
        return flipped
