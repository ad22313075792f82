"""The threat model where the user names none: rows that could exist, if X is a table of columns.

This is the one place that decides it, for distances, audits, scorers, figures, attacks and the
command line.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._frame_threat import frame_threat_model
from robfair._groups import SMALL_GROUP, Groups, group_columns
from robfair._text import few
from robfair._validation import to_array
from robfair._warnings import warn
from robfair.adapters import refuses_floats, transformers
from robfair.threat import (
    ThreatModel,
    UnreadableColumns,
    encodes_columns,
    readable_columns,
)


def default_threat_model(
    model: Any,
    X: Any,
    *,
    norm: float = 2,
    background: Any = None,
    sensitive_features: Any = None,
) -> ThreatModel:
    """Make the threat model that holds where none is named.

    If X is a table with categories, text, booleans, integers or gaps, that of its columns: all but
    those of `sensitive_features` may change, by steps that give rows which could exist, within the
    range of X and `background`. A Pipeline that encodes the columns is read; any other model, and
    one whose last step is given gaps or categories, is given the table as it is. Else only `norm`
    is set.
    """
    steps = transformers(model)
    columns = sensitive_columns(sensitive_features, X) if hasattr(X, "columns") else []
    unread: Exception | None = None
    if steps is not None and isinstance(X, pd.DataFrame) and not refuses_floats(model):
        try:
            if not encodes_columns(steps, X) and not _leaves_gaps(steps, X):
                return ThreatModel(norm=norm)
            joined = _with_background(X, background)
            return readable_columns(steps, joined, norm=norm, sensitive_features=columns)
        except (TypeError, ValueError) as error:  # not to be read, but may be given the table
            unread = error
    of_frame = frame_threat_model(
        model, X, norm=norm, background=background, sensitive_features=columns
    )
    if of_frame is not None:
        return of_frame
    if isinstance(unread, UnreadableColumns):  # bad input is refused where it is measured
        warn(
            "the columns of X cannot be told apart behind the Pipeline's transformers, so what "
            f"changes is the input of its last step, also to what no row has: {unread} "
            "threat_model=robfair.ThreatModel() asks for that without this warning.",
            UserWarning,
        )
    return ThreatModel(norm=norm)


def otherwise(threat_model: ThreatModel) -> str:
    """Say how to get another threat model than that of the columns; "" if it was named."""
    if threat_model.held_columns is None:
        return ""
    norm = "" if threat_model.norm == 2 else "norm=numpy.inf"
    if threat_model.table is not None:
        return (
            "That is the default for a table; threat_model=robfair.ThreatModel.from_frame(...) "
            "says otherwise."
        )
    return (
        f"That is the default for a table; threat_model=robfair.ThreatModel({norm}), or --space "
        "features in a shell, changes the input of the Pipeline's last step instead."
    )


def held_lines(threat_model: ThreatModel) -> list[str]:
    """Say which columns stay as they are since they cannot be read; no line if there is none."""
    held = threat_model.held_columns
    if not held:
        return []
    columns = few([f"{name!r} {reason}" for name, reason in held.items()], 5)
    return [
        f"not every column that could change does: {columns}. Such a column stays as it is; "
        f"threat_model= says otherwise."
    ]


def sensitive_columns(features: Any, X: Any) -> list[Hashable]:
    """List the columns of X that are sensitive features: by name, or since they part X alike.

    `features` are those of an audit, of any container; None is none.
    """
    if features is None:
        return []
    if not isinstance(X, pd.DataFrame):  # polars
        X = pd.DataFrame({name: X[name].to_list() for name in X.columns})
    if isinstance(features, Groups):
        columns = [(features.codes, name) for name in features.labels.names]
    else:
        columns = group_columns(features, len(X), "sensitive_features")
    names, enough = {name for _, name in columns}, len(X) >= SMALL_GROUP  # fewer agree by chance
    codes = [pd.factorize(to_array(values))[0] for values, _ in columns]
    return [
        name
        for name in X.columns
        if name in names
        or (
            enough
            and not pd.api.types.is_float_dtype(X[name].dtype)
            and _parts_alike(X[name], codes)
        )
    ]


def _parts_alike(column: pd.Series[Any], groups: list[NDArray[np.intp]]) -> bool:
    """Tell whether the values of a column are groups under other names."""
    try:
        own = pd.factorize(column, use_na_sentinel=False)[0]
    except TypeError:  # lists, and what else has no hash
        return False
    n = len(np.unique(own))
    return n > 1 and any(
        n == len(np.unique(codes)) == len(np.unique(np.column_stack([own, codes]), axis=0))
        for codes in groups
    )


def _leaves_gaps(steps: Any, X: pd.DataFrame) -> bool:
    """Tell whether gaps of X reach the last step: tried on a row with one of each column."""
    gaps = X.isna().to_numpy()
    rows = X.iloc[np.unique(gaps.argmax(axis=0)[gaps.any(axis=0)])]
    if not len(rows):
        return False
    out = steps.transform(rows)
    return bool(
        pd.DataFrame(out.toarray() if hasattr(out, "toarray") else out).isna().any(axis=None)
    )


def _with_background(X: pd.DataFrame, background: Any) -> pd.DataFrame:
    """Return X and the background as one table, where the latter has the same columns."""
    if isinstance(background, pd.DataFrame) and list(background.columns) == list(X.columns):
        return pd.concat([X, background], ignore_index=True)
    return X
