"""A check that true and predicted labels can be compared.

Labels that cannot match are equal nowhere. All predictions would count as wrong, all groups would
have a robustness of 0, and V_f would be 0 too: the best value there is.
"""

from __future__ import annotations

from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._text import appearance, few
from robfair._warnings import ALL_ZERO, warn
from robfair.exceptions import LabelsWarning

__all__ = ["check_kinds", "check_labels", "check_shared"]

Names = tuple[str, str]  # of the true labels and the predicted ones, for the errors
NAMES: Names = ("y_true", "y_pred")
# A label that fewer samples have may be a rare class, and fewer samples may all be wrong.
_SOME, _SHARE = 5, 0.1
_TYPES: dict[str, tuple[type, ...]] = {
    "strings": (str,), "bytes": (bytes,), "numbers": (Real, Decimal, np.bool_),
}  # fmt: skip


def check_labels(true: NDArray[Any], pred: NDArray[Any], *, one_group: bool = False) -> None:
    """Raise TypeError or ValueError if labels cannot match, and warn if they hardly do.

    Both have shape (n_samples,) and no missing values. Of `one_group` among several all predictions
    may be wrong, and have labels that its samples do not.
    """
    check_kinds(true, pred)
    if one_group:
        return
    check_shared(true, pred)
    known, said = _distinct(true), _distinct(pred)
    only_true, only_pred = set(known) - set(said), set(said) - set(known)
    held = _held(known, said, NAMES)
    if len(only_true) == len(known) or not (true == pred).any():
        _warn_of_none(len(true), held)
    elif all(
        np.isin(labels, list(only)).sum() >= max(_SOME, _SHARE * len(labels))
        for labels, only in ((true, only_true), (pred, only_pred))
    ):
        warn(
            f"{held}: y_pred never says [{few(only_true, 5, repr)}], and y_true never "
            f"[{few(only_pred, 5, repr)}]. Are they in the same coding?",
            LabelsWarning,
        )


def check_kinds(true: NDArray[Any], pred: NDArray[Any], names: Names = NAMES) -> None:
    """Raise TypeError or ValueError for labels of different kinds, or that only look alike.

    The rows of the two need not be the same.
    """
    _check_types(true, pred, names)
    known, said = set(_distinct(true)), set(_distinct(pred))
    _check_appearance(known - said, said - known, names)


def check_shared(true: NDArray[Any], pred: NDArray[Any], names: Names = NAMES) -> None:
    """Raise ValueError if no label is in both; one label, or numbers of a few rows, may be wrong.

    The rows of the two need not be the same.
    """
    known, said = _distinct(true), _distinct(pred)
    if len(known) < 2 or not set(known).isdisjoint(said):
        return
    if len(true) >= 2 * _SOME or isinstance(known[0], str | bytes):
        raise ValueError(
            f"{_held(known, said, names)}: no label is in both, so no prediction could be right. "
            "Pass labels in the same coding."
        )


def _held(known: list[Any], said: list[Any], names: Names) -> str:
    true, pred = (f"[{few(labels, 5, repr)}]" for labels in (known, said))
    return f"{names[0]} holds {true} and {names[1]} {pred}"


def _distinct(labels: NDArray[Any]) -> list[Any]:
    """List the labels once each, as values of Python, which are shown as they were written."""
    distinct = pd.unique(labels)
    return [label.item() if isinstance(label, np.generic) else label for label in distinct]


def _warn_of_none(n_samples: int, held: str) -> None:
    if n_samples >= 2 * _SOME:
        warn(
            f"no prediction of {n_samples} is right, so that the robustness of every group is 0, "
            f"and CV, ratio, Gini and intervals are undefined: {held}. Are the labels the wrong "
            "way round, or the rows in another order?",
            LabelsWarning,
            explains=ALL_ZERO,
        )


def _check_types(true: NDArray[Any], pred: NDArray[Any], names: Names) -> None:
    """Raise TypeError for labels of different kinds, ValueError for scores in place of labels."""
    kinds = [_kinds(labels) for labels in (true, pred)]
    for name, held in zip(names, kinds, strict=True):
        if len(held) > 1:
            raise TypeError(
                f"{name} mixes {' and '.join(sorted(held))}: a label such as 1 is never equal to "
                "'1'. Pass labels of one type."
            )
    if kinds[0] != kinds[1]:
        words = [pd.api.types.infer_dtype(labels, skipna=False) for labels in (true, pred)]
        raise TypeError(
            f"{names[0]} holds {words[0]} labels and {names[1]} {words[1]} labels, so no "
            "prediction could be right. Pass both in the same coding."
        )
    if kinds[0] != {"numbers"}:
        return
    sides = dict(zip(names, (_fractions(true), _fractions(pred)), strict=True))
    for name, other in (names, names[::-1]):
        own, others = sides[name], sides[other]
        if len(own) and not len(others):
            raise ValueError(
                f"{name} holds fractions such as {own[0]:.6g}, and {other} whole numbers. Pass "
                "labels, as predict returns them, not probabilities or scores."
            )


def _kinds(labels: NDArray[Any]) -> set[str]:
    """Name the kinds of labels; those of one kind can be equal."""
    types = set(map(type, labels)) if labels.dtype.kind == "O" else {labels.dtype.type}
    return {
        next((kind for kind, of in _TYPES.items() if issubclass(t, of)), "others") for t in types
    }


def _fractions(labels: NDArray[Any]) -> NDArray[np.float64]:
    numbers = labels.astype(np.float64)
    return np.asarray(numbers[numbers != np.round(numbers)])


def _check_appearance(only_true: set[Any], only_pred: set[Any], names: Names) -> None:
    """Raise ValueError if two labels that differ look alike."""
    seen = {appearance(label): label for label in only_true}
    alike = [(seen[look], label) for label in only_pred if (look := appearance(label)) in seen]
    if alike:
        raise ValueError(
            f"{names[0]} holds {alike[0][0]!a} and {names[1]} {alike[0][1]!a}, which look alike "
            "and are not equal: strip the labels, and normalise their Unicode (NFC)."
        )
