"""The least step between values as a column writes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

MOST_PLACES = 9  # beyond these, values are taken to be real numbers


def is_whole(values: pd.Series[Any]) -> bool:
    """Tell whether a column holds integers, also as pandas writes them beside gaps."""
    dtype = values.dtype
    if pd.api.types.is_integer_dtype(dtype) or not pd.api.types.is_float_dtype(dtype):
        return bool(pd.api.types.is_integer_dtype(dtype))
    known = values.dropna().to_numpy(dtype=np.float64)
    return 0 < len(known) < len(values) and bool((known == np.round(known)).all())


def written_step(values: pd.Series[Any]) -> float:
    """Return the unit of the last decimal place in which a column is written; 0 if there is none.

    It is 0.01 for prices, 1 for whole numbers, and 0 for numbers that were computed.
    """
    known = values.dropna()
    x = known.to_numpy(dtype=np.float64)
    # A float32 holds 0.1 in fewer digits than the float64 does.
    eps = np.finfo(np.float32 if "32" in str(values.dtype) else np.float64).eps
    for places in range(MOST_PLACES + 1):
        if (np.abs(np.round(x, places) - x) <= eps * np.abs(x)).all():
            return 10.0**-places
    return 0.0
