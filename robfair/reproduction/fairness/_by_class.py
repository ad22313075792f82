"""The measures by class that Adult and CIFAR-10 have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from robfair.metrics import class_accuracy_unfairness, class_robustness_unfairness

__all__ = ["Add", "add_accuracy", "add_success"]

Array = NDArray[Any]
Add = Callable[..., None]  # `Run.add` of a part, a protocol and a model


def add_accuracy(add: Add, y: Array, predicted: Array) -> None:
    """Add accuracy, class by class and as a whole, and CAU."""
    right = predicted == y
    add("accuracy", right.mean())
    add("class accuracy", pd.Series(right).groupby(y).mean())
    add("CAU", class_accuracy_unfairness(y, predicted))


def add_success(
    add: Add, y: Array, predicted: Array, success: Array, eps: float, *, of_all: bool = False
) -> None:
    """Add the success of an attack by class among the correct samples, and CRU_s.

    `of_all` adds CRU_s among all samples, too.
    """
    right = predicted == y
    add("success", pd.Series(success[right]).groupby(y[right]).mean(), eps=eps)
    add("CRU_s", class_robustness_unfairness(y, predicted, success=success), eps=eps)
    if of_all:
        cru = class_robustness_unfairness(y, predicted, success=success, population="all")
        add("CRU_s of all", cru, eps=eps)
