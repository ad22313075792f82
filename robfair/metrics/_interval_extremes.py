"""Intervals of the least mean, of the greatest difference and of the least ratio of group means.

"Every group is above x" needs no correction for the number of groups: it is claimed only if each
test says so, and the test of the group that is the worst would have to err (intersection-union,
Berger 1982). "Some group is below x" is shared by the groups that may be the worst.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from robfair._mean_summary import (
    Floats,
    MeanSummary,
    claim_end,
    contrast,
    far_caution,
    mean_ends,
    p_above,
)

# The part of the error that the choice of candidates may cost; benchmarks/bench_coverage.py.
_CHOICE = 0.1
_BISECTIONS = 20  # for six digits

Interval = tuple[Floats, Floats]


def worst_interval(means: MeanSummary, alpha: float) -> Interval:
    """Return the interval of the least mean over the last axis, at level 1 - alpha."""
    lowest, _ = _candidates(means, _CHOICE * alpha / 2)
    low = np.where(lowest, mean_ends(means, alpha / 2)[0], np.inf).min(axis=-1)
    shared = (1 - _CHOICE) * alpha / 2 / lowest.sum(axis=-1, keepdims=True)
    _, high = mean_ends(means, shared, caution=2)
    return low, np.where(lowest, high, np.inf).min(axis=-1)


def gap_interval(means: MeanSummary, alpha: float) -> Interval:
    """Return the interval of the greatest difference between two means of a row, over all rows.

    The means have shape (..., n_rows, n_groups); a row is a question of its own, such as the mean
    confidence in one class.
    """
    n_rows = means.mean.shape[-2]
    pairs = _pairs(means.mean.shape[-1])
    difference = contrast(means, pairs)
    high = mean_ends(difference, alpha / 2)[1].max(axis=(-2, -1))
    lowest, highest = _candidates(means, _CHOICE * alpha / 2 / n_rows)
    used = highest[..., pairs[:, 0]] & lowest[..., pairs[:, 1]]
    shared = (1 - _CHOICE) * alpha / 2 / used.sum(axis=(-2, -1), keepdims=True)
    low = np.where(used, claim_end(difference, shared, far_caution(shared)), 0.0).max(axis=(-2, -1))
    return np.maximum(low, 0.0), high


def ratio_interval(means: MeanSummary, alpha: float) -> Interval:
    """Return the interval of the least over the greatest mean, which lies in [0, 1]."""
    lowest, highest = _candidates(means, _CHOICE * alpha / 2)
    pairs = _pairs(means.mean.shape[-1])
    used = lowest[..., pairs[:, 0]] & highest[..., pairs[:, 1]]
    below = (1 - _CHOICE) * alpha / 2 / used.sum(axis=-1, keepdims=True)
    low = _turn(lambda r: mean_ends(contrast(means, pairs, r), alpha / 2)[0] > 0, used, 0.0, 1.0)
    caution = far_caution(below)
    high = _turn(lambda r: p_above(-contrast(means, pairs, r), caution) < below, used, 1.0, 0.0)
    return low.min(axis=-1), high.min(axis=-1)


def _turn(
    claim: Callable[[Floats], NDArray[np.bool_]],
    used: NDArray[np.bool_],
    claimed: float,
    open_: float,
) -> Floats:
    """Return the ratio at which a claim ceases to hold, by bisection; 1 for unused pairs.

    If it holds anywhere, then at the ratio `claimed`, and at `open_` last.
    """
    near, far = np.full(used.shape, claimed), np.full(used.shape, open_)
    for _ in range(_BISECTIONS):
        middle = (near + far) / 2
        made = claim(middle)
        near, far = np.where(made, middle, near), np.where(made, far, middle)
    return np.where(used, near, 1.0)


def _candidates(means: MeanSummary, p: float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Tell which groups may have the lowest and the highest mean, wrong with probability p."""
    low, high = mean_ends(means, p / means.mean.shape[-1] / 2, caution=2)
    lowest = low <= high.min(axis=-1, keepdims=True)
    return lowest, high >= low.max(axis=-1, keepdims=True)


def _pairs(n_groups: int) -> NDArray[np.intp]:
    """Return every two groups, in both orders, of shape (n_pairs, 2)."""
    return np.argwhere(~np.eye(n_groups, dtype=bool))
