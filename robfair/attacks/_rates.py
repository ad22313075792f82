"""Accuracy under attack and success of attacks, for one eps or a grid."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair.adapters import leaves_as_found
from robfair.attacks._options import AttackOptions
from robfair.attacks._prepared import PreparedAttack, check_eps, prepare
from robfair.attacks._result import AttackResult

__all__ = ["RobustAccuracy", "attack_success", "robust_accuracy"]


class RobustAccuracy(float):
    """Accuracy under attack; a float that says for which model the examples were made.

    Parameters
    ----------
    value : float
        The accuracy.
    transfer_from : str or None, default=None
        The model that the examples were made for, if it is another one than was judged.

    Examples
    --------
    >>> from robfair.attacks import RobustAccuracy
    >>> RobustAccuracy(0.75)
    0.75
    >>> RobustAccuracy(0.75, "MLPClassifier")
    0.75 (examples made for MLPClassifier)
    """

    transfer_from: str | None

    def __new__(cls, value: float, transfer_from: str | None = None) -> RobustAccuracy:
        self = super().__new__(cls, value)
        self.transfer_from = transfer_from
        return self

    def __repr__(self) -> str:
        made = "" if self.transfer_from is None else f" (examples made for {self.transfer_from})"
        return f"{float(self)!r}{made}"

    __str__ = __repr__


@leaves_as_found
def robust_accuracy(
    model: Any, X: Any, y: ArrayLike, eps: ArrayLike, *, transfer_from: Any = None, **options: Any
) -> RobustAccuracy | pd.Series:
    """Accuracy under attack: the share of samples that are right, and stay so within eps.

    Parameters
    ----------
    model, X : object
        As for :func:`attack`.
    y : array-like of shape (n_samples,)
        True labels.
    eps : float or sequence of float
        Greatest size of a perturbation, or an increasing grid of them.
    transfer_from : object, default=None
        Another model that the examples are made for, or a pair (name, model). The result, which is
        not a robust accuracy then and may exceed clean accuracy, says so.
    **options : Any
        Further keywords of :func:`attack`, except `target`.

    Returns
    -------
    RobustAccuracy or Series
        For a number a float with an attribute `transfer_from`. For a grid a Series indexed by eps,
        which never increases: a sample fooled at some eps is fooled at any greater one, and takes
        part in no further attack. A number is never above the clean accuracy, without
        `transfer_from`.

    Raises
    ------
    TypeError, ValueError
        As :func:`attack`, and if a grid does not increase.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair.attacks import robust_accuracy
    >>> X, y = [[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 1]
    >>> model = LogisticRegression().fit(X, y)
    >>> robust_accuracy(model, X, y, 1.5)
    0.5
    >>> robust_accuracy(model, X, y, [0, 1.5, 3])
    eps
    0.0    1.0
    1.5    0.5
    3.0    0.0
    Name: robust accuracy, dtype: float64
    """
    grid, prepared = _prepare(model, X, y, eps, transfer_from=transfer_from, **options)
    rates = [float((~result.success).mean()) for result in _results(prepared, grid)]
    made_for = prepared.transfer_from
    if np.ndim(eps) == 0:
        return RobustAccuracy(rates[0], made_for)
    name = "robust accuracy" if made_for is None else f"accuracy, examples made for {made_for}"
    return pd.Series(rates, index=pd.Index(grid, name="eps"), name=name)


@leaves_as_found
def attack_success(
    model: Any, X: Any, y: ArrayLike, eps: ArrayLike, *, transfer_from: Any = None, **options: Any
) -> NDArray[np.bool_] | pd.DataFrame:
    """Success of an attack on each sample, for the measures that compare groups by it.

    A sample that the model gets wrong anyway counts as a success; the measures choose by their
    `population` whether it takes part.

    Parameters
    ----------
    model, X, y, eps, transfer_from, **options : Any
        As for :func:`robust_accuracy`.

    Returns
    -------
    ndarray of bool, of shape (n_samples,), or DataFrame
        For a number whether the attack succeeded. For a grid a column for each eps, named so, and
        the index of X; no row goes from True to False, without `transfer_from`.

    Raises
    ------
    TypeError, ValueError
        As :func:`robust_accuracy`.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair.attacks import attack_success
    >>> X, y = [[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 1]
    >>> attack_success(LogisticRegression().fit(X, y), X, y, [1.5, 3])
    eps    1.5   3.0
    0    False  True
    1     True  True
    2     True  True
    3    False  True
    """
    grid, prepared = _prepare(model, X, y, eps, transfer_from=transfer_from, **options)
    success = [result.success for result in _results(prepared, grid)]
    if np.ndim(eps) == 0:
        return success[0]
    return pd.DataFrame(
        np.column_stack(success),
        index=X.index if isinstance(X, pd.DataFrame) else None,
        columns=pd.Index(grid, name="eps"),
    )


def _prepare(
    model: Any, X: Any, y: ArrayLike, eps: ArrayLike, threat_model: Any = None, **options: Any
) -> tuple[NDArray[np.float64], PreparedAttack]:
    grid = check_eps(eps)
    if grid.ndim > 1 or grid.size == 0 or (np.diff(grid.ravel()) <= 0).any():
        raise ValueError(
            f"eps must be a number, or a sequence of numbers that increase; got {eps!r}."
        )
    if y is None:
        raise ValueError("y must be given: accuracy and success are relative to true labels.")
    return np.atleast_1d(grid), prepare(model, X, y, threat_model, AttackOptions(**options))


def _results(prepared: PreparedAttack, grid: NDArray[np.float64]) -> Iterator[AttackResult]:
    for eps in grid:
        yield prepared.run(np.full(len(prepared), eps))
