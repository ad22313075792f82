"""The moves of a search by labels: other starts, single features back, along the normal."""

from __future__ import annotations

import numpy as np
import torch

from robfair._geometry import step_to_hyperplane
from robfair.distance.labels._state import Array, Flags, Rows, Search, shrink

__all__ = ["Move", "NormalMove", "ReturnMove", "StartMove"]

COARSE, FINE = 0.1, 1e-3  # relative precision of a start, and of what is returned
FIRST = 0.02  # first step inwards from a point that is thought to be near the boundary


class Move:
    """Asks some questions for some samples; the search keeps what it finds."""

    def __init__(self, search: Search) -> None:
        self.search = search
        # Features, or directions, that one move may try for one sample.
        self.n_features = min(int(search.mask.sum()), max(1, search.budget // 4))

    def __call__(self, rows: Rows) -> None:
        """Make the move for samples that have a flipped point."""
        raise NotImplementedError

    def polish(self, rows: Rows) -> None:
        """Go straight inwards from the best points."""
        shrink(self.search, rows, self.search.points[rows], FIRST, FINE)


class StartMove(Move):
    """Go inwards from samples of another label, the nearest first, ten at a time.

    Each start leads to another part of the boundary, or to another leaf of a tree.
    """

    at_once = 10

    def __init__(self, search: Search, candidates: Array, order: Rows) -> None:
        super().__init__(search)
        self.candidates, self.order = candidates, order  # order: (n, k), -1 where there is none
        self.n_tried = np.zeros(len(order), dtype=np.intp)

    def __call__(self, rows: Rows) -> None:
        """Try the next starts."""
        chosen = self.n_tried[rows, None] + np.arange(self.at_once)
        self.n_tried[rows] += self.at_once
        within = chosen < self.order.shape[1]
        which = np.where(within, self.order[rows[:, None], np.where(within, chosen, 0)], -1)
        owner, which = np.repeat(rows, self.at_once), which.ravel()
        self.start(owner[which >= 0], self.candidates[which[which >= 0]])
        rows = rows[np.isfinite(self.search.distance[rows])]
        self.polish(rows)

    def start(self, rows: Rows, points: Array) -> None:
        """Go inwards from points that may be flipped."""
        points = self.search.inside(rows, points)
        flipped = self.search.flipped(rows, points)
        rows, points = rows[flipped], points[flipped]
        points = shrink(self.search, rows, points, 0.5, COARSE)
        if self.search.norm == 2:
            give_back(self.search, rows, points, 0, self.n_features)


class ReturnMove(Move):
    """Move features of the best point back to the sample's values: what trees need in L2."""

    halvings = 5

    def __call__(self, rows: Rows) -> None:
        """Give back what can be given back."""
        best = self.search.points[rows]
        give_back(self.search, rows, best, self.halvings, self.n_features)
        self.polish(rows)


def give_back(search: Search, rows: Rows, points: Array, halvings: int, n_features: int) -> None:
    """Move features back one by one, all the way or by bisection, then as many as go together."""
    x = search.X[rows]
    delta = points - x
    if len(rows) == 0:
        return
    order = np.argsort(-np.abs(delta), axis=1, kind="stable")
    tried = np.zeros(delta.shape, dtype=bool)
    np.put_along_axis(tried, order[:, :n_features], True, axis=1)
    i, j = np.nonzero(tried & (delta != 0))
    kept = np.ones(delta.shape)
    kept[i, j] = np.where(_alone(search, rows, x, delta, i, j, np.zeros(len(i))), 0, 1)
    delta = _together(search, rows, x, delta, kept)
    if halvings == 0:
        return
    i, j = np.nonzero(tried & (delta != 0))
    low, high = np.zeros(len(i)), np.ones(len(i))
    for _ in range(halvings):
        share = (low + high) / 2
        flipped = _alone(search, rows, x, delta, i, j, share)
        low, high = np.where(flipped, low, share), np.where(flipped, share, high)
    kept = np.ones(delta.shape)
    kept[i, j] = high
    _together(search, rows, x, delta, kept)


def _alone(
    search: Search, rows: Rows, x: Array, delta: Array, i: Rows, j: Rows, share: Array
) -> Flags:
    """Whether a point stays flipped when a share of one feature's move is kept."""
    points = x[i] + delta[i]
    points[np.arange(len(i)), j] = x[i, j] + share * delta[i, j]
    return search.flipped(rows[i], search.inside(rows[i], points))


def _together(search: Search, rows: Rows, x: Array, delta: Array, kept: Array) -> Array:
    """Keep these shares of the moves, for as many features as leave the label flipped.

    Those that gain most come first; how many is found by bisection.
    """
    gain = delta**2 * (1 - kept**2)
    rank = np.argsort(np.argsort(-gain, axis=1, kind="stable"), axis=1)
    possible, too_many = np.zeros(len(rows), dtype=np.intp), (gain > 0).sum(axis=1) + 1
    count = too_many - 1  # all of them first
    while True:
        a = np.flatnonzero((too_many - possible > 1) & (search.left(rows) > 0))
        if len(a) == 0:
            break
        moved = x[a] + delta[a] * np.where(rank[a] < count[a, None], kept[a], 1)
        flipped = search.flipped(rows[a], search.inside(rows[a], moved))
        possible[a[flipped]], too_many[a[~flipped]] = count[a[flipped]], count[a[~flipped]]
        count = (possible + too_many) // 2
    shares: Array = np.where(rank < possible[:, None], kept, 1)
    return delta * shares


class NormalMove(Move):
    """Measure the normal of the boundary feature by feature, and step along it.

    With v the way from the sample to its best point and e a feature, the boundary on the ray
    through ``v + s e`` lies at the share ``1 / (1 + s w.e)``, where w is the normal scaled to
    ``w.v = 1``. Three queries narrow that share down, from what the last normal predicts. The
    rays are never far from the best point, so that some queries find nearer points by themselves.
    """

    reach = 0.3  # of a probe, relative to the length of v
    rounds = 3

    def __init__(self, search: Search) -> None:
        super().__init__(search)
        self.normal = np.full(search.X.shape, np.nan)

    def __call__(self, rows: Rows) -> None:
        """Estimate the normals, and try what they suggest."""
        search = self.search
        rows = rows[search.left(rows) >= 2 * self.rounds]
        self.measure(rows)
        x, best, radius = search.X[rows], search.points[rows], search.distance[rows]
        step, _ = step_to_hyperplane(
            torch.from_numpy(self.normal[rows]),
            torch.ones(len(rows), dtype=torch.float64),
            search.norm,
            (torch.from_numpy(x - search.low), torch.from_numpy(search.high - x)),
        )
        towards = step.numpy()
        size = search.sizes(towards)
        a = np.flatnonzero(size > 0)
        towards[a] *= (radius[a] / size[a])[:, None]
        found = []
        for part in (1.0, 0.6, 0.3, 0.1):  # a curved boundary takes a part of the step only
            delta = part * towards[a] + (1 - part) * (best[a] - x[a])
            delta *= ((1 - 2 * FINE) * radius[a] / search.sizes(delta))[:, None]
            flipped = search.flipped(rows[a], search.inside(rows[a], x[a] + delta))
            found.append(a[flipped])
            a = a[~flipped]
        self.polish(rows[np.concatenate(found)])

    def measure(self, rows: Rows) -> None:
        """Estimate the normals at the best points."""
        search = self.search
        x, best = search.X[rows], search.points[rows]
        v = best - x
        length = np.linalg.norm(v, axis=1)
        normal = self._scaled(rows, v)
        probe = self._probes(rows, best, self.reach * length)
        i, j = np.nonzero(probe)
        e = probe[i, j]
        log_share = -np.log(np.clip(1 + e * normal[i, j], 0.5, 2))
        low, high = np.full(len(i), -np.inf), np.full(len(i), np.inf)
        step = self.reach / np.sqrt(search.mask.sum())  # as if the normal were spread evenly
        for k in range(self.rounds):
            ray = v[i]
            ray[np.arange(len(i)), j] += e
            points = x[i] + np.exp(log_share)[:, None] * ray
            flipped = search.flipped(rows[i], search.inside(rows[i], points))
            high = np.where(flipped, log_share, high)
            low = np.where(flipped, low, log_share)
            closed = np.isfinite(low) & np.isfinite(high)
            open_end = log_share + np.where(flipped, -step, step) * 2**k
            log_share = np.where(closed, (low + high) / 2, open_end)
        normal[i, j] = np.expm1(-log_share) / e
        self.normal[rows] = normal

    def _scaled(self, rows: Rows, v: Array) -> Array:
        """Scale the last normals to ``w.v = 1``; v itself where there is none that fits."""
        normal = self.normal[rows]
        unfit = ~(np.einsum("nd,nd->n", normal, v) > 0)
        normal[unfit] = v[unfit]
        normal[:, ~self.search.mask] = 0
        scaled: Array = normal / np.einsum("nd,nd->n", normal, v)[:, None]
        return scaled

    def _probes(self, rows: Rows, best: Array, reach: Array) -> Array:
        """How far to go along each feature, at random up or down; 0 for those not tried."""
        search = self.search
        free = np.flatnonzero(search.mask)
        probe = np.zeros(best.shape)
        for k, (row, left) in enumerate(zip(rows, search.left(rows), strict=True)):
            # What is left of the budget after the queries that follow the estimate.
            n_features = min(self.n_features, (int(left) - self.rounds) // self.rounds)
            chosen = search.rngs[row].permutation(free)[:n_features]
            probe[k, chosen] = search.rngs[row].choice([-1.0, 1.0], len(chosen))
        up = np.minimum(search.high - best, reach[:, None])
        down = np.minimum(best - search.low, reach[:, None])
        # The other way where the wall is near.
        upwards = np.where(probe > 0, up >= down / 2, up > 2 * down)
        distance = np.where(upwards, up, -down)
        return np.where((probe != 0) & (np.abs(distance) > FINE * reach[:, None]), distance, 0)
