"""Intervals of the variance V and the coefficient of variation CV of three or more group means.

Noise alone makes means differ, so that the V of the data is too high, and resampling adds the noise
once more. Both ends therefore invert a test. The lower end asks which V are too small for the
differences that were seen, the upper one for which V so little would be seen by a rare accident.
Nothing is drawn at random. With errors that are equal, normal and known, both ends are those of the
noncentral chi-square distribution.
"""

from __future__ import annotations

import numpy as np
from scipy import special

from robfair._mean_summary import Floats, MeanSummary, mean_ends
from robfair.metrics._interval_spread_tail import spread, spread_tail

# Constants set by benchmarks/bench_coverage.py.
_SIDE = 0.005  # the end at this p tells the error of a skewed mean on that side
_PLAUSIBLE = 0.1  # no mean is moved farther than this part of the error allows
_SINGLES = 3  # groups, the least precise ones, that are also moved alone
_INWARD = np.geomspace(1e4, 1e-4, 60)  # weights of "all are equal" against the data
_OUTWARD = np.concatenate([[0.0], np.geomspace(0.03, 60, 24)])  # steps, in standard errors

# Above this the noncentral chi-square quantile has a simple form, exact to four digits.
_FAR = 100.0


def spread_intervals(means: MeanSummary, alpha: float) -> tuple[Floats, Floats]:
    """Return the lower and the upper ends, each of shape (2, ...), of V and of CV.

    V has the divisor n_groups. An interval includes the value of the data.
    """
    seen = spread(means.mean)
    low, high = _lower_ends(means, alpha / 2), _upper_ends(means, alpha / 2)
    return np.minimum(low, seen), np.maximum(high, seen)


def _lower_ends(means: MeanSummary, p: float) -> Floats:
    """Invert a chi-square test along the means nearest to the data, from "all are equal" on.

    All means of one V that are not nearest lie farther from the data, in the distance that the
    test uses, but for the bend of the surface {V = v}: the noncentrality allows for its sharpest.
    """
    error = side_errors(means)
    path = _inward(means.mean, error**2)
    off = (means.mean[..., None, :] - path) / error[..., None, :]
    n_groups = path.shape[-1]
    bend = error.min(axis=-1) / error.max(axis=-1) ** 2
    shift = np.sqrt(n_groups * path.var(axis=-1)) * bend[..., None]
    excess = np.sqrt((off**2).sum(axis=-1)) - (noncentral_radius(p, n_groups - 1, shift) - shift)
    # The first point that stands, and how far before it the test turns.
    first = np.argmax(excess <= 0, axis=-1)[..., None]
    before = np.maximum(first - 1, 0)
    a, b = (np.take_along_axis(excess, at, -1) for at in (before, first))
    part = np.where(a > b, a / np.where(a > b, a - b, 1.0), 0.0)[..., None]
    start, stop = (np.take_along_axis(path, at[..., None], -2) for at in (before, first))
    return np.where(first[..., 0] > 0, spread((start + part * (stop - start))[..., 0, :]), 0.0)


def side_errors(means: MeanSummary) -> Floats:
    """Return the error of each mean on the side of it where the mean of all lies."""
    low, high = mean_ends(means, _SIDE)
    z = special.ndtri(1 - _SIDE)
    down, up = (means.mean - low) / z, (high - means.mean) / z
    error = np.maximum(down, up)
    for _ in range(6):  # errors and centre depend on each other
        weight = 1 / error**2
        centre = (weight * means.mean).sum(-1, keepdims=True) / weight.sum(-1, keepdims=True)
        error = np.where(means.mean > centre, down, up)
    return error


def _inward(mean: Floats, variance: Floats) -> Floats:
    """Return the means nearest to the data at each V up to theirs, (..., n_points, n_groups)."""
    weight = np.median(variance, axis=-1, keepdims=True) / variance
    equal = (weight * mean).sum(-1, keepdims=True) / weight.sum(-1, keepdims=True)
    weight, mean = weight[..., None, :], mean[..., None, :]
    keep = weight / (weight + np.append(_INWARD, 0.0)[:, None])
    centre = (keep * mean).sum(-1, keepdims=True) / keep.sum(-1, keepdims=True)
    path = keep * mean + (1 - keep) * centre
    return np.concatenate([np.broadcast_to(equal[..., None, :], path[..., :1, :].shape), path], -2)


def noncentral_radius(p: float, df: int, shift: Floats) -> Floats:
    """Return the root of the upper p-quantile of noncentral chi-square; shift is squared there."""
    near = np.sqrt(special.chndtrix(1 - p, df, np.minimum(shift, _FAR) ** 2))
    far = shift + special.ndtri(1 - p) + (df - 1) / (2 * np.maximum(shift, 1.0))
    radius: Floats = np.where(shift > _FAR, far, near)
    return radius


def _upper_ends(means: MeanSummary, p: float) -> Floats:
    """Return the greatest V and CV, over lines away from the data, whose test still stands."""
    lines = outward(means, p)
    ends = last_standing(spread_tail(lines, means), spread(lines), p)
    return np.asarray(ends.max(axis=-1))


def outward(means: MeanSummary, p: float) -> Floats:
    """Return lines of means on which V grows where the noise is, (..., lines, points, n_groups).

    One moves each group away from the mean of all by its squared error. The others move one of the
    least precise groups alone, up or down.
    """
    mean, error = means.mean[..., None, :], means.error[..., None, :]
    away = (mean - mean.mean(axis=-1, keepdims=True)) * means.squared_error[..., None, :]
    size = np.sqrt((away**2).sum(axis=-1, keepdims=True))
    typical = np.sqrt((error**2).sum(axis=-1, keepdims=True))
    steps = _OUTWARD[:, None]
    lines = [mean + steps * typical * away / np.where(size > 0, size, 1.0)]
    order = np.argsort(-means.squared_error, axis=-1)
    for k in range(min(_SINGLES, mean.shape[-1])):
        alone = (order[..., [k]] == np.arange(mean.shape[-1]))[..., None, :] * error
        lines += [mean + steps * alone, mean - steps * alone]
    low, high = (end[..., None, None, :] for end in mean_ends(means, _PLAUSIBLE * p))
    plausible = np.clip(np.stack(lines, axis=-3), low, high)
    return np.asarray(np.maximum(plausible, 0.0))  # distances and rates are not negative


def last_standing(tail: Floats, value: Floats, p: float) -> Floats:
    """Return the value at which the tail first falls below p, by linear interpolation.

    The points of a line are the last axis. Where an error is very skewed, the tail rises again
    farther out, in a second branch of Hall's transformation that means nothing.
    """
    standing = np.logical_and.accumulate(tail >= p, axis=-1).sum(axis=-1, keepdims=True)
    here, after = np.maximum(standing - 1, 0), np.minimum(standing, tail.shape[-1] - 1)
    t0, t1, v0, v1 = (np.take_along_axis(x, at, -1) for x in (tail, value) for at in (here, after))
    part = np.where(t0 > t1, (t0 - p) / np.where(t0 > t1, t0 - t1, 1.0), 0.0)
    return np.asarray(v0 + part * (v1 - v0))[..., 0]
