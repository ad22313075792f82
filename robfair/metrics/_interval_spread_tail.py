"""The probability that group means differ by so little as was seen, where they differ by more.

The spread of the means around their own mean is the root of a quadratic form in independent errors,
whose mean, variance and skewness have closed forms [1]_. The root is nearly normal but for the
skewness of the errors themselves, which Hall's transformation takes away.

References
----------
.. [1] Mathai and Provost, "Quadratic Forms in Random Variables", 1992.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import special

from robfair._mean_summary import Floats, MeanSummary, combine, hall

# Constants set by benchmarks/bench_coverage.py.
_LEAST, _MOST = 0.7, 0.9  # of the error of the spread: one group is more and more looked at alone
_SLACK = 0.5  # standard errors of what the others make of the spread
_PAST = 0.05  # of the errors lie beyond what Hall's transformation tells, and pass other means


def spread(means: Floats) -> Floats:
    """Return the variance V and the coefficient of variation CV over the last axis, (2, ...)."""
    centre, root = means.mean(axis=-1), means.std(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.stack([root**2, np.where(root > 0, root / centre, 0.0)])


def spread_tail(mu: Floats, means: MeanSummary) -> Floats:
    """Return how often V, and CV, are drawn as small as those of the data where the means are mu.

    Parameters
    ----------
    mu : ndarray of shape (..., lines, points, n_groups)
        True means to be tested.
    means : MeanSummary of shape (..., n_groups)
        The data.

    Returns
    -------
    ndarray of shape (2, ..., lines, points)
        The probability for V and for CV.
    """
    means = means[..., None, None, :]
    root = _Root(mu, means)
    cv = spread(mu)[1]
    # CV is small where the root is less than cv times the mean; without cv, this is the test of V.
    of_v = _tail(root, means, np.zeros_like(cv))
    excess = np.fmax(of_v - _tail_of_leader(mu, means, root.seen), 0.0)
    of_v = of_v - _led(mu, means) * excess
    return np.stack([of_v, _tail(root, means, cv)])


class _Root:
    """The root of the sum of squares around the mean: drawn where the means are mu, and seen."""

    def __init__(self, mu: Floats, means: MeanSummary) -> None:
        n = mu.shape[-1]
        q = means.squared_error
        self.centre = mu.mean(axis=-1)
        self.seen_centre = means.mean.mean(axis=-1)
        dev = mu - self.centre[..., None]
        tr1, tr2, tr3 = _traces(q, n)
        # Mean, variance and third cumulant of the sum of squares, for normal errors.
        expected = (dev**2).sum(axis=-1) + tr1
        variance = 4 * (dev**2 * q).sum(axis=-1) + 2 * tr2
        bilinear = (dev**2 * q**2).sum(axis=-1) - (dev * q).sum(axis=-1) ** 2 / n
        third = 24 * bilinear + 8 * tr3
        root = np.sqrt(expected)
        self.expected = root * (1 - variance / expected**2 / 8)
        self.third = (third - 1.5 * variance**2 / expected) / (2 * root) ** 3
        self.rest = tr2 / (2 * expected)  # variance that is not linear in the errors
        self.slope = dev / root[..., None]
        # Less than equal means would show does not speak for even smaller differences.
        seen = ((means.mean - self.seen_centre[..., None]) ** 2).sum(axis=-1)
        self.seen = np.sqrt(np.maximum(seen, tr1 - 2 / 3 * tr3 / tr2))


def _traces(q: Floats, n: int) -> tuple[Floats, Floats, Floats]:
    """Return the traces of the powers of P diag(q), where P takes the mean of n numbers off."""
    s1, s2, s3 = (np.sum(q**k, axis=-1) for k in (1, 2, 3))
    tr1, tr2 = s1 * (1 - 1 / n), (1 - 2 / n) * s2 + (s1 / n) ** 2
    return tr1, tr2, (1 - 3 / n) * s3 + 3 * s2 * s1 / n**2 - (s1 / n) ** 3


def _leads(mu: Floats, means: MeanSummary) -> Floats:
    """Return the part that each group's error has in that of the sum of squares."""
    return np.asarray((mu - mu.mean(axis=-1, keepdims=True)) ** 2 * means.squared_error)


def _led(mu: Floats, means: MeanSummary) -> Floats:
    """Return 1 where one group makes nearly all of the error of the spread, 0 where none does."""
    parts = _leads(mu, means)
    with np.errstate(invalid="ignore"):  # means that are equal
        share = np.nan_to_num(parts.max(axis=-1) / parts.sum(axis=-1))
    return np.asarray(np.clip((share - _LEAST) / (_MOST - _LEAST), 0.0, 1.0))


def _tail_of_leader(mu: Floats, means: MeanSummary, seen: Floats) -> Floats:
    """Return how often the spread is as small as seen, by the errors of the leading group alone.

    The root is far from linear in the error of a group that lies far off. What the other groups
    make of the sum of squares among themselves is taken off, with some slack for their noise. The
    rest says how far the group may be from the mean of the others.
    """
    n = mu.shape[-1]
    leads = np.arange(n) == _leads(mu, means).argmax(axis=-1)[..., None]
    away = combine(replace(means, mean=mu), np.where(leads, 1.0, -1 / (n - 1)))
    centre = np.where(leads, 0.0, mu).sum(axis=-1, keepdims=True) / (n - 1)
    dev = np.where(leads, 0.0, mu - centre)
    q = np.where(leads, 0.0, means.squared_error)
    tr1, tr2, _ = _traces(q, n - 1)
    others = (dev**2).sum(axis=-1) + tr1
    noise = np.sqrt(4 * (dev**2 * q).sum(axis=-1) + 2 * tr2)
    most = np.sqrt(np.maximum(seen**2 - others + _SLACK * noise, 0.0) / (1 - 1 / n))
    low, high = (-most - away.mean) / away.error, (most - away.mean) / away.error
    return _between(low, high, away.df, away.skewness)


def _tail(root: _Root, means: MeanSummary, cv: Floats) -> Floats:
    n = means.mean.shape[-1]
    slope = root.slope - (cv / np.sqrt(n))[..., None]
    parts = slope**2 * means.squared_error
    linear = parts.sum(axis=-1)
    deviation = np.sqrt(linear + root.rest)
    skewness = (np.sign(slope) * parts**1.5 * means.skewness).sum(axis=-1) / deviation**3
    normal = root.third / deviation**3
    with np.errstate(invalid="ignore", divide="ignore"):
        df = np.where(linear > 0, linear**2 / (parts**2 / means.df).sum(axis=-1), np.inf)
    base = -root.expected - cv * np.sqrt(n) * (root.seen_centre - root.centre)
    # An error that takes the means past each other does not show a small spread.
    low, high = base / deviation, (root.seen + base) / deviation
    # Skewness of the errors counts as in a studentised mean, that of the squares does not.
    return _between(low, high, df, skewness - normal / 2, normal / 4)


def _between(
    low: Floats, high: Floats, df: Floats, skewness: Floats, shift: Floats | float = 0.0
) -> Floats:
    """Return how often the t of a skewed mean is drawn between two values.

    Hall's transformation is flat at -3 / skewness: it tells that an error lies beyond, but not how
    far. If more than `_PAST` of them do, the excess counts as between, which errs on the wide side.
    """

    def below(t: Floats) -> Floats:
        return np.asarray(special.stdtr(df, hall(t, skewness) + shift))

    beyond = below(-3 / np.maximum(skewness, 1e-6))  # none, unless the skewness is positive
    unknown = np.maximum(beyond - _PAST, 0.0)
    return below(high) - np.maximum(below(low) - unknown, 0.0)
