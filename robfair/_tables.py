"""Tables of text, and the one writer of each form: a terminal, and Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Cell", "Table", "markdown_table", "text_table"]


@dataclass(frozen=True)
class Cell:
    """One entry of a table.

    Attributes
    ----------
    text : str
        The entry as it is shown.
    key : float or str
        The value by which its column is sorted; "" sorts to the end.
    beside : str
        An interval that may stand on a line of its own.
    """

    text: str
    key: float | str
    beside: str = ""

    def __str__(self) -> str:
        return f"{self.text} {self.beside}".rstrip()


@dataclass(frozen=True)
class Table:
    """Rows of cells; the first cell of each names the row.

    Attributes
    ----------
    columns : tuple of str
        Their titles.
    rows : tuple of tuple of Cell
        The cells.
    """

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
    """Write a table for a terminal: words to the left, numbers to the right.

    Parameters
    ----------
    table : Table
        The table.
    beside : bool, default=True
        Whether intervals beside the numbers are shown.

    Returns
    -------
    str
        Its lines.
    """
    rows = [[str(cell) if beside else cell.text for cell in row] for row in table.rows]
    cells = [[" ".join(cell.split()) for cell in row] for row in [list(table.columns), *rows]]
    widths = _widths(cells)
    to_right = table.is_number
    return "\n".join(
        "  ".join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, to_right, strict=True)
        ).rstrip()
        for row in cells
    )


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table in Markdown, with aligned columns.

    Parameters
    ----------
    columns : sequence of str
        Their titles.
    rows : sequence of sequence of str
        The cells, in Markdown. Bars that are not escaped yet are escaped.

    Returns
    -------
    str
        Its lines.
    """
    cells = [[re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in row] for row in (columns, *rows)]
    widths = _widths(cells)
    lines = [
        "| " + " | ".join(map(str.ljust, row, widths)) + " |"
        for row in [cells[0], ["-" * width for width in widths], *cells[1:]]
    ]
    return "\n".join(lines)


def _widths(cells: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*cells, strict=True)]
