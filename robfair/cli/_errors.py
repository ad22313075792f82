"""Bad input from the shell, and errors as one line."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from robfair._text import few

__all__ = ["BadInput", "did_you_mean", "one_line"]


class BadInput(Exception):
    """An input from the command line cannot be used; the message is for the user."""


def one_line(error: BaseException) -> str:
    """Write an error in one line: file and reason of a system error, else the message."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Suggest, in a sentence, the valid name that was meant, or list the valid ones."""
    names = list(names)
    by_lower = {each.lower(): each for each in names}
    close = get_close_matches(name.lower(), by_lower, n=1)
    return f"Did you mean {by_lower[close[0]]!r}?" if close else f"There are {few(names, 8, repr)}."
