"""Tables of text, and the one writer of each form: a terminal, and Markdown."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from dataclasses import dataclass

from robfair._text import visible


@dataclass(frozen=True)
class Cell:
    """One entry of a table."""

    text: str
    key: float | str  # the value by which a reader sorts the column; "" sorts to the end
    beside: str = ""  # an interval, which may stand on a line of its own

    def __str__(self) -> str:
        return f"{self.text} {self.beside}".rstrip()


@dataclass(frozen=True)
class Table:
    """Titles of columns, and rows of cells; the first cell of each names the row."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def is_number(self) -> tuple[bool, ...]:
        """Tell of each column if it is sorted as numbers."""
        keys = [[row[j].key for row in self.rows] for j in range(len(self.columns))]
        return tuple(
            any(isinstance(key, float) for key in column)
            and all(key == "" or isinstance(key, float) for key in column)
            for column in keys
        )


def text_table(table: Table, *, beside: bool = True) -> str:
    """Write a table for a terminal: words to the left, numbers to the right."""
    rows = [[str(cell) if beside else cell.text for cell in row] for row in table.rows]
    # A line break within a name would break the row.
    cells = [
        [" ".join(visible(cell, string.whitespace).split()) for cell in row]
        for row in [list(table.columns), *rows]
    ]
    widths, to_right = _widths(cells), table.is_number
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, to_right, strict=True)
        ).rstrip()
        for row in cells
    )


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table of cells in Markdown, with aligned columns."""
    # A bar ends a cell, in code too; `escaped` has put a backslash before those in plain text.
    cells = [[re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in row] for row in (columns, *rows)]
    widths = _widths(cells)
    lines = [
        "| " + " | ".join(map(str.ljust, row, widths)) + " |"
        for row in [cells[0], ["-" * width for width in widths], *cells[1:]]
    ]
    return "\n".join(lines)


def _widths(cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*cells, strict=True)]
