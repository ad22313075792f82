"""Differences between groups, overall or inside each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import stats

__all__ = ["common_means", "groups_differ"]

LEVEL = 0.05  # of the test
Floats = NDArray[np.float64]


def common_means(values: Floats, there: NDArray[np.bool_]) -> Floats:
    """Return the mean of each row of `values`, in its shape: each group that is there counts once.

    A mean of 0, of a class that is never predicted, is raised to a thousandth of the largest.
    """
    means = np.where(there, values, 0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    means = np.maximum(means, 1e-3 * means.max())
    return np.broadcast_to(means[:, None], values.shape)


def groups_differ(values: Floats, errors: Floats, there: NDArray[np.bool_]) -> bool:
    """Tell whether values in a row differ by more than their standard errors (Cochran's Q)."""
    weight = np.where(there, 1 / errors**2, 0)
    total = np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    mean = (weight * values).sum(axis=1, keepdims=True) / total
    q = float((weight * (values - mean) ** 2).sum())
    freedom = int(there.sum() - there.any(axis=1).sum())
    return freedom > 0 and float(stats.chi2.sf(q, freedom)) < LEVEL
