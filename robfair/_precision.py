"""A check that the precision of a network keeps the values of its inputs apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import _safe_indexing

from robfair._text import few
from robfair._warnings import warn

N_ROWS = 256
# Where rounding moves values by a hundredth of their spread, it also moves distances by that.
COARSE = 1e-2


def warn_of_rounding(X: Any, dtype: Any) -> None:
    """Warn if a feature loses what tells its values apart when it is rounded to `dtype`.

    Time stamps do: near 1.7e9 the steps of float32 are 128 seconds long. X has a row per sample, in
    any container; some of the rows are looked at.
    """
    if not hasattr(X, "__len__"):  # what only becomes an array
        X = np.asarray(X)
    n_samples = len(X)
    rows = np.unique(np.linspace(0, n_samples - 1, min(n_samples, N_ROWS)).astype(int))
    values = np.asarray(_safe_indexing(X, rows), dtype=np.float64)
    values = values.reshape(len(rows), -1)
    error = np.sqrt(((values - values.astype(dtype)) ** 2).mean(axis=0))
    # A constant tells nothing apart.
    coarse = np.flatnonzero((np.ptp(values, axis=0) > 0) & (error > COARSE * values.std(axis=0)))
    if not len(coarse):
        return
    names = list(getattr(X, "columns", range(values.shape[1])))
    middle = values[:, coarse[0]].mean()
    warn(
        f"the network computes in {np.dtype(dtype)}, which rounds features that lie far from 0 "
        f"for their spread: {few([names[i] for i in coarse], 5, repr)}. Around {middle:.6g}, as in "
        f"the first of them, its steps are {np.spacing(np.array(middle, dtype=dtype)):.3g}, and "
        "values that differ by less become equal. Subtract the mean in float64 first, e.g. by "
        "StandardScaler in a Pipeline.",
        UserWarning,
    )
