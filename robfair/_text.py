"""Text that tables, figures and sentences share: names, numbers, lists, verdicts."""

from __future__ import annotations

import html
import math
import re
import string
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line's help must not wait for pandas
    import pandas as pd


@dataclass(frozen=True)
class Verdict:
    """A headline, and the sentences that belong beside it."""

    headline: str
    details: tuple[str, ...] = ()  # the cause, how far it holds, and what it leaves open

    def __str__(self) -> str:
        return visible(" ".join([self.headline, *self.details]))


# Unicode's kinds of characters that a reader does not see, or that change what he sees: controls
# (line breaks, colours of a terminal), formats (the direction of text, no width), half characters.
UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
LONGEST = 80  # characters of a name in a table or sentence


def visible(text: str, keep: str = "") -> str:
    """Return a text with escapes for characters that could change how the rest is read."""

    def write(match: re.Match[str]) -> str:
        char = match[0]
        unseen = unicodedata.category(char) in UNSEEN and char not in keep
        return char.encode("unicode_escape").decode() if unseen else char

    return re.sub(r"[^ -~]", write, text)


def group_names(index: pd.Index[Any]) -> list[str]:
    """Name groups as text; the values of crossed columns are joined, long names cut in the middle.

    Names stay whole if two would be cut to the same.
    """
    labels = index if index.nlevels > 1 else [(label,) for label in index]
    names = [visible(" / ".join(map(str, label))) for label in labels]
    cut = [n if len(n) <= LONGEST else f"{n[: LONGEST - 30]}…{n[-29:]}" for n in names]
    return cut if len(set(cut)) == len(set(names)) else names


def sentence_number(value: float) -> str:
    """Write three significant digits, as many as a sentence needs."""
    return f"{value:.3g}"


def table_number(value: float) -> str:
    """Write four significant digits, so that a V_f of 0.00012 does not become 0.000."""
    if math.isnan(value):
        return "unknown"
    if float(value).is_integer() and abs(value) >= 1000:
        return f"{int(value):,}"
    return f"{value:.4g}"


def interval_title(confidence: float) -> str:
    """Name an interval for the error of sampling, such as "95 % interval"."""
    return f"{100 * confidence:g} % interval"


def interval(row: pd.Series[Any], column: str, confidence: float | None = None) -> str:
    """Write a value with its interval, named if its level is given: "0.33 (0.29 to 0.37)"."""
    value = sentence_number(row[column])
    if math.isnan(row["lower"]):  # it has no interval
        return value
    title = "" if confidence is None else f"{interval_title(confidence)} "
    ends = f"{sentence_number(row['lower'])} to {sentence_number(row['upper'])}"
    return f"{value} ({title}{ends})"


def few(values: Iterable[Any], most: int = 5, write: Callable[[Any], str] = str) -> str:
    """List the first values and count the rest: "a, b and 3 more"."""
    values = list(values)
    rest = len(values) - most
    return ", ".join(map(write, values[:most])) + (f" and {rest} more" if rest > 0 else "")


def appearance(name: Any) -> str:
    """Return what a reader sees of a name: without invisible characters, and one kind of blank."""
    text = unicodedata.normalize("NFC", str(name))
    visible = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return " ".join(visible.split())


def type_name(value: Any) -> str:
    """Name a type as it is told apart: a DataFrame may be one of pandas or of polars."""
    library, name = type(value).__module__.partition(".")[0], type(value).__name__
    return f"{library} {name}" if library in ("pandas", "polars", "pyarrow") else name


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Suggest, in a sentence, the valid name that was meant, or list the valid ones."""
    names = list(names)
    # A slip of the shift key costs difflib as much as a wrong letter would.
    by_lower = {each.lower(): each for each in names}
    close = get_close_matches(name.lower(), by_lower, n=1)
    return f"Did you mean {by_lower[close[0]]!r}?" if close else f"There are {few(names, 8, repr)}."


def arrow(before: float, after: float) -> str:
    """Write a change with as many digits as tell the two numbers apart, and at least three."""
    for digits in range(3, 18):  # 17 tell any two doubles apart
        sides = f"{before:.{digits}g}", f"{after:.{digits}g}"
        if sides[0] != sides[1]:
            break
    return " -> ".join(sides)


def escaped(text: str) -> str:
    """Return Markdown that shows a text as it is, HTML in it included, on one line."""
    text = visible(text, keep=string.whitespace)
    text = html.escape(" ".join(text.split()), quote=False)  # names are the user's, and may be HTML
    return re.sub(r"([\\`*_\[\]|#~$!])", r"\\\1", text)
