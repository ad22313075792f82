"""Tables from CSV and Parquet files, and the columns that an audit takes from them."""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from robfair._groups import MAX_GROUPS
from robfair._text import did_you_mean
from robfair.cli._csv import CsvForm, CsvText, as_numbers, decompress
from robfair.cli._errors import BadInput, one_line
from robfair.cli._inputs import read_file

__all__ = [
    "as_columns",
    "as_names",
    "bad_number",
    "check_column",
    "check_distinct",
    "check_form",
    "read_groups",
    "read_table",
    "read_target",
    "sample_rows",
]

PARQUET = b"PAR1"  # the first bytes


def read_table(
    path: Path,
    form: CsvForm | None = None,
    *,
    text: Callable[[list[str]], dict[str, Collection[str]]] = lambda columns: {},
    names: Collection[str] = (),
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read a Parquet file, or a CSV file with a header, compressed or not.

    `text` tells, from the names of the columns, which are text and which of their cells are
    missing values; of the others pandas finds the type. The second table has the columns `names`
    as names of groups, which stay as they are written. Raises BadInput if it is another kind of
    file, is damaged, has two columns of a name, or no rows.
    """
    raw = decompress(path, read_file(path, pipes=True))
    if raw.startswith(PARQUET):
        check_form(form)
        frame = _read_parquet(path, raw)
        named = frame[[name for name in frame.columns if name in names]]
    elif path.suffix.lower() in (".parquet", ".pq"):
        raise BadInput(f"{path} is not a Parquet file: it does not begin with PAR1.")
    else:
        content = CsvText(path, raw, form or CsvForm())
        frame = content.read(text(content.columns))
        named = content.read_names(names)
    if len(frame) == 0:
        raise BadInput(f"{path} has {len(frame.columns)} columns and no rows.")
    return frame, as_names(named)


def check_form(form: CsvForm | None) -> None:
    """Raise BadInput if a Parquet file is to be read in a form of CSV files."""
    if form not in (None, CsvForm()):
        raise BadInput("--encoding and --sep are for CSV files, and DATA is a Parquet file.")


def as_names(columns: pd.DataFrame) -> pd.DataFrame:
    """Return columns as names of groups, the same for CSV and Parquet."""
    return pd.DataFrame({name: as_numbers(_plain(columns[name])) for name in columns})


def _read_parquet(path: Path, raw: bytes) -> pd.DataFrame:
    try:
        from pyarrow.parquet import read_schema
    except ImportError as error:
        raise ImportError('reading Parquet needs pyarrow: pip install "robfair[cli]"') from error
    try:
        check_distinct(path, read_schema(io.BytesIO(raw)).names)
        frame = pd.read_parquet(io.BytesIO(raw), engine="pyarrow")
    except BadInput:
        raise
    # Of a damaged file pyarrow and pandas may read anything.
    except Exception as error:
        raise BadInput(f"{path} is a damaged Parquet file: {one_line(error)}") from error
    frame = as_columns(frame)
    check_distinct(path, list(frame.columns))  # 1 and "1" are now one
    return frame


def as_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table from Parquet with rows counted from 0; an index with a name is a column."""
    named = any(name is not None and name not in frame.columns for name in frame.index.names)
    frame = frame.reset_index(drop=not named)
    frame.columns = frame.columns.map(str)
    return frame


def check_distinct(path: Path, names: list[str]) -> None:
    """Raise BadInput if two columns have one name."""
    for name, n in Counter(names).items():
        if n > 1:
            raise BadInput(f"{path} has {n} columns of the name {name!r}: rename them.")


def check_column(frame: pd.DataFrame, name: str, option: str) -> None:
    """Raise BadInput unless the column that `option` names exists."""
    if name not in frame.columns:
        raise BadInput(
            f"{option} names {name!r}, which is not a column of the data. "
            f"{did_you_mean(name, frame.columns)}"
        )


def _check_single(column: pd.Series[Any], name: str, option: str) -> None:
    """Raise BadInput if a cell holds several values, as in Parquet one may."""
    if pd.api.types.is_object_dtype(column.dtype):
        several = ~column.map(pd.api.types.is_hashable).to_numpy(dtype=bool)
        if several.any():
            row = int(several.argmax())
            raise BadInput(
                f"{option} {name!r} holds {type(column.iloc[row]).__name__}s, first in row "
                f"{row + 1}: a cell must be one value."
            )


def read_target(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Return the column of true labels.

    Raises BadInput if values are missing, or there is only one class.
    """
    _check_single(frame[name], name, "--target")
    target = _plain(frame[name])
    _check_missing(target, name, "--target")
    if target.nunique() < 2:
        raise BadInput(
            f"--target {name!r} holds one class only, {target.iloc[0]!r}: there is no boundary "
            "to another."
        )
    return target


def read_groups(
    frame: pd.DataFrame, names: list[str], option: str = "--sensitive", *, least: int = 2
) -> pd.DataFrame:
    """Return the columns that form the groups; several are crossed.

    Raises BadInput if values are missing, or there are fewer groups than `least`, or too many.
    """
    for name in names:
        _check_single(frame[name], name, option)
        _check_missing(frame[name], name, option)
    groups = pd.DataFrame({name: _plain(frame[name]) for name in names})
    n = len(groups.drop_duplicates())
    title = " x ".join(names)
    if n < least:
        raise BadInput(
            f"{option} {title} holds one group only, {groups.iloc[0, 0]!r}: there is nothing to "
            "compare it with."
        )
    if n > MAX_GROUPS:
        raise BadInput(
            f"{option} {title} has {n:,} groups in {len(frame):,} rows, and at most "
            f"{MAX_GROUPS} can be compared. Choose another column, or merge its values into "
            "ranges first."
        )
    return groups


def _plain(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column without unused categories, which would count as empty groups."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(column.cat.categories.dtype)
    return column


def _check_missing(column: pd.Series[Any], name: str, option: str) -> None:
    missing = column.isna().to_numpy()
    if missing.any():
        raise BadInput(
            f"{option} {name!r} is missing in {int(missing.sum()):,} of {len(column):,} rows, "
            f"first in row {int(missing.argmax()) + 1}. Fill them with a value of their own, or "
            "leave these rows out."
        )


def bad_number(column: pd.Series[Any]) -> str:
    """Say which cell of a column is not a number, and what to do about it.

    Its index counts the rows of the file from 0.
    """
    numbers = pd.to_numeric(column.astype("object"), errors="coerce")
    bad = (numbers.isna() & column.notna()).to_numpy()
    row = int(bad.argmax())  # the first, where all are numbers of a kind that pandas has no type of
    value = column.iloc[row]
    place = f"column {column.name!r} holds {value!r} in row {column.index[row] + 1}"
    told = f"{place}, and the model takes numbers."
    if isinstance(value, str) and re.fullmatch(r"[-+]?[\d., ]*\d[.,]\d+", value):
        return f"{told} Write 1234.5 for 1.234,5 or 1,234.5."
    if 2 * bad.sum() < column.notna().sum():
        return f"{told} Correct the cell, or leave it empty if the value is missing."
    return f"{told} Save the Pipeline that encodes it, or choose columns by --features."


def sample_rows(n: int, max_rows: int | None, seed: int) -> Any:
    """Draw at most `max_rows` of n rows without replacement; return their positions in order."""
    if max_rows is None or max_rows >= n:
        return np.arange(n)
    # In the order of the file.
    return np.sort(np.random.default_rng(seed).choice(n, max_rows, replace=False))
