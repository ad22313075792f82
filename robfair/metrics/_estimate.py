"""Values of measures and their confidence intervals, computed from group means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair._group_means import GroupMeans, inside
from robfair._mean_summary import MeanSummary
from robfair._text import few
from robfair._warnings import ALL_ZERO, warn_undefined


class Estimate(float):
    """A float with an optional confidence interval.

    It is a float wherever a float is expected: in arithmetic (which gives plain floats), in
    formatting, in scikit-learn's scorers.

    Parameters
    ----------
    value : float
        The value of the measure on the data.
    interval : tuple of (float, float), default=None
        The lower and the upper end of the interval.

    Attributes
    ----------
    interval : tuple of (float, float) or None
        The ends of the interval; None if none was asked for.

    Examples
    --------
    >>> from robfair.metrics import Estimate
    >>> Estimate(0.25)
    0.25
    >>> spread = Estimate(0.25, (0.125, 0.5))
    >>> spread
    Estimate(0.25, interval=(0.125, 0.5))
    >>> spread.interval[1], 2 * spread
    (0.5, 0.5)
    """

    __slots__ = ("interval",)

    interval: tuple[float, float] | None

    def __new__(cls, value: float, interval: tuple[float, float] | None = None) -> Estimate:
        self = super().__new__(cls, value)
        self.interval = interval
        return self

    def __repr__(self) -> str:
        if self.interval is None:
            return float.__repr__(self)
        return f"Estimate({float.__repr__(self)}, interval={self.interval!r})"

    # The oldest pickle protocols do not know slots.
    def __reduce__(self) -> tuple[type[Estimate], tuple[float, tuple[float, float] | None]]:
        return type(self), (float(self), self.interval)


def check_level(confidence_level: Any) -> None:
    """Raise TypeError or ValueError unless it is None or the level of an interval."""
    if confidence_level is None:
        return
    if isinstance(confidence_level, bool) or not isinstance(
        confidence_level, int | float | np.number
    ):
        raise TypeError(
            f"confidence_level must be a number or None; got {confidence_level!r}. Pass 0.95 for a "
            "95 % interval, or None for none."
        )
    if not 0 < confidence_level < 1:
        raise ValueError(
            f"confidence_level must be between 0 and 1; got {confidence_level!r}. Pass 0.95 for a "
            "95 % interval, or None for none."
        )


def estimate(
    measure: str,
    statistic: Callable[[NDArray[np.float64]], Any],
    sample: GroupMeans,
    confidence_level: float | None,
    ends: Callable[[MeanSummary, float], tuple[Any, Any]],
    *,
    min_groups: int = 2,
    offset: float = 0.0,
    limit: float | None = None,
) -> Estimate:
    """Reduce group means to a measure and, if asked for, its confidence interval.

    `statistic` maps the means, and `ends` their summary and 1 less the level. `offset` is added to
    the value, and `limit` is the greatest value that the measure may have. NaN, with a warning, if
    the measure is undefined or of too few groups.
    """
    if warn_few_groups(measure, sample, min_groups):
        return undefined(confidence_level)
    value = float(statistic(sample.mean)) + offset
    if np.isnan(value):
        return undefined(confidence_level)
    if confidence_level is None:
        return Estimate(value)
    if not np.isfinite(sample.summary.squared_error).all():
        single = sample.blocks_of(1)
        reason = f"one sample ({few(single)})" if single else "no value above 0"
        warn_undefined(
            "Each interval",
            f"groups have {reason}, and their spread is unknown. Use more data, or a coarser "
            "partition.",
            None if sample.mean.any() else ALL_ZERO,
        )
        return Estimate(value, (np.nan, np.nan))
    low, high = ends(sample.summary, 1 - confidence_level)
    low, high = (float(end) for end in inside(low, high, value, limit))
    return Estimate(value, (low, high))


def undefined(confidence_level: float | None) -> Estimate:
    """Return NaN, with an interval where one is asked for."""
    return Estimate(np.nan, None if confidence_level is None else (np.nan, np.nan))


def warn_few_groups(measure: str, sample: GroupMeans, min_groups: int) -> bool:
    """Warn and return True if there are too few groups."""
    if len(sample.labels) >= min_groups:
        return False
    only = next(iter(sample.labels))
    warn_undefined(
        measure, f"there is only one group ({only!r}) to compare. Use data of two or more."
    )
    return True


def warn_empty(measure: str, samples: Sequence[GroupMeans]) -> bool:
    """Warn and return True if groups, or cells of them, have no samples."""
    empty = [name for sample in samples for name in sample.blocks_of(0)]
    if empty:
        n_blocks = sum(len(sample.blocks) for sample in samples)
        warn_undefined(
            measure,
            f"{len(empty)} of {n_blocks} groups have no samples: {few(empty)}. Use data that hold "
            "all of them, or a coarser partition.",
        )
    return bool(empty)


def warn_of_zeros(measure: str, sample: GroupMeans) -> None:
    """Warn that a measure relative to the size of the means is undefined, if all of them are 0."""
    if len(sample.labels) > 1 and not sample.mean.any():  # of one group `estimate` warns
        warn_undefined(
            measure,
            f"Rob(f) is 0{sample.where}, as no sample is both classified correctly and away from "
            "the boundary. Look at the accuracy.",
            ALL_ZERO,
        )
