"""Bad input from the shell, and errors as one line."""

from __future__ import annotations

__all__ = ["BadInput", "one_line"]


class BadInput(Exception):
    """An input from the command line cannot be used; the message is for the user."""


def one_line(error: BaseException) -> str:
    """Write an error in one line: file and reason of a system error, else the message."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__
