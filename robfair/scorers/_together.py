"""One warning for one cause, where scikit-learn calls several scorers on one fold."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import Any
from weakref import ReferenceType, ref

from robfair._warnings import Told

__all__ = ["told_on_this_fold"]

# The last fold, by its objects: an id could be that of an object that is gone.
_LAST: ContextVar[tuple[ReferenceType[Any], ReferenceType[Any], Told] | None] = ContextVar(
    "last", default=None
)


def told_on_this_fold(estimator: Any, X: Any) -> Told | None:
    """Return the warnings of the scorers that were called before this one, on the same fold.

    To be called by the scorer's ``__call__``. None if it was not scikit-learn's loop over several
    scorers that called that: one who calls a scorer twice is warned twice.
    """
    if sys._getframe(2).f_globals.get("__name__") != "sklearn.metrics._scorer":
        return None
    last = _LAST.get()
    if last is not None and last[0]() is estimator and last[1]() is X:
        return last[2]
    told = Told("A score")
    try:
        _LAST.set((ref(estimator), ref(X), told))
    except TypeError:  # a list, for instance, is not known again: every scorer warns
        return None
    return told
