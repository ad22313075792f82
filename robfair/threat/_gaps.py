"""Missing values of a table that a transformer fills: none appears, and none goes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair.threat._block import Block
from robfair.threat._codec import Category, Codec, Number
from robfair.threat._frame import FrameCodec
from robfair.threat._model import ThreatModel

__all__ = ["rows_by_gaps"]


def rows_by_gaps(
    threat_model: ThreatModel, X: Any
) -> list[tuple[NDArray[np.intp], ThreatModel | None]] | None:
    """Part the rows of a table by the columns in which they miss a value.

    An imputer gives a missing value a number or a category like any other, and an encoder may know
    "missing" as one: a search would fill gaps, and make new ones.

    Parameters
    ----------
    threat_model : ThreatModel
        What may change.
    X : DataFrame or array-like of shape (n_samples, n_columns)
        The samples as the user has them.

    Returns
    -------
    list of (ndarray of int, ThreatModel or None), or None
        Rows and the threat model that holds for them, None where nothing may change. None for the
        whole if one threat model holds for all rows.
    """
    codec = threat_model._codec
    if codec is None or isinstance(codec, FrameCodec) or not isinstance(X, pd.DataFrame):
        return None  # gaps of a FrameCodec are NaN, which every search leaves alone
    columns = [c for c in codec.columns if c.name in codec.mutable and c.name in X.columns]
    missing = np.array([X[c.name].isna() for c in columns], dtype=bool).T
    known = any(isinstance(c, Category) and _of_gaps(c).any() for c in columns)
    if not missing.any() and not known:
        return None
    patterns, pattern = np.unique(missing, axis=0, return_inverse=True)
    pattern = pattern.ravel()
    parts = []
    for i, gaps in enumerate(patterns):
        held = {c.name for c, gap in zip(columns, gaps, strict=True) if gap}
        parts.append((np.flatnonzero(pattern == i), _holding(threat_model, codec, held)))
    return parts


def _of_gaps(column: Category) -> NDArray[np.bool_]:
    """Flag the codes that a missing value alone has."""
    return np.array([all(map(pd.isna, same)) for same in column.values])


def _holding(threat_model: ThreatModel, codec: Codec, held: set[Any]) -> ThreatModel | None:
    """Return a threat model for rows that miss a value in some columns, which stay."""
    mutable = np.array(threat_model.mutable, dtype=bool)
    blocks = []
    for column in codec.columns:
        if column.name not in codec.mutable:
            continue
        if isinstance(column, Number):
            mutable[column.feature] &= column.name not in held
        elif isinstance(column, Category):
            codes = column.block.codes[~_of_gaps(column)]
            if column.name in held or len(codes) < 2:
                mutable[list(column.block.columns)] = False
            else:
                blocks.append(Block(column.block.columns, codes, name=column.block.name))
    if not mutable.any():
        return None
    part = replace(threat_model, mutable=mutable, categories=tuple(blocks) or None)
    object.__setattr__(part, "_codec", codec)
    return part
