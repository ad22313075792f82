"""Checks of confidences and of the classes of their columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._groups import encode_groups
from robfair._text import few
from robfair._validation import as_numbers, check_length, check_vector, to_array

# A softmax in single precision can exceed 1 by rounding.
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Confidence:
    """Confidences and their classes."""

    proba: NDArray[np.float64]  # (n_samples, n_columns): all labels, or the last one alone
    codes: NDArray[np.intp]  # (n_samples,): position in `labels` of the true label
    labels: pd.Index[Any]


def check_confidence(y_true: Any, y_proba: Any, labels: Any) -> Confidence:
    """Check true labels and confidences, and find the class of each column.

    Raises TypeError if the confidences are not numbers, ValueError if shapes, values or labels are
    wrong.
    """
    true = check_vector(y_true, "y_true")
    proba = _check_proba(y_proba, len(true))
    # Of the array: unused categories have no column, since a classifier did not see them.
    observed = encode_groups(true, len(true), "y_true")
    n_classes = 2 if proba.ndim == 1 else proba.shape[1]
    if labels is None:
        names = observed.labels
        if len(names) != n_classes:
            raise ValueError(
                f"y_proba of shape {proba.shape} has confidences for {n_classes} classes, and "
                f"y_true holds {len(names)}: [{few(names, 10, repr)}]. Pass labels= with the "
                f"{n_classes} classes in the order of the columns (negative first for 1-D), or a "
                "y_proba with one column for each class."
            )
    else:
        names = pd.Index(check_vector(labels, "labels"))
        if len(names) != n_classes or not names.is_unique:
            raise ValueError(
                f"labels must name {n_classes} different classes for y_proba of shape "
                f"{proba.shape}; got [{few(names, 10, repr)}]."
            )
    _check_columns(y_proba, names)
    positions = names.get_indexer(observed.labels)
    if (positions < 0).any():
        raise ValueError(
            f"y_true holds [{few(observed.labels[positions < 0], 10, repr)}], which labels "
            f"[{few(names, 10, repr)}] do not name. Pass all classes, in the order of the columns."
        )
    codes = np.asarray(positions[observed.codes], dtype=np.intp)
    return Confidence(proba.reshape(len(true), -1), codes, names)


def _check_columns(y_proba: Any, names: pd.Index[Any]) -> None:
    """Raise ValueError if the columns name the classes, in another order."""
    given = getattr(y_proba, "columns", ())
    if isinstance(given, pd.RangeIndex):  # numbers that pandas gave, and not classes
        return
    columns, classes = ([str(name) for name in listed] for listed in (given, names))
    if columns != classes and sorted(columns) == sorted(classes):
        raise ValueError(
            f"the columns of y_proba are [{few(columns)}] and the classes [{few(classes)}], in "
            "another order. Bring the columns into the order of the classes, or pass labels= in "
            "that of the columns."
        )


def _check_proba(y_proba: Any, n_samples: int) -> NDArray[np.float64]:
    raw = to_array(y_proba)
    if raw.ndim not in (1, 2):
        raise ValueError(
            "y_proba must have shape (n_samples,) or (n_samples, n_classes); got a "
            f"{type(y_proba).__name__} of shape {raw.shape}."
        )
    check_length(len(raw), "y_proba", n_samples)
    return check_fractions(raw, "y_proba")


def check_fractions(raw: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Return confidences of any shape as floats in [0, 1]."""
    proba = as_numbers(raw, name, "what predict_proba returns, not predicted labels")
    n_outside = int((~((proba >= -_ROUNDING) & (proba <= 1 + _ROUNDING))).sum())
    if n_outside:
        raise ValueError(
            f"{name} must lie in [0, 1]; {n_outside} of {proba.size} values do not, or are not "
            "finite. Pass what predict_proba returns: for logits, their softmax."
        )
    return proba.clip(0.0, 1.0)
