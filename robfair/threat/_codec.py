"""The columns that entered a transformer, read back from rows of its output."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._text import type_name
from robfair.threat._block import Block

Moves = tuple[NDArray[np.bool_], list[tuple[Any, ...]]]  # rows that move, and their new values


@dataclass(frozen=True)
class Number:
    """A numeric column that one feature is an affine function of."""

    name: Hashable
    dtype: Any
    feature: int
    scale: float  # feature = scale * value + offset
    offset: float
    missing: float  # the feature of a missing value; NaN where none was seen
    integer: bool  # whether it moves by whole numbers
    size: float  # largest feature that scale and offset were fitted to
    step: float  # the unit of the last decimal place in which values are written; 0 if none

    def encode(self, values: pd.Series[Any]) -> NDArray[np.float64]:
        """Return the feature that the transformer gives for values."""
        x = values.to_numpy(dtype=np.float64, na_value=np.nan)
        if np.isnan(self.missing) and np.isnan(x).any():
            raise ValueError(
                f"column {self.name!r} holds missing values, and in the X of from_transformer it "
                "did not: pass it an X that has some."
            )
        return np.where(np.isnan(x), self.missing, self.scale * x + self.offset)

    def read(self, feature: NDArray[Any]) -> NDArray[np.float64]:
        """Return the values that features stand for."""
        return np.asarray((feature.astype(np.float64) - self.offset) / self.scale)

    def decode(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Read the column back from transformed rows."""
        x = self.read(rows[:, self.feature])
        # A whole number may lie where an imputer has put it, between whole values.
        return np.round(x) if pd.api.types.is_integer_dtype(self.dtype) else x

    def move(self, rows: NDArray[Any], start: pd.Series[Any]) -> Moves:
        """Flag the rows that differ from their start; return the new value of each of these."""
        before, after = self.encode(start), rows[:, self.feature].astype(np.float64)
        steps = (after - before) / self.scale
        if self.integer:
            steps = np.round(steps)
        # Rounding of the rows to their own dtype is not a move, nor is that of scale and offset.
        size = np.abs(before) + np.abs(after) + abs(self.offset) + self.size
        moved = np.abs(after - before) > 4 * np.finfo(rows.dtype).eps * size
        moved &= steps != 0
        x = start.to_numpy(dtype=np.float64, na_value=np.nan)
        x = np.where(np.isnan(x), self.read(before), x) + steps
        new = self._as_written(x[moved]).tolist()
        return moved, [(int(v) if self.integer and v == round(v) else v,) for v in new]

    def _as_written(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values without the rounding that parts them from the last decimal place."""
        if not self.step:
            return x
        written = np.round(x, round(-np.log10(self.step)))
        return np.where(np.abs(written - x) <= 1e-6 * self.step, written, x)


@dataclass(frozen=True)
class Category:
    """A column that a block of features encodes."""

    name: Hashable
    dtype: Any
    block: Block
    values: tuple[tuple[Any, ...], ...]  # for each code those that share it, most frequent first

    def encode(self, values: pd.Series[Any]) -> NDArray[np.intp]:
        """Return the code of each value."""
        code = {key(v): i for i, same in enumerate(self.values) for v in same}
        codes = [code.get(key(v), -1) for v in values]
        if -1 in codes:
            unknown = values.iloc[codes.index(-1)]
            raise ValueError(
                f"column {self.name!r} holds {unknown!r}, which the threat model does not know; it "
                f"knows {some([v for same in self.values for v in same])}."
            )
        return np.array(codes, dtype=np.intp)

    def decode(self, rows: NDArray[Any]) -> list[Any]:
        """Read the column back from transformed rows."""
        return [self.values[i][0] for i in self.block.find(rows)]

    def move(self, rows: NDArray[Any], start: pd.Series[Any]) -> Moves:
        """Flag the rows that differ from their start; return the new value of each of these."""
        before, after = self.encode(start), self.block.find(rows)
        moved = before != after
        return moved, [self.values[i] for i in after[moved]]


@dataclass(frozen=True)
class Opaque:
    """A column that cannot be read back, with the reason."""

    name: Hashable
    reason: str
    idle: bool = False  # whether its values change nothing in the output


Column = Number | Category | Opaque


@dataclass(frozen=True)
class Codec:
    """The columns that entered a transformer, each of which encodes and decodes itself."""

    columns: tuple[Column, ...]
    mutable: frozenset[Hashable]
    n_features: int
    # Where nobody has chosen the columns: those that stay since they cannot be read, and the reason
    held: Mapping[Hashable, str] | None = field(default=None, kw_only=True)

    def steps(self) -> NDArray[np.float64]:
        """Return the step by which each feature is written, 0 where there is none."""
        steps = np.zeros(self.n_features)
        for column in self.columns:
            if isinstance(column, Number):
                steps[column.feature] = abs(column.scale) * column.step
        return steps

    def number(self, feature: int) -> Number | None:
        """Return the numeric column behind a feature, if there is one."""
        numbers = (column for column in self.columns if isinstance(column, Number))
        return next((number for number in numbers if number.feature == feature), None)

    def as_rows(self, points: Any, start: Any) -> pd.DataFrame:
        """Write perturbed samples in the original columns; see ThreatModel.as_rows."""
        rows = self._array(points, "points must be")
        frame = self._start(start)
        if len(frame) != len(rows):
            raise ValueError(f"points has {len(rows)} rows and start has {len(frame)}.")
        has_point = self._has_point(rows)
        at = np.flatnonzero(has_point)
        out = frame.copy()
        words: list[list[str]] = [[] for _ in rows]
        for column in self.columns:
            name = column.name
            if isinstance(column, Opaque) or name not in self.mutable:
                continue
            moved, new = column.move(rows[at], frame[name].iloc[at])
            # Objects, so that any new value fits in before a dtype for all of them is chosen.
            cells = frame[name].to_numpy(dtype=object, copy=True)
            for i, same in zip(at[moved], new, strict=True):
                words[i].append(f"{name} {_arrow(cells[i], same)}")
                cells[i] = same[0]
            if moved.any():
                out[name] = as_dtype(cells, frame[name].dtype).set_axis(frame.index)
        if not has_point.all():
            for name in frame.columns:
                cells = out[name].to_numpy(dtype=object, copy=True)
                cells[~has_point] = None
                out[name] = as_dtype(cells, out[name].dtype).set_axis(frame.index)
        out["changed"] = np.where(has_point, ["; ".join(w) for w in words], "no change found")
        return out

    def _has_point(self, rows: NDArray[Any]) -> NDArray[np.bool_]:
        """Tell which rows of points hold one."""
        return np.asarray(np.isfinite(rows).all(axis=1))

    def _array(self, rows: Any, problem: str) -> NDArray[Any]:
        """Return rows of the transformer's output as an array of floats."""
        array = np.asarray(rows.toarray() if hasattr(rows, "toarray") else rows)
        if array.ndim != 2 or array.shape[1] != self.n_features:
            raise ValueError(
                f"{problem} an array of shape (n_samples, {self.n_features}), like what the "
                f"transformer returns; got shape {array.shape}."
            )
        return array if array.dtype.kind == "f" else array.astype(np.float64)

    def _start(self, start: Any) -> pd.DataFrame:
        """Return the samples in the original columns, given these or rows of the output."""
        if isinstance(start, pd.DataFrame) and self.mutable <= set(start.columns):
            if "changed" in start.columns:
                raise ValueError(
                    'start has a column "changed" of its own: rename it, since as_rows lists '
                    "the changes there."
                )
            return start
        names = some(sorted(self.mutable, key=str))
        wanted = f"start must be a pandas DataFrame with the columns {names}, or"
        if hasattr(start, "columns") and not isinstance(start, pd.DataFrame):
            raise TypeError(f"{wanted} an array; got a {type_name(start)}.")
        rows = self._array(start, wanted)
        columns = {}
        for column in self.columns:
            if isinstance(column, Opaque):
                raise ValueError(
                    f"column {column.name!r} cannot be read back from an array, since it "
                    f"{column.reason}: pass the original DataFrame as start."
                )
            columns[column.name] = as_dtype(column.decode(rows), column.dtype)
        return pd.DataFrame(columns)


def as_dtype(values: Any, dtype: Any) -> pd.Series[Any]:
    """Make a column of a dtype, or of the nearest one that holds the values."""
    column = pd.Series(values, dtype=object)
    missing = column.isna().any()
    if isinstance(dtype, pd.CategoricalDtype):
        new = [v for v in column.dropna().unique() if v not in dtype.categories]
        dtype = pd.CategoricalDtype([*dtype.categories, *new], dtype.ordered)
    elif pd.api.types.is_bool_dtype(dtype):
        dtype = "boolean" if missing else dtype
    elif pd.api.types.is_integer_dtype(dtype):
        if any(v != int(v) for v in column.dropna()):
            dtype = np.float64
        elif missing:
            dtype = "Int64"
    return column.astype(dtype)


def key(value: Any) -> Any:
    """Make all missing values one key, since NaN does not equal itself."""
    return None if pd.isna(value) else value


def _word(value: Any) -> str:
    """Write one value."""
    if pd.isna(value):
        return "missing"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _arrow(old: Any, new: tuple[Any, ...]) -> str:
    """Write a change; values that look alike are written out."""
    before, after = _word(old), " or ".join(map(_word, new))
    return f"{before} -> {after}" if before != after else f"{old!r} -> {new[0]!r}"


def some(values: Sequence[Any]) -> str:
    """Show the first few of many values."""
    shown = ", ".join(repr(value) for value in values[:8])
    return f"{shown}, ..." if len(values) > 8 else shown
