"""The threat model of a table that a model takes as it is, where the user names none."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import nn

from robfair._text import type_name
from robfair.adapters import (
    LogitModel,
    adapt,
    as_given,
    code_columns,
    declared_codes,
    known_categories,
    of_table,
    some_rows,
    with_labels,
)
from robfair.threat import ThreatModel, columns_of_frame

__all__ = ["frame_threat_model"]

# In the errors of models that see numbers alone: of them robfair names the column and the way out.
NUMBERS_ALONE = ("could not convert", "NaN", "infinity")


def frame_threat_model(
    model: Any,
    X: Any,
    *,
    norm: float = 2,
    background: Any = None,
    mutable: Sequence[Hashable] | None = None,
    sensitive_features: Sequence[Hashable] = (),
) -> ThreatModel | None:
    """Make the threat model of the columns of X, if these are more than real numbers.

    That is so if X holds categories, text, truth values, integers or gaps, or what the model was
    told to be codes of categories. Else, and for a model that sees numbers alone, it is None.
    Raises what `from_frame` raises, and ValueError if the model does not predict X.
    """
    frame = _as_frame(X)
    if frame is None or isinstance(model, nn.Module) or not hasattr(model, "predict"):
        return None
    model = with_labels(model)
    adapted = adapt(model, X)
    real = all(_is_real(frame[name]) for name in frame)
    codes = _declared(adapted, X, frame)
    codes |= frame.columns.isin(list(known_categories(model, list(frame.columns))))
    if real and not codes.any():
        return None
    if isinstance(adapted, LogitModel):
        if not all(map(pd.api.types.is_numeric_dtype, frame.dtypes)) or frame.isna().any(axis=None):
            return None
    elif not _predicts(model, X):
        return None
    table = _joined(X, background)
    options: Any = {"norm": norm, "mutable": mutable, "sensitive_features": sensitive_features}
    threat_model = columns_of_frame(table, categories=list(frame.columns[codes]), **options)
    assert threat_model.table is not None
    seen = of_table(model, adapted, X, threat_model.table)
    if isinstance(seen, LogitModel):
        return threat_model
    rows = seen.inputs(X)
    further = code_columns(seen, rows, threat_model.numeric(rows.shape[1:]))
    if not further.any():
        return threat_model
    return columns_of_frame(table, categories=list(frame.columns[codes | further]), **options)


def _as_frame(X: Any) -> pd.DataFrame | None:
    """Return a table in the columns that from_frame sees, integers of an array as real numbers."""
    if isinstance(X, pd.DataFrame):
        return X
    if type_name(X) == "polars DataFrame":
        return pd.DataFrame({name: X[name].to_list() for name in X.columns})
    if isinstance(X, np.ndarray) and X.ndim == 2:
        return pd.DataFrame(X.astype(np.float64) if X.dtype.kind in "biuf" else X).infer_objects()
    return None


def _declared(adapted: Any, X: Any, frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Flag the columns of a table that the classifier was told to be codes.

    Its columns are not those of the table where a Pipeline transforms them: then these are the
    columns that it is given as they are.
    """
    estimator = getattr(adapted, "estimator", None)  # a model with logits has none, nor codes
    if estimator is None or adapted.transform is None:
        return declared_codes(estimator, frame.shape[1])
    flags = np.zeros(frame.shape[1], dtype=bool)
    try:
        seen = adapted.transform(some_rows(X))
    except Exception:  # told where the model predicts
        return flags
    seen, rows = np.asarray(seen, dtype=object), some_rows(frame)
    if seen.ndim != 2:  # sparse
        return flags
    given, known = rows.to_numpy(dtype=object), rows.notna().to_numpy()  # gaps may be filled
    for j in np.flatnonzero(declared_codes(estimator, seen.shape[1])):
        flags |= ((seen[:, [j]] == given) | ~known).all(axis=0)
    flags &= known.any(axis=0)
    return flags


def _is_real(column: pd.Series[Any]) -> bool:
    """Tell whether a column holds real numbers and no gap."""
    return pd.api.types.is_float_dtype(column.dtype) and not column.hasnans


def _predicts(model: Any, X: Any) -> bool:
    """Tell whether a model takes the table, or raise if another thing than its types is wrong."""
    try:
        as_given(model, some_rows(X))
    except ValueError as error:
        if any(words in str(error) for words in NUMBERS_ALONE):
            return False
        raise
    return True


def _joined(X: Any, background: Any) -> Any:
    """Return X and the background as one table, where these have the same columns and dtypes."""
    if isinstance(X, pd.DataFrame) and isinstance(background, pd.DataFrame):
        if list(X.columns) == list(background.columns) and X.dtypes.equals(background.dtypes):
            return pd.concat([X, background], ignore_index=True)
    elif isinstance(X, np.ndarray) and np.shape(background)[1:] == X.shape[1:]:
        return np.concatenate([X, np.asarray(background, dtype=X.dtype)])
    return X
