"""Warnings as a command shows them: a line each, on stderr."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from robfair._text import visible

__all__ = ["shown_warnings"]


@contextmanager
def shown_warnings() -> Iterator[None]:
    """Show each warning as a line; those for developers not at all."""

    def show(message: Warning | str, *rest: Any) -> None:
        text = " ".join(str(message).split())
        print(visible(f"robfair: warning: {text}"), file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as DeprecationWarning
        warnings.simplefilter("default", UserWarning)
        warnings.simplefilter("default", RuntimeWarning)
        warnings.showwarning = show  # type: ignore[assignment]
        yield
