"""Comparisons of every two groups of an audit, by Welch's t-test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from robfair._group_means import GroupMeans, group_means
from robfair.auditing._numbers import AuditNumbers


@dataclass(frozen=True, eq=False)
class GroupPairs:
    """Every two groups, by position; arrays of shape (n_pairs,)."""

    a: NDArray[np.intp]  # the one of the lower Rob(P)
    b: NDArray[np.intp]
    difference: NDArray[np.float64]  # of their Rob(P), never negative
    error: NDArray[np.float64]  # standard error of the difference
    degrees: NDArray[np.float64]  # of freedom
    p: NDArray[np.float64]


def pair_groups(audit: AuditNumbers, usable: NDArray[np.intp]) -> GroupPairs:
    """Compare every two groups by Welch's t-test."""
    values = _values(audit)
    first, second = (usable[side] for side in np.triu_indices(len(usable), 1))
    swap = values.mean[first] > values.mean[second]
    a, b = np.where(swap, second, first), np.where(swap, first, second)
    difference = values.mean[b] - values.mean[a]
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = values.squared_error[[a, b]]  # inf less inf in a group that is left out
        error = np.sqrt(parts.sum(axis=0))
        spread = (parts**2 / (values.count[[a, b]] - 1)).sum(axis=0)
        # Welch and Satterthwaite's degrees of freedom; infinitely many give the normal law.
        degrees = np.where(error > 0, error**4 / spread, np.inf)
        # Without any spread, as where all distances are capped, there is no error of sampling.
        t = np.where(difference > 0, difference / error, 0.0)
    p = np.asarray(2 * stats.t.sf(t, degrees))
    return GroupPairs(a, b, difference, error, degrees, p)


def holm(p: NDArray[np.float64], level: float) -> NDArray[np.bool_]:
    """Tell which differences stand when all pairs are looked at (Holm's step-down correction)."""
    order = np.argsort(p, kind="stable")  # from the least p on, until the first that fails
    passes = p[order] <= level / np.arange(len(p), 0, -1)
    stands = np.empty(len(p), dtype=bool)
    stands[order] = np.logical_and.accumulate(passes)
    return stands


def _values(audit: AuditNumbers) -> GroupMeans:
    """Return what Rob(P) is the mean of: the capped distance, and 0 where the model is wrong."""
    cap = audit.settings["tau_max"]
    capped = np.minimum(audit.distances.distance, np.inf if cap is None else cap)
    values = np.where(audit.y_true == audit.distances.predicted, capped, 0.0)
    return group_means(values, audit.groups)
