"""Means of a value by group: the kernel of the measures.

Every measure is a statistic of group means. Rob(P) is the mean over a group of the distance where
the prediction is correct and 0 elsewhere, class accuracy is the mean of a correctness indicator,
and EOU compares mean confidences. A measure is therefore a small function of the vector of means,
and its interval one of what is known of each mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._groups import Groups
from robfair._mean_summary import MeanSummary, mean_ends, summarize

# Means whose difference, relative to them, is no more are equal: a few roundings of float32, in
# which many models predict. Distances found by searches differ by far more.
_TIE = 1e-6


@dataclass(frozen=True, eq=False)
class GroupMeans:
    """Means of a value, or of several, within each group."""

    labels: pd.Index[Any]
    blocks: list[NDArray[np.float64]]  # a group's samples: (n_in_group,) or (n_in_group, n_values)
    where: str = ""  # what the rows have in common, for messages: " where y_true is 1"

    @cached_property
    def block_names(self) -> list[str]:
        """Name each block in messages."""
        return [f"{label!r}{self.where}" for label in self.labels]

    def blocks_of(self, n_samples: int) -> list[str]:
        """Name the blocks of so many samples."""
        named = zip(self.block_names, self.blocks, strict=True)
        return [name for name, block in named if len(block) == n_samples]

    @cached_property
    def count(self) -> NDArray[np.intp]:
        """Number of samples by group, of shape (n_groups,)."""
        return np.array([len(block) for block in self.blocks], dtype=np.intp)

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """Mean by group, of shape (n_groups,) or (n_groups, n_values); NaN for an empty group."""
        none = np.full(self.blocks[0].shape[1:], np.nan)
        return np.array([block.mean(axis=0) if len(block) else none for block in self.blocks])

    @cached_property
    def squared_error(self) -> NDArray[np.float64]:
        """Squared standard error s_g^2 / n_g of each mean; NaN where a group has no spread."""
        none = np.full(self.blocks[0].shape[1:], np.nan)
        return np.array(
            [b.var(axis=0, ddof=1) / len(b) if len(b) > 1 else none for b in self.blocks]
        )

    @cached_property
    def summary(self) -> MeanSummary:
        """Means with error, skewness and degrees of freedom, of shape (..., n_groups)."""
        return summarize(self.blocks)


def group_means(values: NDArray[np.float64], groups: Groups, where: str = "") -> GroupMeans:
    """Sort a per-sample value, of shape (n_samples,) or (n_samples, n_values), into its groups.

    `where` is as in `GroupMeans`.
    """
    order = np.argsort(groups.codes, kind="stable")  # a group keeps its order, and its sum its bits
    ends = np.cumsum(np.bincount(groups.codes, minlength=len(groups)))
    return GroupMeans(groups.labels, np.split(values[order], ends[:-1]), where)


def mean_intervals(
    means: GroupMeans, confidence: float | None, limit: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends for each mean by itself, of shape (..., n_groups); NaN without confidence.

    Values lie in [0, limit], and so do the ends; a mean is between its own.
    """
    mean = means.summary.mean
    if confidence is None:
        return np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    return inside(*mean_ends(means.summary, (1 - confidence) / 2), mean, limit)


def inside(low: Any, high: Any, value: Any, limit: float | None) -> tuple[Any, Any]:
    """Keep ends in [0, limit], where all measures lie, and the value between them."""
    high = np.minimum(high, np.inf if limit is None else limit)
    return np.minimum(np.maximum(low, 0.0), value), np.maximum(high, value)


def below_the_mean(means: Any) -> Any:
    """Tell which groups are below the mean over groups, of shape (n_groups,); a tie is not.

    False wherever the mean over groups is NaN.
    """
    mean = np.mean(means)
    return means < mean - _TIE * np.abs(mean)
