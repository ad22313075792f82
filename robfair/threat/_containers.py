"""Tables of pandas, polars and numpy as one kind of DataFrame, and back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from robfair._text import type_name


@dataclass(frozen=True)
class Container:
    """The kind of table that a DataFrame of pandas was made of, and will be made into again."""

    library: str  # "pandas", "polars" or "numpy"
    columns: Any  # the pandas index of columns, the schema of polars, or the dtype of an array

    def close(self, columns: Sequence[pd.Series[Any]]) -> Any:
        """Return columns, which are in order, as a table of the user's kind."""
        if self.library == "numpy":
            dtype = self.columns
            if dtype.kind in "iu" and any(column.hasnans for column in columns):
                dtype = np.dtype(np.float64)
            return np.stack([column.to_numpy(dtype=dtype) for column in columns], axis=1)
        if self.library == "pandas":
            frame = pd.DataFrame(dict(enumerate(columns)), copy=False)
            frame.columns = self.columns
            return frame
        polars: Any = sys.modules["polars"]  # the user's table comes from it
        return polars.DataFrame(
            [
                polars.Series(name, _plain(column), dtype=dtype)
                for column, (name, dtype) in zip(columns, self.columns.items(), strict=True)
            ]
        )


def open_table(table: Any, argument: str) -> tuple[pd.DataFrame, Container]:
    """Return a table as a DataFrame of pandas, and what it was; raise for anything else."""
    if isinstance(table, pd.DataFrame):
        frame, container = table, Container("pandas", table.columns)
    elif type_name(table) == "polars DataFrame":
        frame = pd.DataFrame({name: _of_polars(table[name]) for name in table.columns})
        container = Container("polars", dict(table.schema))
    elif isinstance(table, np.ndarray) and table.ndim == 2:
        frame = pd.DataFrame(table).infer_objects()
        container = Container("numpy", table.dtype)
    else:
        to_pandas = " Make one, for instance by .to_pandas()." * hasattr(table, "columns")
        raise TypeError(
            f"{argument} must be a DataFrame of pandas or polars, or an array of two dimensions; "
            f"got a {type_name(table)}.{to_pandas}"
        )
    if not frame.columns.is_unique:
        twice = frame.columns[frame.columns.duplicated()][0]
        raise ValueError(f"{argument} has two columns {twice!r}.")
    return frame, container


def _of_polars(column: Any) -> pd.Series[Any]:
    """Return a column of polars as one of pandas; its `to_pandas` would need pyarrow."""
    dtype = column.dtype
    if dtype.is_float():  # a missing value is a gap, as NaN is
        return pd.Series(column.to_numpy().astype(np.float64))
    if dtype.is_integer():
        return pd.Series(column.to_list(), dtype="Int64" if column.null_count() else np.int64)
    if str(dtype).startswith(("Categorical", "Enum")):
        known = dtype.categories.to_list() if str(dtype).startswith("Enum") else None
        return pd.Series(pd.Categorical(column.to_list(), known))
    values = pd.Series(column.to_list(), dtype=object)
    if str(dtype) == "Boolean" and not column.null_count():
        return values.astype(bool)
    return values


def _plain(column: pd.Series[Any]) -> list[Any]:
    """Return the values of a column, None where they are missing."""
    values = column.astype(object)
    return values.where(values.notna(), None).tolist()
