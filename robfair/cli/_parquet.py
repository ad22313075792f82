"""Parquet files that are read by row groups, so that they need not fit into memory.

What has to be known of all rows is found column by column: the sum of them is never in memory.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair.auditing import RowBlocks
from robfair.cli._data import PARQUET, as_columns, check_distinct
from robfair.cli._errors import BadInput, one_line

__all__ = ["ColumnFacts", "ParquetFile", "ParquetRows", "hash_file", "is_parquet"]

MOST_VALUES = 10_000  # of a column of text or categories, each with a row of the sample


def is_parquet(path: Path) -> bool:
    """Return whether a regular file begins as Parquet does."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(PARQUET)) == PARQUET


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass
class ColumnFacts:
    """Facts about all rows of some columns, with few rows that show them.

    Attributes
    ----------
    rows : set of int
        Rows that hold, of each column, the extremes, the nearest two values, a gap, a fraction, and
        each category: a sample with them has the range, the steps and the categories of the whole.
    unit : dict of names to float
        The standard deviation of each column of numbers.
    missing : dict of str to int
        Rows with missing values, by column, where there are any.
    """

    rows: set[int] = field(default_factory=set)
    unit: dict[Hashable, float] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, column: pd.Series[Any]) -> None:
        """Look at one column."""
        gaps = column.isna().to_numpy()
        if gaps.any():
            self.missing[name] = int(gaps.sum())
            self.rows.add(int(gaps.argmax()))
        kept = np.flatnonzero(~gaps)
        if len(kept) == 0:
            return
        is_number = pd.api.types.is_numeric_dtype(column.dtype)
        if not is_number or pd.api.types.is_bool_dtype(column.dtype):
            self.rows.update(int(i) for i in np.flatnonzero(~column.duplicated())[:MOST_VALUES])
            return
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)[kept]
        if values.std() > 0:
            self.unit[name] = float(values.std())
        order = np.argsort(values, kind="stable")
        steps = np.diff(values[order])
        steps[steps <= 0] = np.inf
        nearest = int(steps.argmin()) if len(steps) else 0
        picked = [0, len(order) - 1, nearest, min(nearest + 1, len(order) - 1)]
        self.rows.update(int(kept[order[i]]) for i in picked)
        fractions = values != np.rint(values)
        if fractions.any():
            self.rows.add(int(kept[fractions.argmax()]))


class ParquetFile:
    """A Parquet file of which columns, or rows, are read.

    Raises BadInput if it is damaged or has no rows, and ImportError if pyarrow is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            import pyarrow.parquet as pq
        except ImportError as error:
            raise ImportError(
                'reading Parquet needs pyarrow: pip install "robfair[cli]"'
            ) from error
        self.path = path
        with self._reading():
            self.file = pq.ParquetFile(path)
            counts = [
                self.file.metadata.row_group(i).num_rows
                for i in range(self.file.metadata.num_row_groups)
            ]
            names = [str(name) for name in self.file.schema_arrow.names]
            self.columns = [name for name in names if not name.startswith("__index_level_")]
        check_distinct(path, self.columns)
        self.ends = np.cumsum(counts, dtype=np.intp)  # the first row behind each row group
        self.n_rows = int(self.ends[-1]) if len(counts) else 0
        if self.n_rows == 0:
            raise BadInput(f"{path} has {len(self.columns)} columns and no rows.")
        self.group: tuple[tuple[int, tuple[str, ...]], Any] | None = None  # the last one read

    def read_columns(self, names: Sequence[str]) -> pd.DataFrame:
        """Return whole columns; equal texts are one object, or they would fill the memory."""
        with self._reading():
            frame = as_columns(self.file.read(columns=list(names)).to_pandas())
        for name in frame:
            if pd.api.types.is_string_dtype(frame[name].dtype):
                frame[name] = _shared(frame[name])
        return frame

    def read_rows(self, rows: NDArray[np.intp], names: Sequence[str]) -> pd.DataFrame:
        """Return some rows, whose numbers ascend, of some columns."""
        import pyarrow as pa

        parts = []
        groups = np.searchsorted(self.ends, rows, side="right")
        for group in np.unique(groups).tolist():
            first = int(self.ends[group - 1]) if group else 0
            at = rows[groups == group] - first
            table = self._read_group(group, tuple(names))
            consecutive = at[-1] - at[0] + 1 == len(at)
            parts.append(table.slice(at[0], len(at)) if consecutive else table.take(pa.array(at)))
        if not parts:
            parts = [self._read_group(0, tuple(names)).slice(0, 0)]
        with self._reading():
            return as_columns(pa.concat_tables(parts).to_pandas())

    def _read_group(self, group: int, names: tuple[str, ...]) -> Any:
        """Return a row group; blocks are shorter, so that the last one is kept."""
        if self.group is None or self.group[0] != (group, names):
            self.group = None  # first, or two would be in memory
            with self._reading():
                table = self.file.read_row_group(group, columns=list(names))
            self.group = (group, names), table
        return self.group[1]

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            yield
        except MemoryError:
            raise
        except Exception as error:  # of a damaged file pyarrow and pandas may read anything
            raise BadInput(f"{self.path} is a damaged Parquet file: {one_line(error)}") from error

    def facts(self, names: Sequence[str]) -> ColumnFacts:
        """Look at some columns, one after the other."""
        facts = ColumnFacts()
        for name in names:
            facts.add(name, self.read_columns([name])[name])
        return facts


def _shared(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column whose equal values are one object."""
    try:
        codes, values = pd.factorize(column)
    except TypeError:  # lists, which are refused later
        return column
    held = np.array([*values, None], dtype=object)  # None for the code -1
    return pd.Series(held[codes], index=column.index, dtype=object)


class ParquetRows(RowBlocks):
    """The columns that a model takes of a Parquet file, as `audit` reads them."""

    def __init__(
        self, file: ParquetFile, features: list[str], kinds: dict[str, Any], named: bool
    ) -> None:
        super().__init__(features if named else None)
        # The categories of all rows: those of a row group are its own.
        self.file, self.features, self.kinds, self.named = file, features, kinds, named

    def __len__(self) -> int:
        return self.file.n_rows

    def read(self, rows: NDArray[np.intp]) -> Any:
        """Return some rows, whose numbers ascend, as the model takes them."""
        frame = self.file.read_rows(rows, self.features)[self.features].astype(self.kinds)
        return frame if self.named else frame.to_numpy()
