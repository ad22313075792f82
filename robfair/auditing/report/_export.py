"""What audits and comparisons are written as: a report, JSON, Markdown, a section of a card."""

from __future__ import annotations

import html
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from robfair._tensorfile import replacing
from robfair._text import Verdict
from robfair.auditing.report._tables import Table

__all__ = ["Exports", "escaped", "markdown_table", "plain", "records"]

SECTION = "Adversarial robustness by group"


class Exports(ABC):
    """The methods by which an audit and a comparison are written."""

    @abstractmethod
    def _judge(self) -> Verdict:
        """Return the verdict."""

    @abstractmethod
    def _record(self) -> dict[str, Any]:
        """Return what `to_json` writes, before `plain`."""

    @abstractmethod
    def _markdown(self) -> list[str]:
        """Return the blocks of `to_markdown` after the verdict."""

    @abstractmethod
    def _render(self) -> str:
        """Return the report as HTML."""

    def verdict(self) -> str:
        """Say in words what the numbers show, and how far that holds.

        A difference counts as larger than the error of sampling if Welch's t-test finds it at the
        audit's confidence, corrected for the number of pairs of groups (Holm); between models, if
        the bootstrap intervals do not overlap.

        Returns
        -------
        str
            One sentence with the finding, and some on its cause and its limits.
        """
        return str(self._judge())

    def to_html(self, path: str | PathLike[str]) -> None:
        """Write a report: one file that needs no network, for somebody who reads no code.

        It holds the verdict, the tables, figures, how was measured, the warnings, and the most
        easily flipped rows of each group in words. These are rows of data, perhaps about people:
        audit with ``examples=0`` to leave them out.

        Parameters
        ----------
        path : str or path-like
            The file. One that is there is replaced when the new one is complete.

        Raises
        ------
        ImportError
            If jinja2 or matplotlib is missing: ``pip install "robfair[report]"``.
        OSError
            If the file cannot be written; an old one is then as it was.
        """
        _write(path, self._render)

    def to_json(self, path: str | PathLike[str] | None = None) -> str | None:
        """Write all that is measured as JSON, but not the distances of single rows.

        Parameters
        ----------
        path : str or path-like, default=None
            The file. One that is there is replaced when the new one is complete. None: return the
            text.

        Returns
        -------
        str or None
            The text if `path` is None. A number that is not known is null, and infinity "inf".

        Raises
        ------
        OSError
            If the file cannot be written; an old one is then as it was.
        """
        text = json.dumps(plain(self._record()), indent=2, ensure_ascii=False, allow_nan=False)
        if path is None:
            return text
        _write(path, lambda: text + "\n")
        return None

    def to_markdown(self) -> str:
        """Write the verdict, the tables and the warnings as Markdown.

        Returns
        -------
        str
            Text without headings, to be put under one.
        """
        return "\n\n".join([escaped(self.verdict()), *self._markdown()]) + "\n"

    def add_to_card(self, card: Any) -> Any:
        """Add a section with the verdict and the tables to a model card of skops.

        Parameters
        ----------
        card : skops.card.Card
            The card, which is changed.

        Returns
        -------
        skops.card.Card
            The same card.

        Raises
        ------
        ImportError
            If skops is missing: ``pip install "robfair[cli]"``.
        TypeError
            If `card` is not a card.
        """
        try:
            from skops.card import Card
        except ImportError as error:
            raise ImportError('a model card needs skops: pip install "robfair[cli]".') from error
        if not isinstance(card, Card):
            raise TypeError(f"card must be a skops.card.Card; got a {type(card).__name__}.")
        return card.add(**{SECTION: self.to_markdown()})


def _write(path: str | PathLike[str], make: Callable[[], str]) -> None:
    """Write text that is made when it is clear that the file can be written."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: name a file, such as {path / 'audit.html'}.")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no folder {path.parent}: make it, or name another.")
    with replacing(path) as temporary, temporary.open("x", encoding="utf-8") as file:
        file.write(make())


def plain(node: Any) -> Any:
    """Turn numpy's and pandas' values into what JSON can hold.

    Parameters
    ----------
    node : object
        A value, or dicts and lists of values.

    Returns
    -------
    object
        NaN has become None, infinity "inf", and what JSON does not know its text.
    """
    if isinstance(node, dict):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [plain(value) for value in node]
    if isinstance(node, np.generic):
        node = node.item()
    if isinstance(node, float) and not np.isfinite(node):
        return None if np.isnan(node) else str(node)
    return node if node is None or isinstance(node, bool | int | float | str) else str(node)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """List the rows of a table of groups.

    Parameters
    ----------
    table : pandas.DataFrame
        A row per group.

    Returns
    -------
    list of dict
        The columns, and "group": its label, or the list of labels of a crossed one.
    """
    rows: list[dict[Any, Any]] = table.to_dict(orient="records")
    return [{"group": group, **row} for group, row in zip(table.index, rows, strict=True)]


def escaped(text: str) -> str:
    """Return text that Markdown shows as it is, HTML in it included.

    Parameters
    ----------
    text : str
        Any text; line breaks become spaces.

    Returns
    -------
    str
        Markdown.
    """
    text = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_\[\]|#~$!])", r"\\\1", text)


def markdown_table(table: Table) -> str:
    """Write a table as Markdown.

    Parameters
    ----------
    table : Table
        The table.

    Returns
    -------
    str
        Its lines.
    """
    titles = [escaped(title) for title in table.columns]
    rows = [[escaped(f"{cell.text} {cell.beside}") for cell in row] for row in table.rows]
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
