"""The forms in which audits and comparisons leave Python: report, JSON, Markdown, model card."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable
from os import PathLike
from typing import Any

from robfair._files import check_target, replacing
from robfair._text import escaped
from robfair.auditing.report._json import plain

SECTION = "Adversarial robustness by group"


class Exports(ABC):
    """The methods by which an audit and a comparison are written."""

    @abstractmethod
    def verdict(self) -> str:
        """Say in words what the numbers show."""

    @abstractmethod
    def _record(self) -> dict[str, Any]:
        """Return what `to_json` writes, before `plain`."""

    @abstractmethod
    def _markdown(self) -> list[str]:
        """Return the blocks of `to_markdown` after the verdict."""

    @abstractmethod
    def _html(self, title: str | None, notes: str | None) -> str:
        """Return the report as HTML."""

    @abstractmethod
    def _repr_html_(self) -> str:
        """Return what a notebook shows."""

    def __repr__(self) -> str:
        return str(self)

    def to_html(
        self, path: str | PathLike[str], *, title: str | None = None, notes: str | None = None
    ) -> None:
        """Write a report: one file that needs no network, for readers who do not program.

        It holds the verdict, tables, figures, the method, the warnings, and the most easily
        flipped rows of each group in words. These are rows of data, perhaps about people:
        audit with ``examples=0`` to leave them out.

        Parameters
        ----------
        path : str or path-like
            The file. An existing file is replaced when the new one is complete.
        title : str, default=None
            Title of the report. None: the name of the model.
        notes : str, default=None
            What readers should know first, such as who owns the model and where the data are from.
            It stands on top, and an empty line begins a paragraph.

        Raises
        ------
        ImportError
            If jinja2 or matplotlib is missing: ``pip install "robfair[report]"``.
        OSError
            If the file cannot be written; an old one is then as it was.
        """
        write_file(path, lambda: self._html(title, notes))

    def to_json(self, path: str | PathLike[str] | None = None) -> str | None:
        """Write all that is measured as JSON, but not the distances of single rows.

        Parameters
        ----------
        path : str or path-like, default=None
            The file. An existing file is replaced when the new one is complete. None: return the
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
        # allow_nan=False: a NaN that `plain` missed would make JSON that others cannot read.
        text = json.dumps(plain(self._record()), indent=2, ensure_ascii=False, allow_nan=False)
        if path is None:
            return text
        write_file(path, lambda: text + "\n")
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


def write_file(path: str | PathLike[str], make: Callable[[], str]) -> None:
    """Make a text and write it; raises OSError, with an old file as it was, if that fails."""
    check_target(path)  # first: making a report takes long
    with replacing(path) as temporary, temporary.open("x", encoding="utf-8") as file:
        file.write(make())
