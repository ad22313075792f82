"""Thresholds of trees that see float32, as thresholds of float64."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["last_left"]


def last_left(threshold: ArrayLike, *, strict: bool = False) -> NDArray[np.float64]:
    """Return the greatest float64 that goes left where float32 numbers are compared.

    Parameters
    ----------
    threshold : array-like of float
        What the trees compare with, in float64 or float32.
    strict : bool, default=False
        Whether left is ``float32(x) < threshold``, as in XGBoost, and not
        ``float32(x) <= threshold``, as in scikit-learn.

    Returns
    -------
    ndarray of float64
        Numbers t such that x goes left if and only if ``x <= t``, in float64.

    Examples
    --------
    >>> float(last_left(0.5)) > 0.5  # this number still rounds to 0.5 in float32
    True
    >>> float(last_left(0.5, strict=True)) < 0.5
    True
    """
    t = np.asarray(threshold, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        below: NDArray[Any] = t.astype(np.float32)
        too_far = below >= t if strict else below > t
        below = np.where(too_far, np.nextafter(below, np.float32(-np.inf)), below)
        above = np.nextafter(below, np.float32(np.inf))
        # Exact in float64. It rounds to the even one of its neighbours, on either side of t.
        middle = (_finite(below) + _finite(above)) / 2
        rounded = middle.astype(np.float32)
        left = rounded < t if strict else rounded <= t
        split: NDArray[np.float64] = np.where(left, middle, np.nextafter(middle, -np.inf))
    return np.where(np.isposinf(below) | np.isneginf(t) & strict, t, split)


def _finite(single: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return float64 numbers; infinity begins where the next number of float32 would be."""
    return np.clip(single.astype(np.float64), -(2.0**128), 2.0**128)
