"""Warnings that point at the user's own line."""

from __future__ import annotations

import sys
import warnings

__all__ = ["warn"]

# Their frames are between the user and the cause.
_PASSED_ON = {__name__.partition(".")[0], "sklearn", "skorch", "joblib"}


def warn(message: str, category: type[Warning]) -> None:
    """Warn at the user's own line, wherever in robfair the cause was noticed.

    That is the first line outside robfair and the libraries that call it for the user.
    """
    level, frame = 1, sys._getframe()
    while frame.f_back and str(frame.f_globals.get("__name__")).partition(".")[0] in _PASSED_ON:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)
