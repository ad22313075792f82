"""Predictions of a model for X as it was given, and for the array that is perturbed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing
from torch import Tensor

from robfair.adapters._labels import LabelModel, checked
from robfair.adapters._logits import Adapted, predicts_by_module
from robfair.adapters._numbers import ENCODE, named, no_numbers
from robfair.adapters._steps import has_steps, last_step

__all__ = [
    "as_given",
    "check_names",
    "own_labels",
    "presented",
    "refusal",
    "some_rows",
]

CATBOOST = "feature_names_"  # where it keeps the names of columns
ROWS = 256  # a batch: the comparison costs about a pass


def some_rows(X: Any) -> Any:
    """Return up to 256 rows of X, spread over it, in its own container.

    Parameters
    ----------
    X : array-like of shape (n_samples, ...)
        The samples.

    Returns
    -------
    array-like of shape (at most 256, ...)
        Rows of `X`.
    """
    if not hasattr(X, "__len__") or getattr(X, "ndim", 1) == 0 or hasattr(X, "nnz"):
        return X  # which is refused later
    if len(X) <= ROWS:
        return X
    index = np.linspace(0, len(X) - 1, ROWS).astype(np.intp)
    return X[index] if isinstance(X, Tensor) else _safe_indexing(X, index)


def check_names(model: Any, X: Any, adapted: Adapted) -> None:
    """Raise ValueError if X has other columns, or another order, than the model was fitted on.

    A Pipeline may choose its columns by name: then it decides itself.
    """
    attribute, known = _fitted_columns(model)
    given = getattr(X, "columns", None)
    if known is None or given is None:
        return
    given = [str(name) if attribute == CATBOOST else name for name in given]
    if list(known) == given:
        return
    wrong = f"{_differences(known, given)} Pass the columns in the order of model.{attribute}"
    if adapted.transform is not None:
        try:
            adapted.transform(some_rows(X))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{wrong} ({_first_line(error)})") from error
        return
    raise ValueError(f"{wrong}.")


def _fitted_columns(model: Any) -> tuple[str, Any]:
    """Return the names of the columns that a model was fitted on, and where it tells them."""
    names = getattr(model, CATBOOST, None)  # of CatBoost, which numbers columns without names
    if names is not None and list(names) != [str(j) for j in range(len(names))]:
        return CATBOOST, names
    return "feature_names_in_", getattr(model, "feature_names_in_", None)


def _differences(known: Any, given: Any) -> str:
    known = [str(name) if isinstance(name, str) else name for name in known]  # not numpy's text
    missing = [repr(name) for name in known if name not in set(given)]
    unknown = [repr(name) for name in given if name not in set(known)]
    if missing or unknown:
        parts = [
            f"{'lacks' if names is missing else 'has besides'} {named(names)}"
            for names in (missing, unknown)
            if names
        ]
        how = " and ".join(parts)
    else:
        j = next(j for j, (a, b) in enumerate(zip(known, given, strict=False)) if a != b)
        how = f"has them in another order: {given[j]!r} stands where {known[j]!r} stood"
    return f"X has other columns than the model was fitted on: it {how}."


def as_given(model: Any, X: Any) -> NDArray[Any] | None:
    """Return what the model predicts for rows as the user has them.

    Parameters
    ----------
    model : object
        The user's model.
    X : array-like of shape (n_samples, ...)
        The rows.

    Returns
    -------
    ndarray or None
        None where a network refuses their dtype, to which robfair casts and skorch does not.

    Raises
    ------
    ValueError
        In robfair's words, if the model does not predict them.
    """
    if isinstance(X, Tensor):
        X = X.detach().cpu().numpy()
    elif isinstance(X, list | tuple):
        X = np.asarray(X)
    X = presented(model, X)
    try:
        return checked(model.predict)(X)
    except Exception as error:
        cast = predicts_by_module(last_step(model)[1])
        if cast and isinstance(error, RuntimeError) and "dtype" in str(error):
            return None
        raise ValueError(
            f"{type(model).__name__}.predict fails on rows of X as they were given: "
            f"{type(error).__name__}: {_first_line(error)}"
        ) from error


def presented(model: Any, X: Any) -> Any:
    """Return a table with names of columns, or without, as the model was fitted.

    Otherwise scikit-learn warns.
    """
    names = getattr(model, "feature_names_in_", None)
    if names is None and hasattr(X, "columns") and hasattr(X, "to_numpy") and _takes_arrays(model):
        return X.to_numpy()
    if names is not None and not hasattr(X, "columns") and np.shape(X)[1:] == (len(names),):
        return pd.DataFrame(X, columns=list(names))
    return X


def _takes_arrays(model: Any) -> bool:
    return type(model).__module__.startswith("sklearn.") and not has_steps(model)


def own_labels(model: Any, own: LabelModel, X: Any, inputs: NDArray[Any]) -> NDArray[Any]:
    """Return what the model predicts for the array that is perturbed.

    Raises ValueError, in robfair's words, if it does not predict that.
    """
    try:
        return own.predict(inputs)
    except Exception as error:
        as_given(model, X)  # raises if it is X that the model does not predict
        raise ValueError(
            f"{_unlike(model, X, own)}, and predict refuses that "
            f"({type(error).__name__}: {_first_line(error)}). {_way_out(own)}"
        ) from error


def refusal(model: Any, own: LabelModel, X: Any, where: str) -> str:
    """Say that a model predicts other labels for the array that is perturbed than for X."""
    return f"{_unlike(model, X, own)}, and {where} get another label there. {_way_out(own)}"


def _unlike(model: Any, X: Any, own: LabelModel) -> str:
    name = type(model).__name__
    if own.transform is not None:
        return f"the input of the last step of the {name} is perturbed, which {name}.predict skips"
    columns = no_numbers(X) if hasattr(X, "columns") else []
    types = f"the type of {named(columns)}" if columns else "the names and types of columns"
    return f"what is perturbed is an array of numbers, without {types} that {name}.predict knows"


def _way_out(own: LabelModel) -> str:
    function = "give a function from an array of numbers to labels, such as lambda X: predict(X)"
    return f"To perturb X itself, {function}." if own.transform else f"{ENCODE}; or {function}."


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
