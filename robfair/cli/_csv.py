"""CSV files: cells are text until the model, or the use of a column, says what they are."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import math
import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pandas as pd

from robfair.cli._errors import BadInput, one_line

__all__ = ["MISSING", "CsvForm", "CsvText", "as_numbers", "decompress"]

# Cells that pandas takes for missing values.
MISSING = frozenset(
    ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN",
     "<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"]
)  # fmt: skip
# Floats as they were written, to the last bit, as in Parquet.
EXACT: dict[str, Any] = {"float_precision": "round_trip"}
if [int(part) for part in pd.__version__.split(".")[:2]] >= [3, 1]:  # where it is the default
    EXACT = {}
HEADER = 100_000  # characters in which a header ends
FIRST_ROWS = 100  # rows that are cut by each separator, to find the one that fits
EXCEL_SEPARATOR = re.compile(r"sep=(.)\r?\n")  # Excel's first line
UNPACK: dict[bytes, tuple[str, Callable[[bytes], bytes]]] = {
    b"\x1f\x8b": ("gzip", gzip.decompress),
    b"BZh": ("bzip2", bz2.decompress),
    b"\xfd7zXZ\x00": ("xz", lzma.decompress),
}
OTHER_KINDS = {
    b"ARROW1": "a Feather (Arrow) file", b"SQLite format 3": "a SQLite database",
    b"\x89HDF": "an HDF5 file", b"\xd0\xcf\x11\xe0": "an Excel sheet", b"%PDF": "a PDF",
    b"\x28\xb5\x2f\xfd": "compressed by zstd", b"\x80\x04": "a pickle", b"\x80\x05": "a pickle",
}  # fmt: skip


@dataclass(frozen=True)
class CsvForm:
    """Encoding and separator of a CSV file."""

    encoding: str = "utf-8"
    separator: str | None = None  # None: comma, semicolon or tab, whichever the header has


def decompress(path: Path, raw: bytes) -> bytes:
    """Return the content of a file, unpacked if it is compressed: its first bytes say how."""
    if raw.startswith(b"PK\x03\x04"):
        return _unzip(path, raw)
    for start, (kind, unpack) in UNPACK.items():
        if raw.startswith(start):
            try:
                return unpack(raw)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError) as error:
                raise BadInput(f"{path} is damaged {kind}: {one_line(error)}") from error
    return raw


def _unzip(path: Path, raw: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            names = [name for name in archive.namelist() if not name.startswith("__MACOSX/")]
            names = [name for name in names if not name.endswith("/")]
            if len(names) != 1:
                excel = "an Excel sheet" if "[Content_Types].xml" in names else "a zip archive"
                raise BadInput(
                    f"{path} is {excel} of {len(names)} files: save the table as CSV, or pack one "
                    "CSV alone."
                )
            return archive.read(names[0])
    # RuntimeError if a password is needed, NotImplementedError for other methods of packing.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
        raise BadInput(f"{path} is a zip archive that cannot be read: {one_line(error)}") from error


class CsvText:
    """The text of a CSV file whose rows are all as long as the header, with distinct names.

    Raises BadInput if it is another kind of file.
    """

    def __init__(self, path: Path, raw: bytes, form: CsvForm) -> None:
        self.path = path
        self.text, separator = _skip_excel_line(_decode(path, raw, form.encoding))
        self.separator = form.separator or separator or self._find_separator()
        self.columns = self._check_rows()

    def read(self, text: Mapping[str, Collection[str]]) -> pd.DataFrame:
        """Read the table; `text` names the columns of text, and their cells that are missing."""
        frame = self._parse(low_memory=False)  # one type for a column, not for each piece of it
        cells = self._parse_text(text)
        for name in map(str, cells):
            frame[name] = cells[name].mask(cells[name].isin(list(text[name])))
        return frame

    def read_names(self, names: Collection[str]) -> pd.DataFrame:
        """Read columns of names: only an empty cell is missing."""
        cells = self._parse_text(names)
        return cells.mask(cells == "")

    def _parse_text(self, names: Collection[str]) -> pd.DataFrame:
        columns = [name for name in self.columns if name in names]
        return self._parse(usecols=columns, dtype="str", keep_default_na=False)

    def _parse(self, **options: Any) -> pd.DataFrame:
        options |= {"sep": self.separator, "index_col": False, **EXACT}
        try:
            frame: pd.DataFrame = pd.read_csv(io.StringIO(self.text), **options)
        except (pd.errors.ParserError, ValueError, OverflowError) as error:
            raise BadInput(f"{self.path} is not a CSV file: {one_line(error)}") from error
        return frame

    def _find_separator(self) -> str:
        """Return the mark that cuts header and rows alike; of several, the most frequent one."""
        header = re.sub(r'"[^"]*"', "", self.text[:HEADER].lstrip("\r\n"))
        header = re.split(r"[\r\n]", header, maxsplit=1)[0]
        counts = {mark: header.count(mark) for mark in ",;\t" if mark in header}
        fitting = {mark: n for mark, n in counts.items() if self._fits(mark)} or counts
        best = [mark for mark, n in fitting.items() if n == max(fitting.values())]
        if len(best) > 1:
            raise BadInput(
                f"{self.path} has as many of one separator as of another in its header: name the "
                "right one by --sep."
            )
        return best[0] if best else ","

    def _fits(self, mark: str) -> bool:
        """Return whether a separator cuts all of the first rows into as many cells."""
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=mark)
        try:
            return len({len(row) for row in islice(reader, FIRST_ROWS) if not _is_blank(row)}) == 1
        except csv.Error:
            return False

    def _check_rows(self) -> list[str]:
        """Return the header; raise BadInput if a row is shorter or longer, or a name is twice."""
        header: list[str] = []
        reader = csv.reader(io.StringIO(self.text, newline=""), delimiter=self.separator)
        try:
            for row in reader:
                if _is_blank(row):
                    continue
                if not header:
                    header = row
                elif len(row) != len(header):
                    raise BadInput(
                        f"{self.path} is not a CSV file with one row a line: line "
                        f"{reader.line_num} has {len(row)} cells, and the header names "
                        f"{len(header)} columns. A cell that holds the separator "
                        f"{self.separator!r} must stand in double quotes."
                    )
        except csv.Error as error:
            raise BadInput(
                f"{self.path} is not a CSV file: {one_line(error)} in line {reader.line_num}. Is "
                "a quote not closed?"
            ) from error
        if not header:
            raise BadInput(f"{self.path} is empty.")
        if len(header) == 1:
            raise BadInput(
                f"{self.path} has one column only, {header[0][:60]!r}: if another mark than a "
                "comma, a semicolon or a tab separates columns, name it by --sep."
            )
        for name, n in Counter(header).items():
            if n > 1 and name:  # columns without a name are of no use
                raise BadInput(f"{self.path} has {n} columns of the name {name!r}: rename them.")
        return header


def _is_blank(row: list[str]) -> bool:
    """Return whether a row is a line without cells."""
    return not row or (len(row) == 1 and not row[0].strip())


def _decode(path: Path, raw: bytes, encoding: str) -> str:
    for start, kind in OTHER_KINDS.items():
        if raw.startswith(start):
            raise BadInput(f"{path} is {kind}, not a CSV or Parquet file.")
    try:
        text = raw.decode(encoding)
    except LookupError:
        raise BadInput(f"there is no encoding {encoding!r}; try --encoding latin-1.") from None
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        other = "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else "latin-1"
        raise BadInput(
            f"{path} is not {encoding}: byte 0x{raw[error.start]:02x} in line {line}. If it is "
            f"{other}, say --encoding {other}."
        ) from None
    except UnicodeError as error:
        raise BadInput(f"{path} is not {encoding}: {one_line(error)}.") from error
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise BadInput(
            f"{path} is not a CSV file: there is a byte 0 in line {line}. If it is UTF-16, say "
            "--encoding utf-16."
        )
    return text.removeprefix("\ufeff")  # a byte order mark


def _skip_excel_line(text: str) -> tuple[str, str | None]:
    match = EXCEL_SEPARATOR.match(text)
    return (text, None) if match is None else (text[match.end() :], match[1])


def as_numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of text as numbers or booleans, if each is written as its text is.

    "10" then follows "2", while "01", "1e3" and numbers that a float rounds stay as they are.
    """
    if pd.api.types.infer_dtype(column) != "string":
        return column
    cells = column.dropna().unique().tolist()
    for parse in (_int, float, {"True": True, "False": False}.__getitem__):
        try:
            values = {cell: parse(cell) for cell in cells}
        except (ValueError, KeyError, TypeError):
            continue
        if all(str(value) == cell and math.isfinite(value) for cell, value in values.items()):
            return column.map(values)
    return column


def _int(cell: str) -> int:
    number = int(cell)
    if abs(number) >= 2**53:  # from where readers of JSON round
        raise ValueError
    return number
