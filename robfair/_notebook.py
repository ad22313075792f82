"""HTML that shows a result in a notebook: sentences, tables, figures as high as a line.

Figures are drawn in the colour of the page's text, so that they can be read on light and dark
pages. Nothing is asked of the network, and neither jinja2 nor matplotlib is needed.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robfair._tables import Table
from robfair._text import sentence_number, visible

__all__ = ["dot_drawing", "html_block", "html_table", "shares_drawing"]

WIDTH, LINE, HIGH = 140, 14, 34  # pixels
STEPS = 70  # a curve needs no more corners on so few pixels
ROWS = 40  # of a table; the result itself has all


def html_block(sentences: Sequence[str], details: Iterable[str], *parts: str) -> str:
    """Put a result into one block: the sentences that count, further ones folded, and tables."""
    headline, *others = map(_shown, sentences)
    folded = "".join(f"<li>{_shown(each)}</li>" for each in details)
    more = f"<details><summary>how far this holds</summary><ul>{folded}</ul></details>"
    return (
        '<div class="robfair" style="max-width:70em">'
        f'<p style="margin:.3em 0"><strong>{headline}</strong> {" ".join(others)}</p>'
        f"{more if folded else ''}{''.join(parts)}</div>"
    )


def html_table(table: Table, caption: str = "", drawings: Sequence[str] | None = None) -> str:
    """Write a table, with drawings in a column beside the names; of a long one the first rows."""
    left = len(table.rows) - ROWS
    note = f" ({ROWS} of {len(table.rows):,} rows)" if left > 0 else ""
    rows = [
        [
            _cell("th" if j == 0 else "td", str(cell), n)
            for j, (cell, n) in enumerate(zip(row, table.is_number, strict=True))
        ]
        for row in table.rows[:ROWS]
    ]
    head = [_cell("th", title, n) for title, n in zip(table.columns, table.is_number, strict=True)]
    if drawings is not None:  # where they are seen without scrolling, too
        head.insert(1, "<th></th>")
        for row, drawing in zip(rows, drawings, strict=False):
            row.insert(1, f"<td>{drawing}</td>")
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    title = f'<caption style="text-align:left">{_shown(caption + note)}</caption>'
    return (
        '<div style="overflow-x:auto"><table style="margin:.5em 0">'
        f"{title if caption or note else ''}<thead><tr>{''.join(head)}</tr></thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def dot_drawing(row: Sequence[float], end: float, mark: float = np.nan) -> str:
    """Draw a value, lower and upper as a dot with its interval, from 0 to `end`.

    A stroke stands at `mark`. Nothing is drawn of a value that is not known.
    """
    value, lower, upper = row
    if not np.isfinite([value, end]).all() or end <= 0:
        return ""

    def at(x: float) -> str:
        return f"{4 + (WIDTH - 8) * min(max(x / end, 0.0), 1.0):.1f}"

    middle = LINE / 2
    parts = [f'<line x1="4" x2="{WIDTH - 4}" y1="{middle}" y2="{middle}" opacity=".25"/>']
    if np.isfinite(mark):
        parts.append(f'<line x1="{at(mark)}" x2="{at(mark)}" y1="1" y2="{LINE - 1}" opacity=".6"/>')
    words = sentence_number(value)
    if np.isfinite([lower, upper]).all():
        parts.append(
            f'<line x1="{at(lower)}" x2="{at(upper)}" y1="{middle}" y2="{middle}" '
            'stroke-width="2"/>'
        )
        words += f", {sentence_number(lower)} to {sentence_number(upper)}"
    parts.append(f'<circle cx="{at(value)}" cy="{middle}" r="3.5" fill="currentColor"/>')
    return _svg(LINE, words, parts)


def shares_drawing(values: ArrayLike, end: float) -> str:
    """Draw the share of the values that is greater than x, for x from 0 to `end`."""
    array: NDArray[np.float64] = np.sort(np.asarray(values, dtype=float))
    array = array[~np.isnan(array)]
    if len(array) == 0 or not np.isfinite(end) or end <= 0:
        return ""
    x = np.linspace(0, end, STEPS)
    share = 1 - np.searchsorted(array, x, side="right") / len(array)
    corners = " ".join(
        f"{2 + (WIDTH - 4) * a / end:.1f},{HIGH - 2 - (HIGH - 4) * b:.1f}"
        for a, b in zip(x, share, strict=True)
    )
    base = f'<line x1="2" x2="{WIDTH - 2}" y1="{HIGH - 1}" y2="{HIGH - 1}" opacity=".4"/>'
    words = f"share greater than x, for x from 0 to {sentence_number(end)}"
    return _svg(HIGH, words, [base, f'<polyline points="{corners}" fill="none"/>'])


def _svg(height: int, words: str, parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{_shown(words)}" stroke="currentColor">{"".join(parts)}</svg>'
    )


def _cell(tag: str, text: str, number: bool) -> str:
    return f'<{tag} style="text-align:{"right" if number else "left"}">{_shown(text)}</{tag}>'


def _shown(text: str) -> str:
    return html.escape(visible(text))
