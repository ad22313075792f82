"""Groups and strata of a scorer: a column of X, a function of X, or a Series with its index."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from robfair._text import type_name


def check_source(source: Any, name: str) -> None:
    """Raise TypeError unless the groups or strata, called `name`, can be found by `find_column`."""
    if not callable(source) and not isinstance(source, str | int | pd.Series):
        raise TypeError(
            f"{name} must be the name or number of a column of X, a function of X, or a pandas "
            f"Series with the index of X; got a {type_name(source)}."
        )


def find_column(source: Any, X: Any, name: str) -> Any:
    """Return the groups or strata of the rows of X."""
    if isinstance(source, pd.Series):
        return _look_up(source, X, name)
    if callable(source):
        values = source(X)
        if values is None:
            raise TypeError(
                f"{name}={shown(source)} returned None. Return the {name} of the rows of X: a "
                "value for each."
            )
        return values
    if isinstance(source, str):
        columns = getattr(X, "columns", None)
        if columns is None or source not in columns:
            raise ValueError(
                f"{name}={source!r} is not a column of X "
                f"({'X has no columns' if columns is None else list(columns)}). X is what "
                "enters the estimator; pass a DataFrame that has the column, or bind the "
                "scorer to a function of X or a Series."
            )
        return X[source]
    return X.iloc[:, source] if hasattr(X, "iloc") else np.asarray(X)[:, source]


def _look_up(series: pd.Series[Any], X: Any, name: str) -> Any:
    index = getattr(X, "index", None)
    if index is None or not isinstance(X, pd.DataFrame):
        raise ValueError(
            f"{name} is a Series, to be looked up by the index of X, but X is a "
            f"{type_name(X)} without one. Pass X as a pandas DataFrame, or bind the scorer to "
            "a column or a function of X."
        )
    if not series.index.is_unique:
        raise ValueError(f"{name} is a Series whose index is not unique: rows cannot be looked up.")
    missing = ~index.isin(series.index)
    if missing.any():
        raise ValueError(
            f"{name} is a Series that lacks {int(missing.sum())} of the {len(index)} rows of X, "
            f"first index {index[missing][0]!r}."
        )
    return series.loc[index].to_numpy()  # matched by position from here on


def shown(source: Any) -> str:
    """Write a source in a repr; a Series is too long for one."""
    return "Series" if isinstance(source, pd.Series) else repr(source)
