"""Comparisons of every two groups of an audit, and the correction for their number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from robfair._group_means import GroupMeans, group_means
from robfair._mean_summary import MeanSummary, claim_end, contrast, p_above, summarize
from robfair.auditing._numbers import AuditNumbers


@dataclass(frozen=True, eq=False)
class GroupPairs:
    """Every two groups, by position; arrays of shape (n_pairs,)."""

    a: NDArray[np.intp]  # the one of the lower Rob(P)
    b: NDArray[np.intp]
    difference: NDArray[np.float64]  # of their Rob(P), never negative
    p: NDArray[np.float64]
    summary: MeanSummary  # of the difference

    def least(self, pair: int, level: float) -> float:
        """Return the least difference of a pair, looked at alone, that is larger than chance."""
        one = self.summary[pair]
        return float(one.mean - claim_end(one, level / 2))


def pair_groups(audit: AuditNumbers, usable: NDArray[np.intp]) -> GroupPairs:
    """Compare every two groups by two tests, which must agree.

    Welch's t-test names a small group of skewed distances too often, where the other is large, and
    Hall's correction for skewness does so where many groups are small.
    """
    blocks = group_values(audit).blocks
    means = summarize([blocks[group] for group in usable])
    first, second = np.triu_indices(len(usable), 1)
    swap = means.mean[first] > means.mean[second]
    low, high = np.where(swap, second, first), np.where(swap, first, second)
    difference = contrast(means, np.stack([high, low], axis=-1))
    # NaN where all distances are 0, so that nothing differs.
    p = np.fmin(2 * p_above(difference), 1.0)
    return GroupPairs(usable[low], usable[high], difference.mean, p, difference)


def holm(p: NDArray[np.float64], level: float) -> NDArray[np.bool_]:
    """Tell which differences stand when all pairs are looked at (Holm's step-down correction)."""
    order = np.argsort(p, kind="stable")  # from the least p on, until the first that fails
    passes = p[order] <= level / np.arange(len(p), 0, -1)
    stands = np.empty(len(p), dtype=bool)
    stands[order] = np.logical_and.accumulate(passes)
    return stands


def error_level(audit: AuditNumbers) -> float:
    """Return the share of wrong claims that a verdict may make; 0.05 for an audit without level."""
    confidence = audit.settings["confidence"]
    return 0.05 if confidence is None else 1 - float(confidence)


def group_values(audit: AuditNumbers) -> GroupMeans:
    """Return what Rob(P) is the mean of: the capped distance, and 0 where the model is wrong."""
    cap = audit.settings["tau_max"]
    capped = np.minimum(audit.distances.distance, np.inf if cap is None else cap)
    values = np.where(audit.y_true == audit.distances.predicted, capped, 0.0)
    return group_means(values, audit.groups)
