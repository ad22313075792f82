"""Confidence intervals of the measures, as functions of what is known of each group's mean.

Each takes the summary of the groups, of shape (..., n_groups), and alpha, 1 less the level. It
returns the lower and the upper ends, of shape (...). benchmarks/bench_coverage.py shows how often
they hold.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from robfair._mean_summary import Floats, MeanSummary, combine, mean_ends
from robfair.metrics._interval_extremes import gap_interval, ratio_interval
from robfair.metrics._interval_gini import gini_interval
from robfair.metrics._interval_spread import spread_intervals

# Of the mean over groups: with 2, Weibull distances of shape 0.5 with one group of 30 rows hold in
# 92.4 to 93 % of samples; benchmarks/bench_coverage.py.
_CAUTION = 3


def average(means: MeanSummary, alpha: float) -> tuple[Floats, Floats]:
    """Return the ends for the unweighted mean over groups."""
    n_groups = means.mean.shape[-1]
    mean = combine(means, np.full(n_groups, 1 / n_groups))
    return mean_ends(mean, alpha / 2, caution=_CAUTION if n_groups > 1 else 1)


def gap(means: MeanSummary, alpha: float) -> tuple[Floats, Floats]:
    """Return the ends for the greatest less the least mean."""
    return gap_interval(means[..., None, :], alpha)


def variance(means: MeanSummary, alpha: float, *, ddof: int) -> tuple[Any, Any]:
    """Return the ends for the variance over groups."""
    n_groups = means.mean.shape[-1]
    factor = n_groups / (n_groups - ddof)
    if n_groups == 2:
        low, high = gap(means, alpha)
        return factor * low**2 / 4, factor * high**2 / 4
    low, high = spread_intervals(means, alpha)
    return factor * low[0], factor * high[0]


def dispersion(means: MeanSummary, alpha: float, *, ddof: int) -> tuple[Any, Any]:
    """Return the ends for the standard deviation over groups, divided by their mean."""
    n_groups = means.mean.shape[-1]
    factor = np.sqrt(n_groups / (n_groups - ddof))
    if n_groups == 2:
        low, high = ratio_interval(means, alpha)
        return factor * (1 - high) / (1 + high), factor * (1 - low) / (1 + low)
    low, high = spread_intervals(means, alpha)
    return factor * low[1], factor * high[1]


def inequality(means: MeanSummary, alpha: float) -> tuple[Any, Any]:
    """Return the ends for the Gini coefficient of the means."""
    if means.mean.shape[-1] == 2:
        low, high = dispersion(means, alpha, ddof=0)
        return low / 2, high / 2
    return gini_interval(means, alpha)
