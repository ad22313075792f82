"""Names, numbers and sentences, as the verdict, the tables and the figures write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["Verdict", "few", "group_names", "interval", "three"]


@dataclass(frozen=True)
class Verdict:
    """A sentence, and what must be said beside it.

    Attributes
    ----------
    headline : str
        What was found.
    details : tuple of str
        Why, how far it holds, and what it leaves open.
    """

    headline: str
    details: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join([self.headline, *self.details])


def group_names(index: pd.Index[Any]) -> list[str]:
    """Name groups as text; the values of crossed columns are joined.

    Parameters
    ----------
    index : pandas.Index
        The groups.

    Returns
    -------
    list of str
        A name for each.
    """
    if isinstance(index, pd.MultiIndex):
        return [" / ".join(map(str, label)) for label in index]
    return [str(label) for label in index]


def three(value: float) -> str:
    """Write three significant digits.

    Parameters
    ----------
    value : float
        A number.

    Returns
    -------
    str
        The text.
    """
    return f"{value:.3g}"


def interval(row: pd.Series[Any], column: str, confidence: float | None = None) -> str:
    """Write a value with its interval, if there is one.

    Parameters
    ----------
    row : pandas.Series
        The value, lower and upper.
    column : str
        Where the value stands.
    confidence : float, default=None
        Level of the interval, if it is to be named.

    Returns
    -------
    str
        Such as "0.33 (95 % interval 0.29 to 0.37)".
    """
    value = three(row[column])
    if np.isnan(row["lower"]):
        return value
    called = "" if confidence is None else f"{100 * confidence:g} % interval "
    return f"{value} ({called}{three(row['lower'])} to {three(row['upper'])})"


def few(names: Sequence[str], most: int = 5) -> str:
    """List the first of many names, and count the rest.

    Parameters
    ----------
    names : sequence of str
        The names.
    most : int, default=5
        How many are listed.

    Returns
    -------
    str
        Such as "a, b and 3 more".
    """
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")
