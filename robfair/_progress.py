"""Progress bars whose lock belongs to this process alone.

tqdm's own lock is shared with all processes that were forked from this one. If one of them is
killed while it holds the lock, as by a machine without memory, every further bar waits for ever,
also one that is not shown.
"""

from __future__ import annotations

import multiprocessing
import sys
import threading
import warnings
from typing import Any

with warnings.catch_warnings():
    warnings.filterwarnings("ignore", "IProgress not found")  # without ipywidgets bars are text
    from tqdm.auto import tqdm

__all__ = ["ProgressBar", "shows"]

PATIENCE = 5.0  # seconds that a run may take without a bar


class ProgressBar(tqdm):  # type: ignore[type-arg]
    """A bar of tqdm whose line is ended also where Ctrl-C comes while it is drawn first.

    With ``verbose=None`` it appears after five seconds, where somebody may be watching, and
    disappears at the end.
    """

    def __init__(self, *args: Any, verbose: int | None = 1, **options: Any) -> None:
        options.setdefault("disable", not shows(verbose))
        if verbose is None:
            options |= {"delay": PATIENCE, "leave": False}
        try:
            super().__init__(*args, **options)
        except KeyboardInterrupt:
            if hasattr(self, "sp"):  # it draws, and is not yet a bar that could be closed
                print(file=self.fp)
            raise


ProgressBar.set_lock(threading.RLock())


def shows(verbose: int | None) -> bool:
    """Tell whether progress is shown; None: if stderr is a terminal or that of a notebook."""
    if verbose is not None:
        return verbose > 0
    stream = sys.stderr
    if stream is None or getattr(stream, "closed", False):
        return False
    # Workers of joblib share the terminal: their bars would be drawn over each other.
    if multiprocessing.current_process().name != "MainProcess":
        return False
    return type(stream).__module__.startswith("ipykernel") or stream.isatty()
