"""Subgroups compared with the other rows: p-values of "not lower", and intervals.

Of few skewed values the spread is known badly, and Hall's test, which allows for that, sees little
in them. The spread of the other rows is known well. A subgroup is lower if its mean is too low for
as many of the other rows; only where its own values spread more must it be too low by their own
spread, too. So a test of many subgroups keeps its level and has power for small ones:
benchmarks/bench_discovery.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from robfair._mean_summary import (
    MeanSummary,
    claim_end,
    combine,
    p_above,
    skewness_of_mean,
    t_quantile,
)

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

# The correction divides by the skewness; at this one it is the identity to eight digits.
_NO_SKEWNESS = -1e-6
# Standard errors that are left to chance: the largest of some ten thousand.
_CHANCE = 4.0


@dataclass(frozen=True, eq=False)
class Moments:
    """Number, mean, variance and skewness of values; arrays of one shape, a subgroup each."""

    n: Floats
    mean: Floats
    variance: Floats
    skewness: Floats

    @classmethod
    def of(cls, sums: Floats) -> Moments:
        """Compute them from the sums of values to the powers 0, 1, 2 and 3, on the first axis."""
        n, one, two, three = sums
        with np.errstate(invalid="ignore", divide="ignore"):
            mean, square, cube = one / n, two / n, three / n
            variance = np.maximum(square - mean**2, 0.0)
            third = cube - 3 * mean * square + 2 * mean**3
            flat = variance <= 1e-12 * square  # rounding
            skewness = np.where(flat, 0.0, third / np.where(flat, 1.0, variance) ** 1.5)
            return cls(n, mean, np.where(flat, 0.0, variance * n / (n - 1)), skewness)

    @property
    def of_mean(self) -> MeanSummary:
        """Summarize the mean."""
        skewness = skewness_of_mean(self.skewness, self.n)
        return MeanSummary(self.mean, self.variance / self.n, skewness, self.n - 1)


@dataclass(frozen=True, eq=False)
class Contrast:
    """Subgroups beside their rest: the rows outside of each."""

    inside: Moments
    rest: Moments

    @property
    def difference(self) -> Floats:
        """Mean of the subgroup less that of the rest."""
        return self.inside.mean - self.rest.mean

    @property
    def error(self) -> Floats:
        """Standard error of the difference, if the subgroup spreads like the rest."""
        with np.errstate(invalid="ignore", divide="ignore"):
            of_one = 1 / self.inside.n + 1 / self.rest.n
            return np.asarray(np.sqrt(self.rest.variance * of_one))

    @property
    def z(self) -> Floats:
        """The difference in standard errors."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(self.difference / self.error)

    @property
    def skewness(self) -> Floats:
        """Skewness of the mean of as many rows of the rest."""
        return np.asarray(self.rest.skewness / np.sqrt(np.maximum(self.inside.n, 1)))

    @property
    def _spreads_more(self) -> Bools:
        return np.asarray(self.inside.variance > self.rest.variance)

    @property
    def _by_own_spread(self) -> MeanSummary:
        means = [vars(part.of_mean).values() for part in (self.inside, self.rest)]
        both = MeanSummary(*(np.stack(pair, axis=-1) for pair in zip(*means, strict=True)))
        return combine(both, [1.0, -1.0])

    def p_lower(self) -> Floats:
        """Return the one-sided p-values of "not lower than the rest"; 1 where nothing is known."""
        # Cornish and Fisher, turned round. Skewness that would help the claim is not used.
        a = np.minimum(self.skewness, _NO_SKEWNESS)
        with np.errstate(invalid="ignore", divide="ignore"):
            root = np.sqrt(np.maximum(1 + 2 * a / 3 * (self.z + a / 6), 0.0))
            p = special.stdtr(self.rest.n - 1, 3 / a * (root - 1))
            own = p_above(-self._by_own_spread)
        p = np.where(self._spreads_more, np.maximum(p, own), p)
        return np.asarray(np.nan_to_num(p, nan=1.0))

    def score(self) -> Floats:
        """Return what a search ranks by, the least first.

        That is the difference to all rows, less what chance may have added in a search among many,
        where something is left: a negative number. The others follow by their p-values.
        """
        sure, p = self.difference + _CHANCE * self.error, self.p_lower()
        outside = self.rest.n / (self.inside.n + self.rest.n)  # of most rows all is nearly the same
        return np.where((sure < 0) & (p < special.ndtr(-_CHANCE)), sure * outside, p)

    def ends(self, p: float) -> tuple[Floats, Floats]:
        """Return the ends of intervals that miss the difference with probability p on each side.

        The upper end is below 0 where `p_lower` is below p.
        """
        q = t_quantile(p, self.rest.n - 1)
        bend = (q**2 - 1) / 6
        lower = self.difference - self.error * (q + np.maximum(self.skewness, 0.0) * bend)
        upper = self.difference + self.error * (q - np.minimum(self.skewness, 0.0) * bend)
        with np.errstate(invalid="ignore", divide="ignore"):
            own = self._by_own_spread
            own_lower, own_upper = claim_end(own, p), -claim_end(-own, p)
        more = self._spreads_more
        lower = np.where(more, np.fmin(lower, own_lower), lower)
        return lower, np.where(more, np.fmax(upper, own_upper), upper)
