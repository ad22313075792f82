"""The Gini coefficient of three or more group means, and its interval.

The coefficient is at most g on a convex cone, since the sum of absolute differences is the greatest
of the sums of means weighted by ranks, over all orders of the groups. Where the means lie in the
cone, those of the data are no farther from it than noise from the line of equal means, which is
chi-square distributed, and a half-space that holds the cone is no farther either. A weighted sum
that is positive beyond that distance therefore excludes g, also if it is chosen after looking at
the data (Scheffe's method). For the upper end, the test of CV is inverted (`_interval_spread`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robfair._mean_summary import Floats, MeanSummary
from robfair.metrics._interval_spread import (
    last_standing,
    noncentral_radius,
    outward,
    side_errors,
)
from robfair.metrics._interval_spread_tail import spread_tail

_BISECTIONS = 20  # for six digits


def gini(means: Floats) -> Floats:
    """Return the Gini coefficient over the last axis: half the mean difference over the mean."""
    n = means.shape[-1]
    total = means.sum(axis=-1)
    ranked = (np.sort(means) * rank_weights(n)).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(ranked <= 0, 0.0, ranked / total))  # NaN stays


def rank_weights(n: int) -> Floats:
    """Return the weight of each of n sorted numbers in their mean difference."""
    return np.arange(1 - n, n, 2) / n


def gini_interval(means: MeanSummary, alpha: float) -> tuple[Floats, Floats]:
    """Return the interval of the Gini coefficient over the last axis, at level 1 - alpha."""
    seen = gini(means.mean)
    lines = outward(means, alpha / 2)
    tail = spread_tail(lines, means)[1]
    high = last_standing(tail, gini(lines), alpha / 2).max(axis=-1)
    return np.minimum(_lower_end(means, alpha / 2), seen), np.maximum(high, seen)


def _lower_end(means: MeanSummary, p: float) -> Floats:
    """Return the greatest coefficient that some weighted sum excludes, by bisection.

    The least precise groups, from none to all but two, are left out of the sum: they share the
    middle ranks, whose weights nearly cancel.
    """
    n = means.mean.shape[-1]
    error = side_errors(means)
    by_precision = np.argsort(np.argsort(-error, axis=-1), axis=-1)
    weights = np.stack([_weights(means.mean, by_precision < k) for k in range(n - 1)])
    radius = noncentral_radius(p, n - 1, np.zeros(()))
    low, high = np.zeros(weights.shape[:-1]), np.ones(weights.shape[:-1])
    for _ in range(_BISECTIONS):
        g = (low + high) / 2
        terms = weights - g[..., None]
        spread = np.sqrt((terms**2 * error**2).sum(axis=-1))
        excluded = (terms * means.mean).sum(axis=-1) > radius * spread
        low, high = np.where(excluded, g, low), np.where(excluded, high, g)
    return np.asarray(low.max(axis=0))


def _weights(mean: Floats, left_out: NDArray[np.bool_]) -> Floats:
    """Return the weight of each group by its rank, where those left out share the middle ranks."""
    n = mean.shape[-1]
    n_out = left_out.sum(axis=-1, keepdims=True)
    n_below = (n - n_out) // 2
    rank = np.argsort(np.argsort(np.where(left_out, np.inf, mean), axis=-1), axis=-1)
    rank = np.where(rank < n_below, rank, rank + n_out)
    return np.asarray(np.where(left_out, 2 * n_below + n_out - n, 2 * rank + 1 - n) / n)
