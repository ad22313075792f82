"""Types of arrays that the searches share, and the rank of an entry among its equals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "Flags", "Indices", "rank"]

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]


def rank(samples: Indices) -> Indices:
    """Count the equal entries before each entry.

    Searches ask about several points of one sample at once; the rank numbers these points, so that
    a budget or a beam can keep the first few of each sample.
    """
    order = np.argsort(samples, kind="stable")
    ordered = samples[order]
    out = np.empty(len(samples), dtype=np.intp)
    out[order] = np.arange(len(samples)) - np.searchsorted(ordered, ordered)
    return out
