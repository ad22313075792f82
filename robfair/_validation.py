"""Checks of the arguments that the measures share, with messages that say what to do."""

from __future__ import annotations

from numbers import Real
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair._alignment import check_aligned
from robfair._labels import check_labels

# A distance and its bound can come from computations in different precision.
_ROUNDING = 1e-6
Population = Literal["correct", "all"]


def check_confidence(confidence: Any, *, none: bool = True) -> None:
    """Raise ValueError unless it is a probability of intervals, or None where that is allowed."""
    if none and confidence is None:
        return
    if confidence is None or not 0 < confidence < 1:
        end = ", or None for no intervals." if none else "."
        raise ValueError(
            f"confidence must be between 0 and 1; got {confidence}. Pass 0.95, say{end}"
        )


def to_array(values: Any) -> NDArray[Any]:
    """Turn a list, numpy, pandas, polars or torch container into a numpy array, by position.

    A masked value is a missing one: NaN among floats, else None.
    """
    if isinstance(values, list | tuple):
        values = [None if value is np.ma.masked else value for value in values]
    elif np.ma.isMaskedArray(values) and np.ma.is_masked(values):
        missing: Any = np.nan if values.dtype.kind == "f" else None
        values = np.where(values.mask, missing, values.data)
    if hasattr(values, "detach"):  # a torch tensor: numpy refuses one that requires a gradient
        values = values.detach().cpu()
    array = np.asarray(values)
    if array.dtype.kind in "US" and isinstance(values, list):
        # numpy would have turned a missing label among strings into the text "nan".
        array = np.asarray(values, dtype=object)
    return array


def check_unmasked(**arrays: Any) -> None:
    """Raise ValueError if values are masked: scikit-learn and numpy drop a mask in silence."""
    for name, values in arrays.items():
        if np.ma.isMaskedArray(values) and np.ma.is_masked(values):
            raise ValueError(
                f"{name} is masked in {int(values.mask.sum())} of {values.size} places, where its "
                "values are missing. Fill them, or leave these samples out of all arguments."
            )


def check_vector(values: Any, name: str, n_samples: int | None = None) -> NDArray[Any]:
    """Return `values` as a non-empty 1-D array, of length `n_samples` where that is given."""
    array = to_array(values)
    if array.ndim != 1:
        # `distance=` is often given a BoundaryDistance.
        instead = f"its attribute `{name}`" if hasattr(values, name) else "a 1-D array"
        raise ValueError(
            f"{name} must have one value per sample, in shape (n_samples,); got "
            f"a {type(values).__name__} of shape {array.shape}. Pass {instead}."
        )
    check_length(len(array), name, n_samples)
    return array


def check_length(length: int, name: str, n_samples: int | None) -> None:
    """Raise unless `name` has samples, and as many as y_true."""
    if n_samples is None and length == 0:
        raise ValueError(f"{name} is empty: there is nothing to measure. Pass at least one sample.")
    if n_samples is not None and length != n_samples:
        raise ValueError(
            f"{name} has {length} samples and y_true has {n_samples}. Pass values of the same "
            "samples in the same order."
        )


def check_correct(
    y_true: Any, y_pred: Any, *, one_group: bool = False, **others: Any
) -> NDArray[np.bool_]:
    """Return a mask of the correct predictions, or raise if the labels cannot be compared.

    Of `one_group` among several all predictions may be wrong. `others` are the further arguments
    with a value per sample, by name: the rows of all must be the same.
    """
    true = check_vector(y_true, "y_true")
    pred = check_vector(y_pred, "y_pred", len(true))
    check_aligned(y_true=y_true, y_pred=y_pred, **others)
    for name, labels in (("y_true", true), ("y_pred", pred)):
        n_missing = int(pd.isna(labels).sum())
        if n_missing:
            raise ValueError(
                f"{name} is missing (NaN or None) for {n_missing} of {len(labels)} samples. Leave "
                "these samples out of all arguments."
            )
    check_labels(true, pred, one_group=one_group)
    return np.asarray(true == pred, dtype=bool)


