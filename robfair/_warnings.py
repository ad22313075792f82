"""Warnings that point at the user's own line."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from robfair.exceptions import UndefinedMetricWarning

__all__ = ["ALL_ZERO", "Told", "each_once", "warn", "warn_undefined"]

# Their frames are between the user and the cause.
_PASSED_ON = {__name__.partition(".")[0], "sklearn", "skorch", "joblib", "contextlib", "torch"}


# A cause: the robustness of every group is 0, and what is relative to it is undefined.
ALL_ZERO = "all zero"


@dataclass
class Told:
    """The warnings given, and those to give at the end, by cause.

    `subject` stands for the names of all that is undefined, where several calls share it.
    """

    subject: str | None = None
    given: set[tuple[str, type[Warning]]] = field(default_factory=set)
    explained: set[str] = field(default_factory=set)
    undefined: dict[tuple[str, str | None], list[str]] = field(default_factory=dict)


# What has been told, where nothing is told twice. Python's own filters are shared by all threads.
_TOLD: ContextVar[Told | None] = ContextVar("told", default=None)


@contextmanager
def each_once(told: Told | None = None) -> Iterator[None]:
    """Give one warning for each cause, however many of the functions called notice it.

    What a cause leaves undefined is told in one sentence, at the end; not if there is an error.
    Calls that are given the same `told` give no warning twice.
    """
    if _TOLD.get() is not None:
        yield
        return
    told = told or Told()
    token = _TOLD.set(told)
    try:
        yield
        for (reason, cause), subjects in told.undefined.items():
            if cause not in told.explained:
                named = subjects if told.subject is None else [told.subject]
                warn(_undefined(named, reason), UndefinedMetricWarning)
    finally:
        _TOLD.reset(token)


def warn_undefined(subject: str, reason: str, cause: str | None = None) -> None:
    """Warn that NaN is returned for `subject`; inside `each_once`, with all others of the reason.

    There nothing is said if another warning explains the cause.
    """
    told = _TOLD.get()
    if told is None:
        warn(_undefined([subject], reason), UndefinedMetricWarning)
    else:
        told.undefined.setdefault((reason, cause), []).append(subject)


def _undefined(subjects: list[str], reason: str) -> str:
    first, *others = dict.fromkeys(subjects)
    # In the middle of a sentence.
    others = [f"t{name[1:]}" if name.startswith("The ") else name for name in others]
    listed = " and ".join([", ".join([first, *others[:-1]]), *others[-1:]])
    return f"{listed} {'are' if others else 'is'} undefined and NaN is returned: {reason}"


def warn(message: str, category: type[Warning], *, explains: str | None = None) -> None:
    """Warn at the user's own line, wherever in robfair the cause was noticed.

    That is the first line outside robfair and the libraries that call it for the user. `explains`
    is the cause of other warnings, which this one makes needless inside `each_once`.
    """
    told = _TOLD.get()
    if told is not None:
        if explains is not None:
            told.explained.add(explains)
        if (message, category) in told.given:
            return
        told.given.add((message, category))
    level, frame = 1, sys._getframe()
    while frame.f_back and str(frame.f_globals.get("__name__")).partition(".")[0] in _PASSED_ON:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
