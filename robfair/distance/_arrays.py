"""Types of arrays that the searches share, and the rank of an entry among its equals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Flags", "Indices", "rank"]

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]


def rank(samples: Indices) -> Indices:
    """Count the equal entries before each: a budget or a beam keeps the first few of a sample."""
    order = np.argsort(samples, kind="stable")  # the first of a sample stays the first
    ordered = samples[order]
    out = np.empty(len(samples), dtype=np.intp)
    out[order] = np.arange(len(samples)) - np.searchsorted(ordered, ordered)
    return out
