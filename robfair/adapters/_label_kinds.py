"""Labels of a model that does not tell its classes, and scores that are taken for labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._labels import check_kinds, check_shared
from robfair.adapters._given import some_rows
from robfair.adapters._labels import LabelModel

__all__ = ["check_labels", "check_told"]

MANY = 10  # fractions: more than that are scores


def check_labels(model: LabelModel, X: NDArray[Any], y: NDArray[Any] | None) -> None:
    """Raise ValueError or TypeError if a model returns scores, or labels that `y` cannot match.

    Parameters
    ----------
    model : LabelModel
        A model that does not tell its classes.
    X : ndarray of shape (n_samples, ...)
        Samples, of which up to 256 are predicted.
    y : ndarray of shape (n_samples,) or None
        True labels.
    """
    labels = model.predict(some_rows(X))
    returned = pd.unique(labels)
    known = set() if y is None else set(y.tolist())
    if not known.issuperset(returned.tolist()) and _are_scores(labels):
        raise ValueError(
            f"the model must return labels, and it returns scores such as {_some(returned)}: "
            f"{len(returned)} values for {len(labels)} rows. Give a function that decides, as "
            "lambda X: score(X) > threshold."
        )
    if y is not None and len(y):
        check_kinds(y, labels, ("y", "predict"))
        check_shared(y, labels, ("y", "predict"))


def check_told(classes: NDArray[Any] | None, labels: NDArray[Any]) -> None:
    """Raise ValueError if a model that tells its classes returns other numbers, such as scores."""
    if classes is None or labels.dtype.kind != "f":
        return
    known = set(classes.tolist())
    others = [label for label in pd.unique(labels).tolist() if label not in known]
    if others:
        raise ValueError(
            f"predict must return labels, and it returns {others[0]!r}, which is not one of the "
            f"classes {_some(classes)} that the model tells. LightGBM does so with an objective of "
            "the user's. Give a function that decides, as lambda X: model.predict(X) > threshold."
        )


def _are_scores(labels: NDArray[Any]) -> bool:
    if labels.dtype.kind != "f":
        return False
    broken = np.unique(labels[labels != np.rint(labels)])
    return len(broken) > min(MANY, len(labels) / 2)


def _some(labels: NDArray[Any]) -> str:
    shown = ", ".join(repr(label) for label in labels[:3].tolist())
    return f"{shown}{', ...' if len(labels) > 3 else ''}"
