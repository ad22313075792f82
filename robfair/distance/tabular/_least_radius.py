"""The least cost that gains so much, in L-inf, where within a radius every change is free."""

from __future__ import annotations

import numpy as np

from robfair.distance._arrays import Array, Flags
from robfair.distance.tabular._gains import Gains
from robfair.distance.tabular._least_cost import Least

__all__ = ["least_radius"]

HALVINGS = 120  # of a radius: to neighbouring numbers, also where it is tiny beside the box


def least_radius(gains: Gains, near: Array, far: Array, upper: Array) -> Least:
    """Return in L-inf what `least_cost` returns in L2, of the same arguments; all are closed."""
    radius = _radius(gains, far)
    _, steps = _within(gains, np.where(np.isfinite(radius), radius, 0))
    # Switches are free within the radius as well: no more of them than are needed.
    free = gains.space.category_cost <= radius
    rest = far - _gain(gains, radius, gains.n_integers) + gains.switches[:, -1]
    switches = np.where(free, (gains.switches < rest[:, None]).sum(axis=1), 0)
    cost = np.where(radius < upper, radius, np.inf)
    return Least(cost, switches, steps, _radius(gains, near), np.ones(len(near), dtype=bool))


def _radius(gains: Gains, gap: Array) -> Array:
    """Return the least radius within which a gap is gained; inf where there is none."""
    n = gains.n_integers
    cost = np.full((len(gap), 1), gains.space.category_cost * (gains.space.n_blocks > 0))
    top = np.max(np.hstack([cost, gains.room]), axis=1)
    # With open sides: what they gain alone.
    pace = np.where(np.isinf(gains.room), gains.weight, 0).sum(axis=1)
    coarsest = gains.step.max(initial=0)  # by whole steps it may take one more
    enough = gap.clip(min=0) / np.where(pace > 0, pace, 1) * (1 + 1e-9) + coarsest
    high = np.where(np.isinf(top), enough, top)
    reached = _gain(gains, high, n) >= gap
    low = np.zeros(len(gap))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        wide = _gain(gains, middle, n) >= gap
        low, high = np.where(wide, low, middle), np.where(wide, middle, high)
    return np.where(gap <= 0, 0.0, np.where(reached, high, np.inf))


def _within(gains: Gains, radius: Array) -> tuple[Flags, Array]:
    """Tell whether blocks may switch within a radius, and how many steps integers may go."""
    room = np.round(gains.room[:, : gains.n_integers] / gains.step)
    return radius >= gains.space.category_cost, np.minimum(
        np.floor(radius[:, None] / gains.step), room
    )


def _gain(gains: Gains, radius: Array, n: int) -> Array:
    """Return what all changes within a radius gain together."""
    flips, steps = _within(gains, radius)
    moves = np.minimum(radius[:, None], gains.room[:, n:])
    gained = (gains.weight[:, :n] * steps * gains.step).sum(axis=1)
    gained += (gains.weight[:, n:] * moves).sum(axis=1)
    return np.asarray(gained + np.where(flips, gains.switches[:, -1], 0))
