"""Types of arrays that the searches share, and the rank of an entry among its equals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]
Flags = NDArray[np.bool_]


def rank(samples: Indices) -> Indices:
    """Count the equal entries before each entry.

    It numbers the points of a sample that are asked about together, so that a budget or a beam can
    keep the first few of each.
    """
    order = np.argsort(samples, kind="stable")  # equal entries keep their order
    ordered = samples[order]
    out = np.empty(len(samples), dtype=np.intp)
    out[order] = np.arange(len(samples)) - np.searchsorted(ordered, ordered)
    return out