def check_tau_max(tau_max: float | None, name: str = "tau_max", of: str = "distance") -> None:
    """Raise unless the cap on the distances is a positive, finite number, or None."""
    if tau_max is not None and not (_is_number(tau_max) and np.isfinite(tau_max) and tau_max > 0):
        raise ValueError(
            f"{name} must be a positive, finite distance; got {tau_max!r}. Pass the largest "
            f"distance that matters, in the units of {of}, or None for no cap."
        )


def _is_number(value: Any) -> bool:
    return isinstance(value, Real)


def check_ddof(ddof: int) -> None:
    """Raise unless the degrees of freedom taken off the variance are 0 or 1."""
    if ddof not in (0, 1):
        raise ValueError(
            f"ddof must be 0 (divide by the number of groups) or 1 (one less); got {ddof!r}."
        )


def check_robustness_inputs(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    distance: ArrayLike,
    tau_max: float | None,
    *,
    one_group: bool = False,
    **others: Any,
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Check labels and distances; return a mask of the correct samples and the capped distances.

    The distance is 0 where the prediction is wrong. `one_group` and `others` are as for
    `check_correct`.
    """
    correct = check_correct(y_true, y_pred, one_group=one_group, distance=distance, **others)
    check_tau_max(tau_max)
    if distance is None:
        raise TypeError(
            "distance is None. Pass the distance of each sample to the decision boundary, for "
            "instance robfair.boundary_distance(model, X).distance."
        )
    raw = check_distance(distance, correct)
    capped = raw if tau_max is None else np.minimum(raw, tau_max)
    return correct, np.where(correct, capped, 0.0)


def as_numbers(raw: NDArray[Any], name: str, advice: str) -> NDArray[np.float64]:
    """Return an array as floats, or raise TypeError that says what to pass."""
    try:
        return raw.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"{name} must hold numbers; got values of type {raw.dtype}. Pass {advice}."
        ) from error


def check_distance(
    distance: Any, correct: NDArray[np.bool_], name: str = "distance"
) -> NDArray[np.float64]:
    """Return distances as floats: not negative, and known wherever the prediction is right."""
    advice = "floats, with inf where no adversarial was found and NaN where a sample was skipped"
    numbers = as_numbers(check_vector(distance, name, len(correct)), name, advice)
    n_negative = int((numbers < 0).sum())  # NaN is not counted
    if n_negative:
        raise ValueError(
            f"{name} is negative for {n_negative} of {len(numbers)} samples (the least is "
            f"{np.nanmin(numbers):g}). Pass distances, not signed margins: take absolute values."
        )
    n_unknown = int((np.isnan(numbers) & correct).sum())
    if n_unknown:
        raise ValueError(
            f"{name} is NaN for {n_unknown} of {int(correct.sum())} correctly classified "
            "samples. NaN is allowed only where the prediction is wrong; pass the distance, or "
            "inf where no adversarial was found."
        )
    return numbers


def check_lower(
    lower: Any, correct: NDArray[np.bool_], upper: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Check certified bounds, against `upper` where `correct`; return 0 for an unknown one."""
    if lower is None:
        raise TypeError(
            "lower is None. Pass a certified lower bound of each sample's distance, with NaN where "
            "none is known."
        )
    raw = check_vector(lower, "lower", len(correct))
    numbers = as_numbers(raw, "lower", "floats, with NaN where no bound is known")
    negative = np.flatnonzero(numbers < 0)
    if len(negative):
        raise ValueError(
            f"lower is negative for {len(negative)} of {len(numbers)} samples, the first at "
            f"position {negative[0]} ({numbers[negative[0]]:g}). Pass bounds of distances, which "
            "are at least 0, or NaN where none is known."
        )
    above = np.flatnonzero(correct & (numbers > upper * (1 + _ROUNDING)))
    if len(above):
        raise ValueError(
            f"lower exceeds distance for {len(above)} of {int(correct.sum())} correctly classified "
            f"samples, the first at position {above[0]} ({numbers[above[0]]:g} > "
            f"{upper[above[0]]:g}). One of the two is not a bound: pass bounds of the same "
            'model, norm and threat model, in the same order, not estimates as of method="paper".'
        )
    return np.where(np.isnan(numbers), 0.0, numbers)
