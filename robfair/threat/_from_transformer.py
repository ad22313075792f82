"""The fields of a threat model, from the columns of a table that an attacker may change."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._text import type_name
from robfair.threat._codec import Category, Codec, Column, Number, Opaque, some
from robfair.threat._columns import ColumnReader
from robfair.threat._resolution import is_whole

# Of a frame's `attrs`: standard deviations by column, where it is a sample of a larger table.
SPREAD = "robfair.std"

Names = Hashable | Sequence[Hashable]
FREE = 50  # values of a category; more, which no encoder knows, are a text or the name of a row
MIXED = "is mixed with others, or depends on whether one is missing"


def read_fields(
    transformer: Any,
    X: pd.DataFrame,
    mutable: Names | None,
    sensitive_features: Names,
    bounds: str | Mapping[Hashable, tuple[float, float]] | None,
    unit: str | Mapping[Hashable, float] | None,
    integer: str | Names,
    *,
    by_default: bool = False,
) -> tuple[dict[str, Any], Codec]:
    """Return fields of a ThreatModel and the codec; raise what from_transformer raises.

    `by_default` holds a column that cannot be read, where a user who names it gets an error.
    """
    _check_frame(X)
    move = moving_columns(mutable, sensitive_features, X)
    whole = whole_columns(integer, X)
    sides = by_column(bounds, "bounds", "data", X)
    units = by_column(unit, "unit", "std", X)
    for name, pair in sides.items():
        check_sides(name, pair, X, whole)

    reader = ColumnReader(transformer, X)
    # A side that is open cannot be put through the transformer.
    tried = {name: [s for s in pair if np.isfinite(s)] for name, pair in sides.items()}
    columns = reader.read(tried, whole)
    moving, held = _moving(reader, columns, move, named=mutable is not None, by_default=by_default)
    numbers = [column for column in moving if isinstance(column, Number)]
    categories = [column for column in moving if isinstance(column, Category)]
    # Only now is it known which columns are numbers that move.
    for option, given in (("bounds", [*sides]), ("unit", [*units])):
        idle = [name for name in given if name not in {number.name for number in numbers}]
        if idle:
            raise ValueError(f"{option} names {idle[0]!r}, which is not a mutable numeric column.")

    n_features = reader.rows.shape[1]
    fields = _numeric_fields(
        numbers, n_features, {n.name: unit_of(n.name, unit, units, X) for n in numbers}
    )
    for category in categories:
        fields["mutable"][list(category.block.columns)] = True
    fields["bounds"] = None if bounds is None else _box(reader, numbers, sides)
    fields["categories"] = tuple(c.block for c in categories) or None
    names = frozenset(column.name for column in moving)
    return fields, Codec(columns, names, n_features, held=held if by_default else None)


def _moving(
    reader: ColumnReader,
    columns: Sequence[Column],
    move: set[Hashable],
    *,
    named: bool,
    by_default: bool,
) -> tuple[list[Number | Category], dict[Hashable, str]]:
    """Return the columns that may change, and those that are held by default, with the reasons."""
    held: dict[Hashable, str] = {}
    moving: list[Number | Category] = []
    for column in columns:
        if column.name not in move:
            continue
        if by_default and _is_free_text(column, reader):
            held[column.name] = f"holds more than {FREE} values, which no encoder knows"
        elif not isinstance(column, Opaque):
            moving.append(column)
        elif by_default and not column.idle:
            held[column.name] = column.reason
        elif named or not column.idle:
            raise ValueError(f"column {column.name!r} {column.reason}; leave it out of `mutable`.")
    # Each has been probed alone so far.
    if by_default:
        apart = {column.name for column in reader.apart(moving)}
        held |= {c.name: MIXED for c in moving if c.name not in apart}
        moving = [column for column in moving if column.name in apart]
    else:
        reader.check_apart(moving)
    return moving, held


def _is_free_text(column: Column, reader: ColumnReader) -> bool:
    """Tell whether the values in X are a part only of those that a column may hold."""
    if not isinstance(column, Category) or column.name in reader.encoders:
        return False
    return sum(map(len, column.values)) > FREE


def _numeric_fields(
    numbers: Sequence[Number], n_features: int, units: Mapping[Hashable, float]
) -> dict[str, Any]:
    """Return the mask, the spacing and the units of the features of numeric columns."""
    mask, spacing = np.zeros(n_features, dtype=bool), np.zeros(n_features)
    size = np.ones(n_features)
    for number in numbers:
        at = number.feature
        mask[at] = True
        # A step of 1 in the column is a step of |scale| in the feature.
        spacing[at] = abs(number.scale) if number.integer else 0
        size[at] = abs(number.scale) * units[number.name]
    return {"mutable": mask, "integer": spacing if spacing.any() else None, "unit": size}


def _check_frame(X: Any) -> None:
    """Raise unless X is a DataFrame with rows and distinct columns."""
    if not isinstance(X, pd.DataFrame):
        raise TypeError(
            "X must be a pandas DataFrame in the columns that enter the transformer; got a "
            f"{type_name(X)}. Make one, for instance by .to_pandas()."
        )
    if not len(X):
        raise ValueError("X is empty: the box and the units cannot be learned from it.")
    if not X.columns.is_unique:
        raise ValueError(f"X has two columns {X.columns[X.columns.duplicated()][0]!r}.")


def moving_columns(
    mutable: Names | None, sensitive_features: Names, X: pd.DataFrame
) -> set[Hashable]:
    """Return the columns that are to move, or raise if one of them is to stay, too."""
    stay = names_in(sensitive_features, X, "sensitive_features")
    if mutable is None:
        return names_in(list(X.columns), X, "mutable") - stay
    move = names_in(mutable, X, "mutable")
    for name in move & stay:
        raise ValueError(
            f"column {name!r} is in `mutable` and in `sensitive_features`, which do not change: "
            "leave it out of one of them."
        )
    return move


def names_in(names: Names, X: pd.DataFrame, argument: str) -> set[Hashable]:
    """Return names as a set, or raise if X has no such column."""
    many = isinstance(names, list | tuple | set | frozenset | pd.Index | np.ndarray)
    one = not many or (isinstance(names, tuple) and names in X.columns)  # which may be a name
    listed: list[Hashable] = [names] if one else list(names)  # type: ignore[arg-type]
    absent = [name for name in listed if name not in X.columns]
    if absent:
        raise ValueError(
            f"{argument} names {absent[0]!r}, which is not a column of X. It has "
            f"{some(list(X.columns))}."
        )
    return set(listed)


def by_column(given: Any, argument: str, default: str, X: pd.DataFrame) -> dict[Hashable, Any]:
    """Return the values given by column, {} if the default holds for all."""
    if given is None or (isinstance(given, str) and given == default):
        return {}
    if not isinstance(given, Mapping):
        raise TypeError(
            f"{argument} must be {default!r}, None or a mapping from columns; got {given!r}."
        )
    names_in(list(given), X, argument)
    return dict(given)


def whole_columns(integer: str | Names, X: pd.DataFrame) -> frozenset[Hashable]:
    """Return the columns that move by whole numbers."""
    if isinstance(integer, str) and integer == "auto" and "auto" not in X.columns:  # may be a name
        return frozenset(name for name, values in X.items() if is_whole(values))
    whole = names_in(integer, X, "integer")
    for name in whole:
        if not pd.api.types.is_numeric_dtype(X[name].dtype):
            raise ValueError(f"integer names {name!r}, which is not a numeric column.")
        held = X[name].dropna().to_numpy(dtype=np.float64)
        if (held != np.round(held)).any():
            raise ValueError(
                f"integer names {name!r}, which holds {held[held != np.round(held)][0]:.6g} in X."
            )
    return frozenset(whole)


def check_sides(name: Hashable, pair: Any, X: pd.DataFrame, whole: frozenset[Hashable]) -> None:
    """Raise unless a pair of bounds is in order and contains the column."""
    try:
        low, high = (float(side) for side in pair)
    except (TypeError, ValueError):
        raise TypeError(
            f"the bounds of {name!r} must be a pair (low, high); got {pair!r}."
        ) from None
    if not low <= high:
        raise ValueError(f"the bounds of {name!r} cross or are NaN: {pair!r}. Give (low, high).")
    broken = [side for side in (low, high) if np.isfinite(side) and side != round(side)]
    if name in whole and broken:
        raise ValueError(
            f"an integer feature with a fractional box: {name!r} is bounded by {broken[0]:.6g}."
        )
    if not pd.api.types.is_numeric_dtype(X[name].dtype):
        raise ValueError(f"bounds names {name!r}, which is not a mutable numeric column.")
    least, most = X[name].min(), X[name].max()
    if least < low or most > high:
        raise ValueError(
            f"X leaves the bounds of {name!r}, [{low:.6g}, {high:.6g}]: it runs from {least:.6g} "
            f"to {most:.6g}. Widen the bounds, or clip X."
        )


def unit_of(name: Hashable, unit: Any, units: Mapping[Hashable, float], X: pd.DataFrame) -> float:
    """Return the change of a column that counts as 1, or raise if it is not positive."""
    if unit is None:
        return 1.0
    # With ddof=0, as in StandardScaler: a column that it has scaled has a unit of 1.
    size = units.get(name, X.attrs.get(SPREAD, {}).get(name))
    size = float(X[name].std(ddof=0)) if size is None else float(size)
    if not 0 < size < np.inf:
        raise ValueError(
            f"the unit of {name!r} must be positive and finite; got {size}. Give unit={{{name!r}: "
            "...}."
        )
    return size


def _box(
    reader: ColumnReader, numbers: Sequence[Number], sides: Mapping[Hashable, tuple[float, float]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the box of the features: open where no column may move."""
    low = np.full(reader.rows.shape[1], -np.inf)
    high = -low
    for number in numbers:
        at = number.feature
        held = reader.rows[:, at]
        ends = np.array([held.min(), held.max()], dtype=np.float64)
        if number.name in sides:
            pair = np.array(sides[number.name], dtype=np.float64)
            given = np.isfinite(pair)
            # Placed by the transformer itself, so that rounding leaves no sample beyond them.
            ends = np.sign(number.scale) * pair
            ends[given] = reader.probe(number.name, pair[given].tolist())[0, :, at]
        low[at], high[at] = ends.min(), ends.max()  # a negative scale turns them around
    return low, high
