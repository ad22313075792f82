"""Reduce perturbations while the label stays flipped: towards the sample, or feature by feature."""

from __future__ import annotations

import numpy as np

from robfair.distance._arrays import Array, Flags, Indices
from robfair.distance.labels._state import DecisionState

Pairs = tuple[Indices, Indices]  # of a sample and one of its features

# In brackets what halving and doubling do to the length in bench_constants.
FINE = 1e-3  # relative precision of the points that are returned (the same, -0.2 %)
FIRST = 0.02  # first step inwards from a point that is probably near the boundary (the same)


def shrink(
    state: DecisionState, samples: Indices, ends: Array, first: float, tolerance: float
) -> Array:
    """Go from flipped points towards their samples, as far as the label stays flipped.

    Steps double from `first`, a share of the perturbation, until one fails; then the bracket is
    bisected to a relative `tolerance`. Return the flipped points; samples may repeat.
    """
    points = ends.copy()
    inner, outer = np.zeros(len(samples)), np.ones(len(samples))
    step, failed = np.full(len(samples), first), np.zeros(len(samples), dtype=bool)
    while True:
        a = np.flatnonzero((outer - inner > tolerance * outer) & (state.left(samples) > 0))
        if len(a) == 0:
            return points
        t = (inner[a] + outer[a]) / 2
        # No further inwards than the middle of the bracket, however long the step.
        t = np.where(failed[a], t, np.maximum(t, outer[a] - step[a]))
        tried = state.inside(samples[a], _between(state, samples[a], ends[a], t))
        flipped = state.flipped(samples[a], tried)
        points[a[flipped]] = tried[flipped]
        outer[a[flipped]], inner[a[~flipped]] = t[flipped], t[~flipped]
        failed[a[~flipped]] = True
        step[a] *= 2


def _between(state: DecisionState, samples: Indices, ends: Array, t: Array) -> Array:
    """Points at a share t of the distance of the ends."""
    x = state.X[samples]
    delta = ends - x
    if state.norm == 2:
        return x + t[:, None] * delta
    # In L-inf only the largest moves count. If the model is constant on some box that holds the
    # end, as trees are, clipping them finds the point of that box that is nearest to the sample.
    size = t[:, None] * np.abs(delta).max(axis=1, keepdims=True)
    return x + np.clip(delta, -size, size)


def polish(state: DecisionState, samples: Indices) -> None:
    """Go straight inwards from the best points."""
    shrink(state, samples, state.points[samples], FIRST, FINE)


def return_features(state: DecisionState, samples: Indices, points: Array, halvings: int) -> None:
    """Return features to the sample's values one by one, then as many as flip together.

    Features that cannot return all the way are bisected in `halvings` rounds.
    """
    x = state.X[samples]
    delta = points - x
    if len(samples) == 0:
        return
    # The longest moves, since their return would gain most.
    order = np.argsort(-np.abs(delta), axis=1, kind="stable")
    tried = np.zeros(delta.shape, dtype=bool)
    np.put_along_axis(tried, order[:, : state.n_features], True, axis=1)
    i, j = np.nonzero(tried & (delta != 0))
    kept = np.ones(delta.shape)
    kept[i, j] = np.where(_alone(state, samples, x, delta, (i, j), np.zeros(len(i))), 0, 1)
    delta = _together(state, samples, x, delta, kept)
    if halvings == 0:
        return
    i, j = np.nonzero(tried & (delta != 0))
    low, high = np.zeros(len(i)), np.ones(len(i))
    for _ in range(halvings):
        share = (low + high) / 2
        flipped = _alone(state, samples, x, delta, (i, j), share)
        low, high = np.where(flipped, low, share), np.where(flipped, share, high)
    kept = np.ones(delta.shape)
    kept[i, j] = high
    _together(state, samples, x, delta, kept)


def _alone(
    state: DecisionState, samples: Indices, x: Array, delta: Array, at: Pairs, share: Array
) -> Flags:
    """Tell whether a point stays flipped when a share of one feature's move is kept."""
    i, j = at
    points = x[i] + delta[i]
    points[np.arange(len(i)), j] = x[i, j] + share * delta[i, j]
    return state.flipped(samples[i], state.inside(samples[i], points))


def _together(state: DecisionState, samples: Indices, x: Array, delta: Array, kept: Array) -> Array:
    """Keep these shares of the moves, for as many features as leave the label flipped.

    Those that gain most come first; their number is found by bisection.
    """
    gain = delta**2 * (1 - kept**2)
    place = np.argsort(np.argsort(-gain, axis=1, kind="stable"), axis=1)
    possible, too_many = np.zeros(len(samples), dtype=np.intp), (gain > 0).sum(axis=1) + 1
    count = too_many - 1  # all of them first
    while True:
        a = np.flatnonzero((too_many - possible > 1) & (state.left(samples) > 0))
        if len(a) == 0:
            break
        moved = x[a] + delta[a] * np.where(place[a] < count[a, None], kept[a], 1)
        flipped = state.flipped(samples[a], state.inside(samples[a], moved))
        possible[a[flipped]], too_many[a[~flipped]] = count[a[flipped]], count[a[~flipped]]
        count = (possible + too_many) // 2
    return np.asarray(delta * np.where(place < possible[:, None], kept, 1))
