"""Predictions of estimators, torch modules and functions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair._batches import batches, default_batch_size
from robfair.adapters import label_model, left_as_found

__all__ = ["predictions"]


def predictions(estimator: Any, X: Any) -> NDArray[Any]:
    """Return the predicted label of each sample, from `predict` where there is one."""
    if hasattr(estimator, "predict"):
        with left_as_found(estimator):
            return np.asarray(estimator.predict(X))
    model = label_model(estimator, X)
    rows = model.inputs(X)
    size = default_batch_size(rows.shape[1:])  # all rows at once might not fit into memory
    return np.concatenate([model.predict(rows[batch]) for batch in batches(len(rows), size)])
