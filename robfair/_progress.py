"""Progress bars whose lock belongs to this process alone.

tqdm's own lock is shared with all processes that were forked from this one. If one of them is
killed while it holds the lock, as by a machine without memory, every further bar waits for ever,
also one that is not shown.
"""

from __future__ import annotations

import threading
from typing import Any

from tqdm.auto import tqdm

__all__ = ["ProgressBar"]


class ProgressBar(tqdm):  # type: ignore[type-arg]
    """A bar of tqdm whose line is ended also where Ctrl-C comes while it is drawn first."""

    def __init__(self, *args: Any, **options: Any) -> None:
        try:
            super().__init__(*args, **options)
        except KeyboardInterrupt:
            if hasattr(self, "sp"):  # it draws, and is not yet a bar that could be closed
                print(file=self.fp)
            raise


ProgressBar.set_lock(threading.RLock())
