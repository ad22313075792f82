"""A table as an array of finite numbers, or an error that names the columns and the way out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import check_array

__all__ = ["ENCODE", "as_numbers", "named", "no_numbers"]

SHOWN = 5  # columns that a message names
ENCODE = (
    "Encode such columns in a Pipeline around the classifier itself, as in "
    "make_pipeline(encoder, classifier): its last step then sees numbers, and "
    "ThreatModel.from_transformer tells which of them are one category"
)


def as_numbers(X: Any, name: str) -> NDArray[Any]:
    """Return `X` as an array of floats; raise ValueError that names columns which hold none."""
    try:
        return check_array(  # type: ignore[no-any-return]
            X, dtype=(np.float64, np.float32), allow_nd=True, input_name="X"
        )
    except (TypeError, ValueError) as error:
        reason = _reason(X, str(error))
        if reason is None:
            raise
        raise ValueError(
            f"{name} must hold finite numbers, which are perturbed: {reason}"
        ) from error


def _reason(X: Any, message: str) -> str | None:
    words = [name for name, values in _columns(X) if _is_text(values)]
    if words:
        return f"{named(words)} holds text or categories ({message.splitlines()[0]}). {ENCODE}."
    for what, holds in (("NaN", _missing), ("infinity", _infinite)):
        columns = [name for name, values in _columns(X) if holds(values)]
        if columns:
            return (
                f"X contains {what} in {named(columns)}. Leave such rows out, or put an imputer "
                "before the classifier in a Pipeline."
            )
    return None


def no_numbers(X: Any) -> list[str]:
    """Name the columns of a table, or of an array of objects, whose type is not a number's."""
    return [name for name, values in _columns(X) if not pd.api.types.is_numeric_dtype(values)]


def named(columns: list[str]) -> str:
    """Write "column 'a'" or "columns 'a', 'b'"."""
    shown = ", ".join(columns[:SHOWN]) + (", ..." if len(columns) > SHOWN else "")
    return f"column{'s' if len(columns) > 1 else ''} {shown}"


def _columns(X: Any) -> list[tuple[str, pd.Series]]:
    """List the columns of a table with their names, or positions; none for other shapes."""
    if hasattr(X, "to_pandas"):  # polars
        X = X.to_pandas()
    if isinstance(X, pd.DataFrame):
        return [(repr(name), X.iloc[:, j]) for j, name in enumerate(X.columns)]
    array = np.asarray(X)
    if array.ndim != 2:
        return []
    return [(str(j), pd.Series(array[:, j]).infer_objects()) for j in range(array.shape[1])]


def _is_text(values: pd.Series) -> bool:
    if pd.api.types.is_numeric_dtype(values):
        return False
    present = values.astype(object).dropna()
    return bool(pd.to_numeric(present, errors="coerce").isna().any())


def _missing(values: pd.Series) -> bool:
    return bool(pd.to_numeric(values.astype(object), errors="coerce").isna().any())


def _infinite(values: pd.Series) -> bool:
    return bool(np.isinf(pd.to_numeric(values.astype(object)).to_numpy(dtype=float)).any())
