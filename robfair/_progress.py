"""Progress bars whose lock belongs to this process alone.

tqdm's own lock is shared with all processes that were forked from this one. If one of them is
killed while it holds the lock, as by a machine without memory, every further bar waits for ever,
also one that is not shown.
"""

from __future__ import annotations

import threading

from tqdm.auto import tqdm

__all__ = ["ProgressBar"]


class ProgressBar(tqdm):  # type: ignore[type-arg]
    """A bar of tqdm."""


ProgressBar.set_lock(threading.RLock())
