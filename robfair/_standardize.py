"""Direct standardisation: means by group, as if every group had the same mix of strata.

Groups that differ in their labels differ in every mean over their rows. The standardised mean of a
group weights its means within strata, such as the true labels, by the shares of the strata in all
rows, so that the mix is the same for every group.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._group_means import GroupMeans, group_means
from robfair._groups import Groups
from robfair._mean_summary import MeanSummary, combine


@dataclass(frozen=True, eq=False)
class StandardizedMeans(GroupMeans):
    """Weighted sums of means within strata; the blocks are cells, group by group."""

    strata: pd.Index[Any] = field(kw_only=True)
    weights: NDArray[np.float64] = field(kw_only=True)  # (n_strata,): their sum is 1

    @cached_property
    def block_names(self) -> list[str]:
        """Name each cell in messages."""
        start = f"{self.where} and" if self.where else " where"
        return [
            f"{group!r}{start} {condition(self.strata, stratum, 'standardize_by')}"
            for group in self.labels
            for stratum in self.strata
        ]

    @cached_property
    def _cells(self) -> GroupMeans:
        return GroupMeans(pd.RangeIndex(len(self.blocks)), self.blocks)

    def _by_group(self, numbers: NDArray[Any]) -> NDArray[Any]:
        return numbers.reshape(len(self.labels), len(self.strata), *numbers.shape[1:])

    def _weighted(self, numbers: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[Any]:
        by_group = self._by_group(numbers)
        weights = weights.reshape(-1, *[1] * (by_group.ndim - 2))
        return np.asarray((by_group * weights).sum(axis=1))

    @cached_property
    def count(self) -> NDArray[np.intp]:
        """Number of samples by group, of shape (n_groups,)."""
        return np.asarray(self._by_group(self._cells.count).sum(axis=1))

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """Standardised mean by group, (n_groups,) or (n_groups, n_values); NaN of an empty cell."""
        return self._weighted(self._cells.mean, self.weights)

    @cached_property
    def squared_error(self) -> NDArray[np.float64]:
        """Squared standard error of each mean; NaN where a cell has no spread."""
        return self._weighted(self._cells.squared_error, self.weights**2)

    @cached_property
    def summary(self) -> MeanSummary:
        """Means with error, skewness and degrees of freedom, of shape (..., n_groups)."""
        numbers = vars(self._cells.summary).values()
        shape = (len(self.labels), len(self.strata))
        rows = MeanSummary(*(each.reshape(*each.shape[:-1], *shape) for each in numbers))
        return weigh_cells(rows, self._by_group(self._cells.count), self.weights)


def weigh_cells(
    cells: MeanSummary, count: NDArray[np.intp], weights: NDArray[np.float64]
) -> MeanSummary:
    """Summarize the weighted sum over the last axis of cells of `count` samples each.

    The degrees of freedom are those of Welch and Satterthwaite, where no cell counts for less than
    it would with the variance that the cells of its group have on average: that of a few samples
    may be small by accident. benchmarks/bench_coverage_labels.py has cells of three.
    """
    variance = cells.squared_error * count
    usual = (variance * count).sum(axis=-1, keepdims=True) / count.sum(axis=-1)[..., None]
    own = weights**2 * cells.squared_error
    floored = weights**2 * np.maximum(variance, usual) / count
    with np.errstate(invalid="ignore", divide="ignore"):
        df = [p.sum(axis=-1) ** 2 / (p**2 / cells.df).sum(axis=-1) for p in (own, floored)]
    return replace(combine(cells, weights), df=np.minimum(*df))


def standardized_means(
    values: NDArray[np.float64], groups: Groups, strata: Groups, where: str = ""
) -> GroupMeans:
    """Return the mean of each group, standardised to the mix of strata in all rows.

    That is the sum over strata s of pi_s times the mean of the values, of shape (n_samples,) or
    (n_samples, n_values), of the group within s. pi_s, the share of s among all rows, counts as
    known: intervals do not allow for its error. `where` is as in `GroupMeans`.
    """
    n_in_stratum = np.bincount(strata.codes, minlength=len(strata))
    used = np.flatnonzero(n_in_stratum)  # within a control value a label may be absent
    if len(used) < 2:  # no samples, or nothing to standardise
        return group_means(values, groups, where)
    codes = groups.codes * len(used) + np.searchsorted(used, strata.codes)
    cells = group_means(values, Groups(codes, pd.RangeIndex(len(groups) * len(used))))
    return StandardizedMeans(
        groups.labels,
        cells.blocks,
        where,
        strata=strata.labels[used],
        weights=n_in_stratum[used] / len(values),
    )


def condition(index: pd.Index[Any], value: Any, unnamed: str) -> str:
    """Say in messages what a stratum holds: "y_true is 1"; `unnamed` stands for a missing name."""
    values = value if index.nlevels > 1 else (value,)
    names = [unnamed if name is None else name for name in index.names]
    return " and ".join(f"{name} is {each!r}" for name, each in zip(names, values, strict=True))
