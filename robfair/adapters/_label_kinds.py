"""Labels of a model that does not tell its classes, and scores that are taken for labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair.adapters._given import some_rows
from robfair.adapters._labels import LabelModel
from robfair.adapters._logits import find_codes

__all__ = ["check_labels"]

MANY = 10  # fractions: more than that are scores


def check_labels(model: LabelModel, X: NDArray[Any], y: NDArray[Any] | None) -> None:
    """Raise ValueError if a model returns scores, or labels that `y` cannot match.

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
    given = None if y is None else pd.unique(y)
    shared = 0 if given is None else int((find_codes(given, returned) >= 0).sum())
    if shared < len(returned) and _are_scores(labels):
        raise ValueError(
            f"the model must return labels, and it returns scores such as {_some(returned)}: "
            f"{len(returned)} values for {len(labels)} rows. Give a function that decides, as "
            "lambda X: score(X) > threshold."
        )
    if given is None or shared:
        return
    if _kinds(returned).isdisjoint(_kinds(given)) or max(len(returned), len(given)) > 1:
        raise ValueError(
            f"y holds {_some(given)} ({given.dtype}) and the model predicts {_some(returned)} "
            f"({returned.dtype}): no label of one is a label of the other, so that no prediction "
            "could be right. Pass both in the same coding."
        )


def _are_scores(labels: NDArray[Any]) -> bool:
    if labels.dtype.kind != "f":
        return False
    broken = np.unique(labels[labels != np.rint(labels)])
    return len(broken) > min(MANY, len(labels) / 2)


def _kinds(labels: NDArray[Any]) -> set[str]:
    return {
        "text" if isinstance(label, str) else "bytes" if isinstance(label, bytes) else "number"
        for label in labels.tolist()
    }


def _some(labels: NDArray[Any]) -> str:
    shown = ", ".join(repr(label) for label in labels[:3].tolist())
    return f"{shown}{', ...' if len(labels) > 3 else ''}"
