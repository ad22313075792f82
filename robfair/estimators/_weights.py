"""The weight of each training sample, from `sample_weight` and `class_weight`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array
from sklearn.utils.class_weight import compute_sample_weight

__all__ = ["fit_weights"]


def fit_weights(sample_weight: Any, class_weight: Any, y: NDArray[Any]) -> NDArray[Any] | None:
    """Check both kinds of weights and multiply them, to a maximum of 1; None if none were given.

    Raises ValueError if weights are not finite, negative, of another length, or leave less than
    two classes.
    """
    if class_weight == "oversample":  # repeats samples, and gives no weights
        class_weight = None
    if sample_weight is None and class_weight is None:
        return None
    weight = np.ones(len(y)) if sample_weight is None else _checked(sample_weight, len(y))
    kept = weight > 0
    if class_weight is not None:
        given = class_weight.values() if isinstance(class_weight, dict) else []
        if not all(0 <= value < np.inf for value in given):
            raise ValueError(f"class_weight must be finite and not negative; got {class_weight}.")
        # Samples of weight 0 do not count where classes are balanced, either.
        weight[kept] *= compute_sample_weight(class_weight, y[kept])
    # A weight of a class may be 0, too.
    left = np.unique(y[weight > 0])
    if len(left) < 2:
        raise ValueError(
            f"the samples of weight above 0 have {len(left)} of the classes in y, {left.tolist()}: "
            "a classifier needs at least two. Check sample_weight and class_weight."
        )
    return weight / weight.max()  # type: ignore[no-any-return]


def _checked(sample_weight: Any, n_samples: int) -> NDArray[np.float64]:
    """Copy the weights to a new array, scaled to a maximum of 1."""
    shape = np.asarray(sample_weight).shape
    if shape != (n_samples,):
        raise ValueError(
            f"sample_weight must have one weight per sample, shape ({n_samples},); got shape "
            f"{shape}."
        )
    weight = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight"
    )
    n_negative = int((weight < 0).sum())
    if n_negative:
        raise ValueError(
            f"sample_weight is negative for {n_negative} of {n_samples} samples (the least is "
            f"{weight.min():g}): pass weights of 0 or more. 0 leaves a sample out."
        )
    if not weight.any():
        raise ValueError(
            "sample_weight is zero for all samples, so there is nothing to train on. Pass a weight "
            "above 0 for at least two classes."
        )
    return weight / weight.max()  # type: ignore[no-any-return]
