"""The threat model of the columns of a table where the user names none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from robfair.threat._columns import ColumnReader
from robfair.threat._from_frame import FrameOptions, read_frame
from robfair.threat._from_transformer import read_fields
from robfair.threat._model import ThreatModel

__all__ = ["UnreadableColumns", "columns_of_frame", "encodes_columns", "readable_columns"]


class UnreadableColumns(ValueError):
    """Raised for a transformer behind which no column can be told apart."""


def encodes_columns(transformer: Any, X: pd.DataFrame) -> bool:
    """Tell whether a transformer meets categories, text, booleans or integers.

    Parameters
    ----------
    transformer : ColumnTransformer, Pipeline or another transformer
        Fitted.
    X : DataFrame of shape (n_samples, n_columns)
        Samples in the columns that enter it.

    Returns
    -------
    bool
        True if a column that it uses is not of floats, or is taken apart by an encoder.

    Raises
    ------
    TypeError, ValueError
        If the transformer cannot be read at all, or X lacks a column.
    """
    return ColumnReader(transformer, X).encodes


def readable_columns(
    transformer: Any, X: pd.DataFrame, *, sensitive_features: Sequence[Any] = (), norm: float = 2
) -> ThreatModel:
    """Make the threat model of those columns that can be read; all others stay as they are.

    Parameters
    ----------
    transformer, X, sensitive_features, norm : object
        As for :meth:`robfair.ThreatModel.from_transformer`.

    Returns
    -------
    ThreatModel
        One whose `held_columns` says which columns stay because they cannot be read, and why.

    Raises
    ------
    TypeError, ValueError
        As :meth:`robfair.ThreatModel.from_transformer` does; UnreadableColumns if no column can be
        read.
    """
    fields, codec = read_fields(
        transformer, X, None, sensitive_features, "data", "std", "auto", by_default=True
    )
    if not codec.mutable and codec.held:
        name, reason = next(iter(codec.held.items()))
        raise UnreadableColumns(f"no column can be read; {name!r} {reason}.")
    model = ThreatModel(norm=norm, **fields)
    object.__setattr__(model, "_codec", codec)  # frozen, as in from_transformer
    return model


def columns_of_frame(
    frame: Any,
    *,
    mutable: Sequence[Any] | None = None,
    categories: Sequence[Any] = (),
    sensitive_features: Sequence[Any] = (),
    norm: float = 2,
) -> ThreatModel:
    """Make the threat model of a table that a model takes as it is; texts of any values stay.

    Parameters
    ----------
    frame, mutable, categories, sensitive_features, norm : object
        As for :meth:`robfair.ThreatModel.from_frame`.

    Returns
    -------
    ThreatModel
        One whose `held_columns` says which columns stay, and why.

    Raises
    ------
    TypeError, ValueError
        As :meth:`robfair.ThreatModel.from_frame` does.
    """
    options = FrameOptions(mutable, list(categories), None, "std", list(sensitive_features), "data")
    fields, codec = read_frame(frame, options, by_default=mutable is None)
    model = ThreatModel(norm=norm, **fields)
    object.__setattr__(model, "_codec", codec)
    return model
