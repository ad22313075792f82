"""Means of a value by group, and their bootstrap: the kernel of the measures.

Every measure is a statistic of group means. Rob(P) is the mean over a group of the distance where
the prediction is correct and 0 elsewhere, class accuracy is the mean of a correctness indicator,
and EOU compares mean confidences. A measure is therefore a small function of the vector of means,
and its bootstrap distribution is that function applied to resampled vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._groups import Groups

# Means whose difference, relative to them, is no more are equal: a few roundings of float32, in
# which many models predict. Distances found by searches differ by far more.
_TIE = 1e-6

# Draws made at once. 2**18 of them (2 MiB) stay in cache; ten times more take twice as long.
_DRAWS_AT_ONCE = 2**18


@dataclass(frozen=True, eq=False)
class GroupMeans:
    """Means of a value, or of several, within each group."""

    labels: pd.Index[Any]
    blocks: list[NDArray[np.float64]]  # a group's samples: (n_in_group,) or (n_in_group, n_values)

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

    def replicates(self, n_boot: int, generator: np.random.Generator) -> NDArray[np.float64]:
        """Resample within each group, of n samples to n; return the n_boot means of each.

        They have shape (n_boot, n_groups) or (n_boot, n_groups, n_values), and are NaN where the
        mean of the group is.
        """
        drawn = np.full((n_boot, *self.mean.shape), np.nan)
        for group, block in enumerate(self.blocks):
            # A NaN must reach every replicate, also those that happen not to draw its sample.
            if np.isfinite(self.mean[group]).all():
                drawn[:, group] = _resampled_means(block, n_boot, generator)
        return drawn


def group_means(values: NDArray[np.float64], groups: Groups) -> GroupMeans:
    """Sort a per-sample value, of shape (n_samples,) or (n_samples, n_values), into its groups."""
    order = np.argsort(groups.codes, kind="stable")  # a group keeps its order, and its sum its bits
    ends = np.cumsum(np.bincount(groups.codes, minlength=len(groups)))
    return GroupMeans(groups.labels, np.split(values[order], ends[:-1]))


def below_the_mean(means: Any) -> Any:
    """Tell which groups are below the mean over groups, of shape (n_groups,); a tie is not.

    False wherever the mean over groups is NaN.
    """
    mean = np.mean(means)
    return means < mean - _TIE * np.abs(mean)


def _resampled_means(
    block: NDArray[np.float64], n_boot: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    n = len(block)
    rows = max(1, _DRAWS_AT_ONCE // n)
    means = np.empty((n_boot, *block.shape[1:]))
    for start in range(0, n_boot, rows):
        m = min(rows, n_boot - start)
        draws = generator.integers(n, size=(m, n))
        draws += n * np.arange(m)[:, np.newaxis]
        # Counts of the draws of each sample: one product then serves any number of values.
        times = np.bincount(draws.ravel(), minlength=m * n).reshape(m, n)
        means[start : start + m] = times @ block / n
    return means
