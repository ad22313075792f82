"""Undo a fit that an error or Ctrl-C ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from robfair._isolation import surely

__all__ = ["all_or_nothing"]


@contextmanager
def all_or_nothing(estimator: Any) -> Iterator[Callable[[], None]]:
    """Leave no part of an unfinished fit behind in an estimator.

    Arguments that are refused change nothing. Once training has begun (call what is yielded), the
    estimator is left unfitted, or with `warm_start` as it was.
    """
    before = _fitted(estimator)
    try:
        yield lambda: None if estimator.warm_start else before.clear()
    except BaseException:  # Ctrl-C too
        surely(lambda: _set_back(estimator, before))
        raise


def _fitted(estimator: Any) -> dict[str, Any]:
    """Return the fitted attributes, with the network of a loaded file."""
    attributes = vars(estimator).items()
    return {name: value for name, value in attributes if name.endswith("_") or name == "_module"}


def _set_back(estimator: Any, before: dict[str, Any]) -> None:
    for name in _fitted(estimator):
        delattr(estimator, name)
    vars(estimator).update(before)
