"""Estimates of the normal of the boundary by labels alone, and the step that it suggests."""

from __future__ import annotations

import numpy as np
import torch

from robfair._geometry import step_to_hyperplane
from robfair.distance._arrays import Array, Indices
from robfair.distance.labels._reduce import FINE, polish
from robfair.distance.labels._state import DecisionState

# In brackets what other values do to the length in bench_constants.
ROUNDS = 3  # queries for each feature of an estimate (2: +0.7 %, 6: +2.9 %)
# Length of a probe, relative to that of the perturbation (0.15: -0.3 %, 0.6: +0.7 %).
REACH = 0.3
# Of the step that are tried, since a boundary may be curved (two or six of them: less than 0.1 %).
SHARES = (1.0, 0.6, 0.3, 0.1)


class BoundaryNormals:
    """Measure the normal of the boundary feature by feature, and step along it.

    With v the best perturbation of the sample and e a feature, the boundary on the ray
    through ``v + s e`` lies at the share ``1 / (1 + s w.e)``, where w is the normal scaled to
    ``w.v = 1``. Three queries narrow that share down, from what the last normal predicts. The
    rays are never far from the best point, so that some queries hit nearer points by themselves.
    """

    def __init__(self, state: DecisionState) -> None:
        self.state = state
        self.normal = np.full(state.X.shape, np.nan)

    def __call__(self, samples: Indices) -> None:
        """Estimate the normals of some samples, and try the steps that they suggest."""
        state = self.state
        samples = samples[state.left(samples) >= 2 * ROUNDS]
        self._measure(samples)
        x, best, distance = state.X[samples], state.points[samples], state.distance[samples]
        step, _ = step_to_hyperplane(
            torch.from_numpy(self.normal[samples]),
            torch.ones(len(samples), dtype=torch.float64),
            state.norm,
            (torch.from_numpy(x - state.low), torch.from_numpy(state.high - x)),
        )
        towards = step.numpy()
        size = state.sizes(towards)
        a = np.flatnonzero(size > 0)
        # As long as the best perturbation, so that the two can be mixed by shares.
        towards[a] *= (distance[a] / size[a])[:, None]
        nearer = []
        for share in SHARES:
            delta = share * towards[a] + (1 - share) * (best[a] - x[a])
            # Shorter than the best by more than the precision of a point, or nothing is gained.
            delta *= ((1 - 2 * FINE) * distance[a] / state.sizes(delta))[:, None]
            flipped = state.flipped(samples[a], state.inside(samples[a], x[a] + delta))
            nearer.append(a[flipped])
            a = a[~flipped]
        polish(state, samples[np.concatenate(nearer)])

    def _measure(self, samples: Indices) -> None:
        """Estimate the normals at the best points."""
        state = self.state
        x, best = state.X[samples], state.points[samples]
        v = best - x
        length = np.linalg.norm(v, axis=1)
        normal = self._scaled(samples, v)
        probe = self._probes(samples, best, REACH * length)
        i, j = np.nonzero(probe)
        e = probe[i, j]
        # By the last normal, within bounds that keep a bad one from going far out.
        log_share = -np.log(np.clip(1 + e * normal[i, j], 0.5, 2))
        low, high = np.full(len(i), -np.inf), np.full(len(i), np.inf)
        step = REACH / np.sqrt(state.mask.sum())  # as if the normal were spread evenly
        for k in range(ROUNDS):
            ray = v[i]
            ray[np.arange(len(i)), j] += e
            points = x[i] + np.exp(log_share)[:, None] * ray
            flipped = state.flipped(samples[i], state.inside(samples[i], points))
            high = np.where(flipped, log_share, high)
            low = np.where(flipped, low, log_share)
            closed = np.isfinite(low) & np.isfinite(high)
            open_end = log_share + np.where(flipped, -step, step) * 2**k
            log_share = np.where(closed, (low + high) / 2, open_end)
        normal[i, j] = np.expm1(-log_share) / e
        self.normal[samples] = normal

    def _scaled(self, samples: Indices, v: Array) -> Array:
        """Scale the last normals to ``w.v = 1``; take v itself where none fits."""
        normal = self.normal[samples]
        unfit = ~(np.einsum("nd,nd->n", normal, v) > 0)
        normal[unfit] = v[unfit]
        normal[:, ~self.state.mask] = 0
        return np.asarray(normal / np.einsum("nd,nd->n", normal, v)[:, None])

    def _probes(self, samples: Indices, best: Array, size: Array) -> Array:
        """Draw how far to go along each feature, up or down; 0 for those that are not tried."""
        state = self.state
        free = np.flatnonzero(state.mask)
        probe = np.zeros(best.shape)
        for k, (sample, left) in enumerate(zip(samples, state.left(samples), strict=True)):
            # What is left of the budget after the queries that follow the estimate.
            n_features = min(state.n_features, (int(left) - ROUNDS) // ROUNDS)
            chosen = state.rngs[sample].permutation(free)[:n_features]
            probe[k, chosen] = state.rngs[sample].choice([-1.0, 1.0], len(chosen))
        up = np.minimum(state.high - best, size[:, None])
        down = np.minimum(best - state.low, size[:, None])
        # The opposite direction where the bound is near.
        upwards = np.where(probe > 0, up >= down / 2, up > 2 * down)
        distance = np.where(upwards, up, -down)
        return np.where((probe != 0) & (np.abs(distance) > FINE * size[:, None]), distance, 0)
