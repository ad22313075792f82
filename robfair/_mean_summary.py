"""Summaries of group means for intervals and tests: mean, error, skewness, degrees of freedom.

The mean of few skewed values is skewed too, and Student's t misses on one side. Hall's cubic
transformation of t takes the skewness away; it is monotone, and its inverse is closed, so that an
interval needs no resampling [1]_. A weighted sum of the means of independent groups has the four
numbers again: cumulants add up, and Welch and Satterthwaite give the degrees of freedom.

References
----------
.. [1] Hall, "On the Removal of Skewness by Transformation", JRSS B, 1992.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Floats = NDArray[np.float64]

# The skewness of n values is too small where n is, and this corrects it: times 1 + 15 / n. Set by
# benchmarks/bench_coverage.py on lognormal values, with 15 to 150 in a group.
_SKEWNESS = 15

# Hall's transformation divides by the skewness. At this one it is the identity to eight digits.
_NO_SKEWNESS = 1e-6


@dataclass(frozen=True, eq=False)
class MeanSummary:
    """Independent means; arrays of shape (..., n_groups), NaN where the spread is unknown."""

    mean: Floats
    squared_error: Floats  # of the mean
    skewness: Floats  # of the mean: that of the values, divided by the root of their number
    df: Floats

    def __getitem__(self, index: Any) -> MeanSummary:
        """Index each of the arrays."""
        return MeanSummary(*(numbers[index] for numbers in vars(self).values()))

    def __neg__(self) -> MeanSummary:
        """Change the sign of each mean."""
        return replace(self, mean=-self.mean, skewness=-self.skewness)

    @property
    def error(self) -> Floats:
        """Standard error of each mean."""
        return np.asarray(np.sqrt(self.squared_error))


def summarize(blocks: Sequence[Floats]) -> MeanSummary:
    """Summarize the values of each group, of shape (n_in_group, ...).

    The groups become the last axis. The spread of a group of one value is unknown.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        # A positive value, for a group that has none.
        usual = sum(np.fmax(block, 0.0).sum(axis=0) for block in blocks)
        usual = usual / sum((block > 0).sum(axis=0) for block in blocks)
        numbers = [_summarize_one(block, np.nan_to_num(usual)) for block in blocks]
    return MeanSummary(*(np.stack(each, axis=-1) for each in zip(*numbers, strict=True)))


