"""Tests of which groups differ in their means: every two of them, also within labels.

Each test asks two that must agree. Welch's t-test names a small group of skewed distances too
often, where the other is large, and Hall's correction for skewness does so where many groups are
small. All tests of one audit are one family (Holm), so that few verdicts name a group where none
differs, however many sentences they have.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair._group_means import GroupMeans, group_means
from robfair._groups import SMALL_GROUP, Groups, cross_labels
from robfair._mean_summary import MeanSummary, claim_end, combine, contrast, p_above, summarize

Mask = NDArray[np.bool_]

# What of the level goes to differences within labels as long as nothing has been found: little,
# since the question is the one over all labels. What that question leaves over goes there too.
_WITHIN = 0.2


@dataclass(frozen=True, eq=False)
class GroupPairs:
    """Every two groups, by position; arrays of shape (n_pairs,)."""

    a: NDArray[np.intp]  # the one of the lower mean
    b: NDArray[np.intp]
    difference: NDArray[np.float64]  # of their means, never negative
    p: NDArray[np.float64]
    summary: MeanSummary  # of the difference
    apart: Mask  # whether they differ by more than the error of sampling

    def least(self, pair: int, level: float) -> float:
        """Return the least difference of a pair, looked at alone, that is larger than chance."""
        one = self.summary[pair]
        return float(one.mean - claim_end(one, level / 2))

    def where(self, a: Any, b: Any) -> Mask:
        """Tell at which pairs the group `a` has the lower and `b` the greater mean."""
        return np.asarray((self.a == a) & (self.b == b))


@dataclass(frozen=True, eq=False)
class GroupTests:
    """The means of groups, over all labels and within each, and the pairs that differ."""

    means: GroupMeans
    cells: list[NDArray[np.float64]]  # the means within each label, of all groups
    pairs: GroupPairs  # over all labels
    within: list[GroupPairs]  # within each label; of no groups where there is one label only
    level: float  # share of wrong claims

    @cached_property
    def vulnerable(self) -> Mask:
        """Groups below the mean over groups by more than the error of sampling.

        Only groups of which a pair says that they are lower than another: what no verdict names
        is not vulnerable.
        """
        n = len(self.means.labels)
        if n < 2 or not np.isfinite(self.means.mean).all():  # there is no mean over groups
            return np.zeros(n, dtype=bool)
        below = combine(self.means.summary[None], np.full((n, n), 1 / n) - np.eye(n))
        usable = usable_groups(self.means)
        stands = np.zeros(n, dtype=bool)
        stands[usable] = holm(2 * p_above(below)[usable]) <= self.level
        return stands & (below.mean > 0) & np.isin(np.arange(n), self.pairs.a[self.pairs.apart])


def row_values(
    correct: Mask, distance: NDArray[np.float64], tau_max: float | None
) -> NDArray[np.float64]:
    """Return what Rob(P) is the mean of: the capped distance, 0 where the model is wrong.

    NaN where a distance is not known.
    """
    capped = np.minimum(distance, np.inf if tau_max is None else tau_max)
    values = np.where(correct, capped, 0.0)
    return np.where(np.isinf(values), np.nan, values)


def error_level(confidence: float | None) -> float:
    """Return the share of wrong claims that a verdict may make; 0.05 without a confidence."""
    return 0.05 if confidence is None else 1 - float(confidence)


def compare_groups(
    values: NDArray[np.float64], groups: Groups, labels: Groups, level: float
) -> GroupTests:
    """Test every two groups, over all labels and within each, as one family.

    `values` has shape (n_samples,), NaN or infinity where one is unknown. Groups with such a value,
    and those that are small, are left out.
    """
    means = group_means(values, groups)
    every = group_means(values, cross(labels, groups))
    n = len(groups)
    cells = [
        GroupMeans(groups.labels, every.blocks[first : first + n])
        for first in range(0, n * len(labels), n)
    ]
    pairs = _pairs(means)
    # Within the only label there is nothing but what there is over all.
    within = [_pairs(cell) for cell in cells] if len(cells) > 1 else []
    n_within = max(sum(len(each.p) for each in within), 1)
    weights = [np.full(len(pairs.p), (1 - _WITHIN) / max(len(pairs.p), 1))]
    weights += [np.full(len(each.p), _WITHIN / n_within) for each in within]
    all_p = np.concatenate([pairs.p, *(each.p for each in within)])
    stands = np.split(
        holm(all_p, np.concatenate(weights)) <= level, np.cumsum([len(w) for w in weights])[:-1]
    )
    pairs, *within = (
        replace(each, apart=apart) for each, apart in zip((pairs, *within), stands, strict=True)
    )
    return GroupTests(means, [cell.mean for cell in cells], pairs, within, level)


def cross(labels: Groups, groups: Groups) -> Groups:
    """Cross two partitions; unlike the columns of one, with the combinations that nobody has."""
    codes = labels.codes * len(groups) + groups.codes
    return Groups(codes, cross_labels(labels.labels, groups.labels))


def usable_groups(means: GroupMeans) -> Mask:
    """Tell which groups can be compared: their mean is known, and they are not small."""
    # Of fewer rows neither the spread nor the skewness is known.
    return np.isfinite(means.mean) & (means.count >= SMALL_GROUP)


def _pairs(means: GroupMeans) -> GroupPairs:
    usable = np.flatnonzero(usable_groups(means))
    first, second = np.triu_indices(len(usable), 1)
    if not len(first):
        none = np.empty(0)
        summary = MeanSummary(none, none, none, none)
        return GroupPairs(first, second, none, none, summary, np.empty(0, dtype=bool))
    known = summarize([means.blocks[group] for group in usable])
    swap = known.mean[first] > known.mean[second]
    low, high = np.where(swap, second, first), np.where(swap, first, second)
    difference = contrast(known, np.stack([high, low], axis=-1))
    # NaN where all distances are 0, so that nothing differs.
    p = np.fmin(2 * p_above(difference), 1.0)
    apart = np.zeros(len(p), dtype=bool)
    return GroupPairs(usable[low], usable[high], difference.mean, p, difference, apart)


def holm(p: NDArray[np.float64], weights: NDArray[np.float64] | None = None) -> Any:
    """Correct p-values for their number (Holm's step-down correction); NaN stays, as the greatest.

    The level is shared out by the weights, and what a difference that stands had goes to the rest.
    """
    weights = np.ones(len(p)) if weights is None else weights
    order = np.argsort(p / weights, kind="stable")
    left = np.cumsum(weights[order][::-1])[::-1]
    corrected = np.empty(len(p))
    steps = np.maximum.accumulate(p[order] * left / weights[order])
    corrected[order] = np.minimum(steps, 1.0)
    return corrected
