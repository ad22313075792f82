"""Warnings that point at the user's own line."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["each_once", "warn"]

# Their frames are between the user and the cause.
_PASSED_ON = {__name__.partition(".")[0], "sklearn", "skorch", "joblib", "contextlib", "torch"}


# What has been told, where nothing is told twice. Python's own filters are shared by all threads.
_TOLD: ContextVar[set[tuple[str, type[Warning]]] | None] = ContextVar("told", default=None)


@contextmanager
def each_once() -> Iterator[None]:
    """Give each warning once, however many of the functions called notice its cause."""
    if _TOLD.get() is not None:
        yield
        return
    token = _TOLD.set(set())
    try:
        yield
    finally:
        _TOLD.reset(token)


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the user's own line, wherever in robfair the cause was noticed.

    That is the first line outside robfair and the libraries that call it for the user.
    """
    told = _TOLD.get()
    if told is not None:
        if (message, category) in told:
            return
        told.add((message, category))
    level, frame = 1, sys._getframe()
    while frame.f_back and str(frame.f_globals.get("__name__")).partition(".")[0] in _PASSED_ON:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
