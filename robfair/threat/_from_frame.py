"""The fields of a threat model over the columns of a table themselves."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from robfair.threat._block import Block
from robfair.threat._containers import open_table
from robfair.threat._frame import (
    CodedColumn,
    FrameCodec,
    FrameColumn,
    PlainNumber,
    coded,
    is_number,
)
from robfair.threat._from_transformer import (
    FREE,
    Names,
    by_column,
    check_sides,
    moving_columns,
    names_in,
    unit_of,
    whole_columns,
)
from robfair.threat._resolution import is_whole, written_step

WHOLE = 2.0**53  # beyond it a float64 does not tell whole numbers apart


@dataclass(frozen=True)
class FrameOptions:
    """Options of `ThreatModel.from_frame`, which describes them."""

    mutable: Names | None
    categories: Names | None
    integer: Names | None
    unit: str | Mapping[Hashable, float] | None
    sensitive_features: Names
    bounds: str | Mapping[Hashable, tuple[float, float]] | None


def read_frame(
    table: Any, options: FrameOptions, *, by_default: bool = False
) -> tuple[dict[str, Any], FrameCodec]:
    """Return fields of a ThreatModel and the codec; raise what from_frame raises.

    `by_default` holds texts of any values, which a user can name.
    """
    frame, container = open_table(table, "frame")
    if not len(frame) or not len(frame.columns):
        raise ValueError("frame is empty: what may change cannot be learned from it.")
    move = moving_columns(options.mutable, options.sensitive_features, frame)
    as_codes = (
        set() if options.categories is None else names_in(options.categories, frame, "categories")
    )
    whole = _whole_columns(options.integer, frame)
    sides = by_column(options.bounds, "bounds", "data", frame)
    units = by_column(options.unit, "unit", "std", frame)
    for name, pair in sides.items():
        check_sides(name, pair, frame, whole)

    columns: list[FrameColumn] = []
    moving: list[FrameColumn] = []
    held: dict[Hashable, str] = {}
    for j, (name, values) in enumerate(frame.items()):
        column, reason = _column(name, values, j, name in as_codes, name in whole)
        columns.append(column)
        if reason is None and by_default and _is_free_text(values):
            reason = f"holds more than {FREE} values, which no encoder knows"
        if reason is not None and name in move:
            held[name] = reason
        if reason is None and values.nunique() < 2 and name not in sides:
            reason = _constant(values)
        if name in move and reason is None:
            moving.append(column)
        elif name in move and options.mutable is not None:
            raise ValueError(f"column {name!r} {reason}; leave it out of `mutable`.")
    if not moving:
        raise ValueError(
            f"no column of the frame can change: in its {len(frame)} row(s) each is held, or has "
            "one value only. Give more rows, such as the training data."
        )
    numbers = [column for column in moving if isinstance(column, PlainNumber)]
    for option, given in (("bounds", sides), ("unit", units)):
        idle = [name for name in given if name not in {number.name for number in numbers}]
        if idle:
            raise ValueError(f"{option} names {idle[0]!r}, which is not a mutable numeric column.")
    codec = FrameCodec(
        tuple(columns),
        frozenset(column.name for column in moving),
        len(columns),
        container,
        held=held if by_default else None,
    )
    return _fields(frame, moving, options, sides, units), codec


def _column(
    name: Hashable, values: pd.Series[Any], feature: int, as_code: bool, whole: bool
) -> tuple[FrameColumn, str | None]:
    """Return a column, and the reason why it cannot change, if there is one."""
    reason = None
    if is_number(values) and not as_code:
        x = values.to_numpy(dtype=np.float64, na_value=np.nan)
        size = float(np.max(np.abs(x), initial=0, where=~np.isnan(x)))
        if np.isinf(size):
            raise ValueError(
                f"column {name!r} of the frame holds infinity: leave such rows out, or write a gap."
            )
        if not (pd.api.types.is_integer_dtype(values.dtype) and size > WHOLE):
            step = written_step(values)
            return PlainNumber(name, values.dtype, feature, 1.0, 0.0, 0.0, whole, size, step), None
        reason = "holds whole numbers beyond 2**53, as keys do"
    elif values.dtype.kind in "mM" or isinstance(values.dtype, pd.PeriodDtype):
        reason = f"is of dtype {values.dtype}, neither a number nor a category"
    return coded(name, values, feature), reason


def _is_free_text(values: pd.Series[Any]) -> bool:
    """Tell whether the values of a column are a part only of those that it may hold."""
    if is_number(values) or isinstance(values.dtype, pd.CategoricalDtype):
        return False
    return values.nunique() > FREE


def _constant(values: pd.Series[Any]) -> str:
    if values.isna().all():
        return "holds no value at all in the frame"
    return "holds one value only in the frame"


def _whole_columns(integer: Names | None, frame: pd.DataFrame) -> frozenset[Hashable]:
    """Return the columns that move by whole numbers."""
    if integer is not None:
        return whole_columns(integer, frame)
    return frozenset(name for name, values in frame.items() if is_whole(values))


def _fields(
    frame: pd.DataFrame,
    moving: list[FrameColumn],
    options: FrameOptions,
    sides: Mapping[Hashable, tuple[float, float]],
    units: Mapping[Hashable, float],
) -> dict[str, Any]:
    """Return the fields of a ThreatModel for the columns that may change."""
    n = len(frame.columns)
    mask, spacing, size = np.zeros(n, dtype=bool), np.zeros(n), np.ones(n)
    low, high = np.full(n, -np.inf), np.full(n, np.inf)
    blocks = []
    for column in moving:
        at, name = column.feature, column.name
        mask[at] = True
        if isinstance(column, CodedColumn):
            blocks.append(Block((at,), column.codes[:, None], name=str(name)))
            continue
        spacing[at] = column.integer
        size[at] = unit_of(name, options.unit, units, frame)
        low[at], high[at] = sides.get(name, (frame[name].min(), frame[name].max()))
    return {
        "bounds": None if options.bounds is None else (low, high),
        "mutable": mask,
        "categories": tuple(blocks) or None,
        "integer": spacing if spacing.any() else None,
        "unit": size,
    }