def _summarize_one(block: Floats, usual: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    n = len(block)
    shape = block.shape[1:]
    unknown = np.full(shape, np.nan)
    mean = block.mean(axis=0) if n else unknown
    if n < 2:
        return mean, unknown, unknown, unknown
    centred = block - mean
    variance = np.mean(centred**2, axis=0)
    third = np.mean(centred**3, axis=0)
    # Values that are 0 or c, as rates are: none of fifty does not mean that there are none. The
    # spread is that of the values and one more of each.
    size = np.abs(block).max(axis=0)
    top = np.where(size > 0, block.max(axis=0), usual)
    two_valued = ((block == 0) | (block == top)).all(axis=0)
    share = ((block > 0).sum(axis=0) + 1) / (n + 2)
    variance = np.where(two_valued, top**2 * share * (1 - share), variance)
    third = np.where(two_valued, top * variance * (1 - 2 * share), third)
    # All values of all groups are 0: there is no scale for what may be.
    variance = np.where((size > 0) | (usual > 0), variance, np.nan)
    # A group of equal values has rounding for a spread, and no skewness.
    flat = variance <= (8 * np.finfo(float).eps * size) ** 2
    skewness = np.where(flat, 0.0, third / np.where(flat, 1.0, variance) ** 1.5)
    return mean, variance / (n - 1), skewness_of_mean(skewness, n), np.full(shape, n - 1.0)


def skewness_of_mean(skewness: Floats, n: float | Floats) -> Floats:
    """Return the skewness of the mean of n values of a skewness that was computed from them."""
    return np.asarray((1 + _SKEWNESS / n) * skewness / np.sqrt(n))


def combine(means: MeanSummary, weights: ArrayLike) -> MeanSummary:
    """Summarize a weighted sum over the last axis of the means, of shape (...,).

    Welch and Satterthwaite trust a small group whose spread happens to be small. Among many groups
    or pairs there is one, so that the degrees of freedom of the smallest are the limit.
    """
    weights = np.asarray(weights, dtype=float)
    parts = weights**2 * means.squared_error
    squared_error = parts.sum(axis=-1)
    third = (np.sign(weights) * parts**1.5 * means.skewness).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        skewness = third / squared_error**1.5
        df = squared_error**2 / (parts**2 / means.df).sum(axis=-1)
    df = np.minimum(df, means.df.min(axis=-1))
    return MeanSummary((weights * means.mean).sum(axis=-1), squared_error, skewness, df)


def contrast(
    means: MeanSummary, pairs: NDArray[np.intp], ratio: float | Floats = 1.0
) -> MeanSummary:
    """Summarize the first mean of each pair less a ratio of the second, of shape (..., n_pairs)."""
    both = means[..., pairs]
    second = np.broadcast_to(-np.asarray(ratio), both.mean.shape[:-1])
    return combine(both, np.stack([np.ones_like(second), second], axis=-1))


def hall(t: Floats, skewness: Floats) -> Floats:
    """Take the skewness out of a studentised mean: about t-distributed then, and increasing."""
    a = _nonzero(skewness)
    return np.asarray(((1 + a * t / 3) ** 3 - 1) / a + a / 6)


def hall_inverse(y: Floats, skewness: Floats) -> Floats:
    """Undo `hall`."""
    a = _nonzero(skewness)
    return np.asarray(3 / a * (np.cbrt(1 + a * (y - a / 6)) - 1))


def _nonzero(skewness: Floats) -> Floats:
    return np.where(np.abs(skewness) < _NO_SKEWNESS, _NO_SKEWNESS, skewness)


def t_quantile(p: float | Floats, df: Floats) -> Floats:
    """Return the t above which a share p of the distribution lies."""
    return np.asarray(-special.stdtrit(df, p), dtype=np.float64)


def mean_ends(
    means: MeanSummary, p: float | Floats, *, caution: float | Floats = 1
) -> tuple[Floats, Floats]:
    """Return the lower and the upper end that miss a mean with probability p each.

    `caution` divides the degrees of freedom. It is 2 for claims about several groups, in which p is
    small and the tails of the distribution count.
    """
    y = t_quantile(p, means.df / caution)
    lower = means.mean - means.error * hall_inverse(y, means.skewness)
    return lower, means.mean - means.error * hall_inverse(-y, means.skewness)


def far_caution(p: float | Floats) -> Floats:
    """Return the `caution` of a claim at a small p: more than 2 where some forty claims share.

    Set by benchmarks/bench_coverage.py, on the gap of twenty groups of a heavy tail.
    """
    return np.asarray(np.maximum(2.0, -np.log10(p) - 1.2))


def p_above(means: MeanSummary, caution: float | Floats = 2) -> Floats:
    """Return the one-sided p-value of "not above 0", for a claim.

    It is the larger one of Hall's, cautious, and of Welch's: where small skewed groups are equal
    the one rejects too often, and where a small one meets a large one the other does.
    """
    t = means.mean / means.error
    by_hall = special.stdtr(means.df / caution, -hall(t, means.skewness))
    return np.asarray(np.maximum(by_hall, special.stdtr(means.df, -t)), dtype=np.float64)


def claim_end(means: MeanSummary, p: float | Floats, caution: float | Floats = 2) -> Floats:
    """Return the greatest lower end that may be claimed at p: `p_above`, turned round."""
    by_t = means.mean - means.error * t_quantile(p, means.df)
    return np.minimum(mean_ends(means, p, caution=caution)[0], by_t)
