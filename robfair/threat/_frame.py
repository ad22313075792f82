"""The columns of a table as an array of numbers, a feature each, and back.

A number stands for itself, a category for its code, and NaN for a gap. A row that is read back has
the columns, dtypes and categories that the model knows.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._text import few
from robfair.threat._codec import Codec, Moves, Number, as_dtype, key, some
from robfair.threat._containers import Container, open_table

MOST_CODES = 2**16  # that are counted up, one after the other


@dataclass(frozen=True)
class PlainNumber(Number):
    """A numeric column, which is its own feature; a gap is NaN."""

    def encode(self, values: pd.Series[Any]) -> NDArray[np.float64]:
        """Return values as floats."""
        if not is_number(values):
            raise ValueError(
                f"column {self.name!r} holds values of dtype {values.dtype}, and numbers in the "
                "frame of the threat model. Give both the same dtype."
            )
        x = values.to_numpy(dtype=np.float64, na_value=np.nan)
        if np.isinf(x).any():
            raise ValueError(
                f"column {self.name!r} holds infinity: leave such rows out, or write a gap."
            )
        return x

    def move(self, rows: NDArray[Any], start: pd.Series[Any]) -> Moves:
        """Flag the rows that differ from their start; return the new value of each of these."""
        moved, _ = super().move(rows, start)
        # As they are in the points, to the last bit: they may lie on a threshold.
        new = self.restore(rows[moved, self.feature].astype(np.float64))
        return moved, [(value,) for value in new.tolist()]

    def restore(self, x: NDArray[np.float64]) -> pd.Series[Any]:
        """Return features as a column of the original dtype."""
        if pd.api.types.is_integer_dtype(self.dtype):
            x = np.round(x)
            if isinstance(self.dtype, np.dtype) and np.isnan(x).any():
                return pd.Series(x)  # as pandas holds whole numbers with gaps
        return pd.Series(x).astype(self.dtype)


@dataclass(frozen=True, eq=False)
class CodedColumn:
    """A column whose values have codes: categories, text, truth values, and whatever is held."""

    name: Hashable
    pool: pd.Series[Any]  # the values, in the dtype of the column
    codes: NDArray[np.float64]  # that of each value, ascending
    feature: int
    missing: Any  # how the column writes a gap

    @property
    def dtype(self) -> Any:
        """The dtype of the column."""
        return self.pool.dtype

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CodedColumn) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        return self.name, str(self.dtype), self.feature, *self.pool.map(key), *self.codes

    @property
    def has_small_codes(self) -> bool:
        """Tell whether codes are whole numbers that can be counted up."""
        whole = (self.codes == np.rint(self.codes)) & (self.codes >= 0) & (self.codes < MOST_CODES)
        return bool(whole.all())

    @property
    def by_code(self) -> list[Any]:
        """The values that the codes 0, 1, ... stand for; None where that is nothing."""
        values = [None] * int(self.codes.max(initial=-1) + 1)
        for code, value in zip(self.codes, self.pool.astype(object), strict=True):
            values[int(code)] = value
        return values

    def encode(self, values: pd.Series[Any]) -> NDArray[np.float64]:
        """Return the code of each value, NaN for a gap."""
        held, known = values.astype(object), self.pool.astype(object)
        at = pd.Index(known).get_indexer(pd.Index(held))
        codes: NDArray[np.float64] = np.append(self.codes, np.nan)[
            at
        ]  # -1, the last one: a gap, or unknown
        unknown = np.isnan(codes) & held.notna().to_numpy()
        if unknown.any():
            raise ValueError(
                f"column {self.name!r} holds {held[unknown.nonzero()[0][0]]!r}, which the threat "
                f"model does not know; it knows {some(known.tolist())}."
            )
        return codes

    def place(self, x: NDArray[np.float64]) -> NDArray[np.intp]:
        """Return the position of codes among the values, -1 for a gap."""
        if not len(self.codes):
            return np.full(len(x), -1, dtype=np.intp)
        at = np.searchsorted(self.codes, x).clip(max=len(self.codes) - 1)
        lower = (at - 1).clip(min=0)  # rounding of the points may have put a code below itself
        at = np.where(np.abs(self.codes[lower] - x) < np.abs(self.codes[at] - x), lower, at)
        return np.where(np.isnan(x), -1, at)

    def restore(self, x: NDArray[np.float64]) -> pd.Series[Any]:
        """Return codes as a column of the original dtype."""
        at, pool = self.place(x), self.pool.array
        if (at >= 0).all():
            values: pd.Series[Any] = pd.Series(pool.take(at), dtype=self.dtype)
            return values
        if isinstance(self.dtype, np.dtype) and self.dtype.kind not in "mM":
            held = np.array([*pool, self.missing, None], dtype=object)[:-1]
            return pd.Series(held[at], dtype=object)  # which it is, or would be with a gap
        return pd.Series(pool.take(at, allow_fill=True))

    def decode(self, rows: NDArray[Any]) -> list[Any]:
        """Read the column back from rows of codes."""
        return self.restore(rows[:, self.feature].astype(np.float64)).tolist()

    def move(self, rows: NDArray[Any], start: pd.Series[Any]) -> Moves:
        """Flag the rows that differ from their start; return the new value of each of these."""
        before = self.place(self.encode(start))
        after = self.place(rows[:, self.feature].astype(np.float64))
        moved = before != after
        values = self.pool.astype(object).tolist()
        return moved, [(values[i],) for i in after[moved]]


FrameColumn = PlainNumber | CodedColumn


@dataclass(frozen=True)
class FrameCodec(Codec):
    """The columns of a table, a feature each, and the kind of table that they come from."""

    columns: tuple[FrameColumn, ...]  # type: ignore[assignment]
    container: Container

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FrameCodec) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        return self.columns, self.mutable, self.container.library

    @property
    def is_numeric(self) -> bool:
        """Tell whether every feature is the value of a numeric column, and no code."""
        return all(isinstance(column, PlainNumber) for column in self.columns)

    @property
    def categories(self) -> dict[int, list[Any]]:
        """The values that the codes 0, 1, ... of features stand for, None for none."""
        return {
            column.feature: column.by_code
            for column in self.columns
            if isinstance(column, CodedColumn) and column.has_small_codes
        }

    @property
    def names(self) -> list[Hashable]:
        """The names of the columns."""
        return [column.name for column in self.columns]

    def with_fractions(self) -> FrameCodec:
        """Return this codec with columns of floats for those of integers."""
        columns = tuple(
            replace(c, dtype=np.dtype(np.float64))
            if isinstance(c, PlainNumber) and pd.api.types.is_integer_dtype(c.dtype)
            else c
            for c in self.columns
        )
        return replace(self, columns=columns)

    def encode(self, X: Any) -> NDArray[np.float64]:
        """Return a table as an array of shape (n_samples, n_columns).

        Raises TypeError or ValueError if it is not a table like that of the threat model.
        """
        frame = self._frame(X, "X")
        # The dtype is given for a table without columns.
        return np.array([c.encode(frame[c.name]) for c in self.columns], dtype=np.float64).T

    def decode(self, points: NDArray[Any]) -> Any:
        """Return an array as a table of the kind, and in the dtypes, that the model knows."""
        rows = np.asarray(points, dtype=np.float64)
        return self.container.close([c.restore(rows[:, c.feature]) for c in self.columns])

    def holding(self, X: Any) -> FrameCodec:
        """Return this codec with codes for what other rows hold in columns that stay as they are.

        Raises what `encode` raises.
        """
        frame = self._frame(X, "X")
        columns = tuple(
            _extended(c, frame[c.name])
            if isinstance(c, CodedColumn) and c.name not in self.mutable
            else c
            for c in self.columns
        )
        return replace(self, columns=columns)

    def _has_point(self, rows: NDArray[Any]) -> NDArray[np.bool_]:
        return ~np.asarray(np.isnan(rows).all(axis=1))  # a gap is NaN, too

    def _frame(self, X: Any, argument: str) -> pd.DataFrame:
        frame, _ = open_table(X, argument)
        names, given = [column.name for column in self.columns], list(frame.columns)
        absent = [name for name in names if name not in set(given)]
        further = [name for name in given if name not in set(names)]
        if absent or further:
            what = f"has no column {absent[0]!r}" if absent else f"has a column {further[0]!r}"
            raise ValueError(
                f"{argument} {what}, unlike the frame that the threat model was made of. It must "
                f"have the columns {few(names, 8, repr)}."
            )
        if names != given:
            raise ValueError(
                f"{argument} has its columns in another order than the frame that the threat model "
                f"was made of, which has {few(names, 8, repr)}."
            )
        return frame

    def _start(self, start: Any) -> pd.DataFrame:
        rows = isinstance(start, np.ndarray) and self.container.library != "numpy"
        return super()._start(start if rows else open_table(start, "start")[0])


def is_number(values: pd.Series[Any]) -> bool:
    """Tell whether a column holds real numbers, and not truth values."""
    dtype = values.dtype
    if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_complex_dtype(dtype):
        return False
    return pd.api.types.is_numeric_dtype(dtype)


def coded(name: Hashable, values: pd.Series[Any], feature: int) -> CodedColumn:
    """Give codes to the values that a column holds.

    Numbers and truth values are their own codes, and categories have those of their dtype. Others
    are numbered in order. Raises ValueError if values have no equality.
    """
    gaps = values[values.isna()]
    pool, codes = _pool(name, values)
    missing = gaps.iloc[0] if len(gaps) else np.nan
    return CodedColumn(name, pool, codes, feature, missing)


def _pool(name: Hashable, values: pd.Series[Any]) -> tuple[pd.Series[Any], NDArray[np.float64]]:
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes = np.unique(values.cat.codes[values.notna()])
        pool = pd.Series(pd.Categorical.from_codes(codes, dtype=values.dtype))
        return pool, codes.astype(np.float64)
    try:
        pool = pd.Series(values.dropna().unique(), dtype=values.dtype)
    except TypeError:  # lists and the like
        raise ValueError(
            f"column {name!r} holds values that cannot be compared, such as lists: leave it out, "
            "or turn them into text."
        ) from None
    try:
        pool = pool.sort_values(ignore_index=True)
    except TypeError:  # of several types, which have no order
        pool = pool.sort_values(ignore_index=True, key=lambda held: held.map(repr))
    pool = pool.astype(values.dtype)  # sorting has guessed one
    if pd.api.types.is_numeric_dtype(pool.dtype) and not pd.api.types.is_complex_dtype(pool.dtype):
        codes = pool.to_numpy(dtype=np.float64)
        if len(np.unique(codes)) == len(codes):
            return pool, codes
    return pool, np.arange(len(pool), dtype=np.float64)


def _extended(column: CodedColumn, values: pd.Series[Any]) -> CodedColumn:
    """Add the values of a column that have no code yet; others may get new codes by that."""
    present = values[values.notna()].astype(object)
    known = column.pool.astype(object)
    new = present[~present.isin(known)]
    if not len(new):
        return column
    both = as_dtype(pd.concat([known, new], ignore_index=True), column.dtype)
    pool, codes = _pool(column.name, both)
    return replace(column, pool=pool, codes=codes)
