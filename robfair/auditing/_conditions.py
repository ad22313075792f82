"""Single conditions on the columns of a table: a category, a range of a number, a missing value.

Ranges begin and end near quantiles, at the roundest number there: each cut may move by a tenth of a
bin. Every run of neighbouring bins is a condition.
"""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._text import visible

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

_MOVES = 0.1  # of a bin, by which a cut may move to a round number


@dataclass(frozen=True, eq=False)
class Conditions:
    """Conditions, the column that each is on, and the rows where it holds."""

    texts: tuple[str, ...]
    columns: NDArray[np.intp]  # (n_conditions,): position of the column
    holds: Bools  # (n_rows, n_conditions)

    def text(self, chosen: tuple[int, ...]) -> str:
        """Write a conjunction."""
        return " and ".join(self.texts[i] for i in chosen)

    def rows(self, chosen: tuple[int, ...]) -> Bools:
        """Return the rows where all of some conditions hold."""
        return np.asarray(self.holds[:, list(chosen)].all(axis=1))


def read_conditions(frame: pd.DataFrame, n_bins: int, least: int) -> Conditions:
    """List the conditions on the columns that at least `least` rows meet, and as many do not.

    Raises TypeError for a column whose values cannot be compared.
    """
    texts, columns, holds = [], [], []
    for j, name in enumerate(frame.columns):
        for text, rows in _of_column(frame.iloc[:, j], _quoted(name), n_bins, least):
            if least <= rows.sum() <= len(rows) - least:
                texts.append(text)
                columns.append(j)
                holds.append(rows)
    table = np.array(holds, dtype=bool).reshape(len(holds), len(frame)).T
    return Conditions(tuple(texts), np.array(columns, dtype=np.intp), table)


def _of_column(
    column: pd.Series[Any], name: str, n_bins: int, least: int
) -> Iterator[tuple[str, Bools]]:
    column = column.infer_objects()
    missing = column.isna().to_numpy(dtype=bool)
    if missing.any():
        yield f"{name} is missing", missing
    if pd.api.types.is_datetime64_any_dtype(column.dtype):
        days = column.dt.tz_localize(None).to_numpy(dtype="datetime64[D]").astype(np.float64)
        yield from _of_numbers(np.where(missing, np.nan, days), name, n_bins, _date)
    elif pd.api.types.is_numeric_dtype(column.dtype) and not _is_bool_or_complex(column):
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
        yield from _of_numbers(numbers, name, n_bins, _number)
    else:
        yield from _of_categories(column, name, least)


def _is_bool_or_complex(column: pd.Series[Any]) -> bool:
    return bool(
        pd.api.types.is_bool_dtype(column.dtype) or pd.api.types.is_complex_dtype(column.dtype)
    )


def _of_categories(column: pd.Series[Any], name: str, least: int) -> Iterator[tuple[str, Bools]]:
    try:
        codes, values = pd.factorize(column, sort=False)
    except TypeError as error:
        raise TypeError(
            f"the column {name} holds values that cannot be compared ({error}). Pass text, numbers "
            "or categories."
        ) from error
    sizes = np.bincount(codes[codes >= 0], minlength=len(values))
    for code in np.flatnonzero(sizes >= least).tolist():  # few in a column of names
        yield f"{name} = {_quoted(values[code])}", codes == code


def _of_numbers(
    values: Floats, name: str, n_bins: int, write: Callable[[float], str]
) -> Iterator[tuple[str, Bools]]:
    distinct = np.unique(values[~np.isnan(values)])
    cuts = _cuts(values[~np.isnan(values)], distinct, n_bins)
    ends = [-np.inf, *cuts, np.inf]
    for i, low in enumerate(ends[:-1]):
        for high in ends[i + 1 :]:
            if math.isinf(low) and math.isinf(high):
                continue  # all but missing values, which are a condition of their own
            below = math.inf if math.isinf(high) else np.nextafter(high, low)
            inside = distinct[(distinct >= low) & (distinct <= below)]
            if len(inside) == 1:
                text = f"{name} = {write(float(inside[0]))}"
            elif math.isinf(high):
                text = f"{name} >= {write(low)}"
            else:
                start = "" if math.isinf(low) else f"{write(low)} <= "
                text = f"{start}{name} < {write(high)}"
            yield text, (values >= low) & (values <= below)


def _cuts(values: Floats, distinct: Floats, n_bins: int) -> list[float]:
    """Return where bins begin: round numbers near the quantiles, and around values of many rows."""
    if len(distinct) <= n_bins:
        return [float(value) for value in distinct[1:] if math.isfinite(value)]
    cuts = set()
    for k in range(1, n_bins):
        at = np.clip((k + np.array([-_MOVES, 0.0, _MOVES])) / n_bins, 0, 1)
        low, middle, high = np.quantile(values, at, method="inverted_cdf").tolist()
        if low < high:
            cuts.add(_roundest(low, middle, high))
            continue
        place = int(np.searchsorted(distinct, middle))
        if place > 0:
            cuts.add(_roundest(float(distinct[place - 1]), middle, middle))
        if place + 1 < len(distinct):
            above = float(distinct[place + 1])
            cuts.add(_roundest(middle, above, above))
    # Two cuts between the same values would make the same range twice.
    by_place = {int(np.searchsorted(distinct, cut)): cut for cut in sorted(cuts, reverse=True)}
    return sorted(cut for cut in by_place.values() if math.isfinite(cut))


def _roundest(low: float, aim: float, high: float) -> float:
    """Return the roundest number above `low` and not above `high`, if there are some near `aim`."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return high if math.isfinite(high) else aim
    if low < 0 <= high:
        return 0.0
    top = math.floor(math.log10(max(abs(low), abs(high)))) + 1
    for exponent in range(top, top - 12, -1):
        for factor in (5, 2, 1):
            step = factor * 10.0**exponent
            near = math.floor(aim / step)
            numbers = [float(f"{k * step:.12g}") for k in range(near - 1, near + 3)]
            inside = [number for number in numbers if low < number <= high]
            if inside:
                return min(inside, key=lambda number: abs(number - aim))
    return high


def _number(value: float) -> str:
    short = f"{value:.12g}"
    return short if float(short) == value else repr(value)


def _date(days: float) -> str:
    return (datetime.date(1970, 1, 1) + datetime.timedelta(days=int(days))).isoformat()


def _quoted(value: Any) -> str:
    """Write a name or a value, in quotes where it could be read as another condition."""
    if isinstance(value, float | np.floating):
        return _number(float(value))
    text = visible(str(value))
    odd = not text or text != text.strip() or re.search(r"[<>=\"']|\band\b|\bis missing\b", text)
    return f'"{text}"' if odd else text
