"""Predictions of estimators, torch modules and functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.adapters import as_labels

__all__ = ["predictions"]

_VALUES_AT_ONCE = 2**22


def predictions(estimator: Any, X: Any) -> NDArray[Any]:
    """Return the predicted label of each sample, from `predict` where there is one."""
    if hasattr(estimator, "predict"):
        return np.asarray(estimator.predict(X))
    model = as_labels(estimator)
    rows = model.inputs(X)
    size = max(64, _VALUES_AT_ONCE // math.prod(rows.shape[1:]))
    return np.concatenate([model.predict(rows[i : i + size]) for i in range(0, len(rows), size)])
