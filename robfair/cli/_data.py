"""Tables from CSV and Parquet files, and the columns that an audit takes from them."""

from __future__ import annotations

import io
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from robfair._text import did_you_mean
from robfair.cli._errors import BadInput, one_line
from robfair.cli._inputs import read_file

__all__ = ["check_column", "read_groups", "read_table", "read_target", "sample_rows"]

# A column with more groups is not a partition: each group has too few rows to be compared.
MAX_GROUPS = 100
PARQUET = b"PAR1"  # the first bytes


def read_table(path: Path, *, encoding: str = "utf-8", text: Collection[str] = ()) -> pd.DataFrame:
    """Read a Parquet file, or a CSV file with a header and commas, semicolons or tabs.

    Columns named in `text` are read from a CSV file as text; all column names are strings. Raises
    BadInput if it is another kind of file, is damaged, or has no rows.
    """
    raw = read_file(path, pipes=True)
    if raw.startswith(PARQUET):
        frame = _read_parquet(path, raw)
    elif path.suffix.lower() in (".parquet", ".pq"):
        raise BadInput(f"{path} is not a Parquet file: it does not begin with PAR1.")
    else:
        frame = _read_csv(path, raw, encoding, text)
    frame.columns = frame.columns.map(str)
    if len(frame) == 0:
        raise BadInput(f"{path} has {len(frame.columns)} columns and no rows.")
    return frame


def _read_parquet(path: Path, raw: bytes) -> pd.DataFrame:
    try:
        return pd.read_parquet(io.BytesIO(raw), engine="pyarrow")
    except ImportError as error:
        raise ImportError('reading Parquet needs pyarrow: pip install "robfair[cli]"') from error
    except (ValueError, OSError) as error:
        raise BadInput(f"{path} is a damaged Parquet file: {one_line(error)}") from error


def _read_csv(path: Path, raw: bytes, encoding: str, text: Collection[str]) -> pd.DataFrame:
    if raw.startswith(b"PK\x03\x04"):
        raise BadInput(f"{path} is a zip archive (an Excel sheet?): save the table as CSV.")
    try:
        decoded = raw.decode(encoding)
    except LookupError:
        raise BadInput(f"there is no encoding {encoding!r}; try --encoding latin-1.") from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        other = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "latin-1"
        raise BadInput(
            f"{path} is not {encoding}: byte 0x{raw[error.start]:02x} in line {line}. If it is "
            f"{other}, say --encoding {other}."
        ) from None
    header = decoded.split("\n", 1)[0]  # its most frequent mark separates the columns
    try:
        with warnings.catch_warnings():
            # Pandas drops cells that are too many, and only warns of it.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            # It skips a byte order mark.
            return pd.read_csv(
                io.StringIO(decoded),
                sep=max(",;\t", key=header.count),
                # Or rows that are longer than the header would shift all columns by one.
                index_col=False,
                dtype=dict.fromkeys(text, str),
                low_memory=False,  # one type for a column, not for each piece of it
            )
    except pd.errors.EmptyDataError:
        raise BadInput(f"{path} is empty.") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, ValueError) as error:
        raise BadInput(f"{path} is not a CSV file: {one_line(error)}") from error


def check_column(frame: pd.DataFrame, name: str, option: str) -> None:
    """Raise BadInput unless the column that `option` names exists."""
    if name not in frame.columns:
        raise BadInput(
            f"{option} names {name!r}, which is not a column of the data. "
            f"{did_you_mean(name, frame.columns)}"
        )


def read_target(frame: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Return the column of true labels.

    Raises BadInput if it does not exist, values are missing, or there is only one class.
    """
    check_column(frame, name, "--target")
    target = _plain(frame[name])
    _check_missing(target, name, "--target")
    if target.nunique() < 2:
        raise BadInput(
            f"--target {name!r} holds one class only, {target.iloc[0]!r}: there is no boundary "
            "to another."
        )
    return target


def read_groups(frame: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the columns that form the groups; several are crossed.

    Raises BadInput if one does not exist, values are missing, or there are too few or many groups.
    """
    for name in names:
        check_column(frame, name, "--sensitive")
        _check_missing(frame[name], name, "--sensitive")
    groups = pd.DataFrame({name: _plain(frame[name]) for name in names})
    n = len(groups.drop_duplicates())
    title = " x ".join(names)
    if n < 2:
        raise BadInput(
            f"--sensitive {title} holds one group only, {groups.iloc[0, 0]!r}: there is nothing to "
            "compare it with."
        )
    if n > MAX_GROUPS:
        raise BadInput(
            f"--sensitive {title} has {n:,} groups in {len(frame):,} rows, and at most "
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
            "leave these rows out. (An empty cell, NA, None or null in a CSV is a missing value.)"
        )


def sample_rows(n: int, max_rows: int | None, seed: int) -> Any:
    """Draw at most `max_rows` of n rows without replacement; return their positions in order."""
    if max_rows is None or max_rows >= n:
        return np.arange(n)
    # In the order of the file.
    return np.sort(np.random.default_rng(seed).choice(n, max_rows, replace=False))
