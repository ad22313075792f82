"""Kitagawa's decomposition of differences of Rob(P), as `robustness_decomposition` describes it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._groups import Groups

Floats = NDArray[np.float64]


def decompose(
    correct: NDArray[np.bool_], values: Floats, groups: Groups, labels: Groups
) -> pd.DataFrame:
    """Split Rob(P) - Rob(f) of each group into the labels' mix, accuracy and distance.

    `correct` and `values` have shape (n_samples,); a value is 0 where the model is wrong.
    """
    shape = len(groups), len(labels)
    cell = groups.codes * shape[1] + labels.codes
    size = np.bincount(groups.codes, minlength=shape[0])[:, None]

    def per_cell(weights: Any = None) -> Floats:
        return np.bincount(cell, weights, minlength=shape[0] * shape[1]).reshape(shape) / size

    # p, p a and p a d, in the terms of `robustness_decomposition`, and the reference's.
    share, right, rob = per_cell(), per_cell(correct), per_cell(values)
    p0, c0, r0 = (each.mean(axis=0) for each in (share, right, rob))
    a0, d0 = _ratio(c0, p0, 0.0), _ratio(r0, c0, 0.0)
    a, d = _ratio(right, share, a0), _ratio(rob, right, d0)
    p = (share + p0) / 2
    parts = {
        "difference": rob.sum(axis=1) - r0.sum(),
        "label_mix": ((share - p0) * (a * d + a0 * d0) / 2).sum(axis=1),
        "accuracy": ((a - a0) * (d + d0) / 2 * p).sum(axis=1),
        "distance": ((d - d0) * (a + a0) / 2 * p).sum(axis=1),
    }
    return pd.DataFrame(parts, index=groups.labels)


def _ratio(of: Floats, to: Floats, otherwise: Any) -> Floats:
    return np.where(to > 0, of / np.where(to > 0, to, 1.0), otherwise)
