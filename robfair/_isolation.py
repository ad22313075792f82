"""Torch's process-wide settings during a fit: threads and the global random generator."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

__all__ = ["SEEDING", "SharedSetting", "one_thread", "untouched_random_state"]

# Held while torch's global generator is seeded, and until what follows has drawn from it: initial
# weights come from there, and another thread's seed in between would change them.
SEEDING = threading.Lock()


class SharedSetting:
    """A process-wide setting that several threads may change at once.

    The first block saves it and the last one restores it. If each did both, one would save the
    change of another and leave it behind.
    """

    def __init__(self, save: Callable[[], Any], restore: Callable[[Any], Any]) -> None:
        self.save, self.restore = save, restore
        self.lock = threading.Lock()
        self.inside = 0  # blocks entered and not left

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self.lock:
            if self.inside == 0:
                self.saved = self.save()
            self.inside += 1
        try:
            yield
        finally:
            with self.lock:
                self.inside -= 1
                if self.inside == 0:
                    self.restore(self.saved)


_threads = SharedSetting(torch.get_num_threads, torch.set_num_threads)
_random = SharedSetting(torch.get_rng_state, torch.set_rng_state)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread, and set the number back afterwards.

    The last bit of a sum depends on how it is split over threads, and training turns that into
    another network. joblib gives its workers fewer threads, so that without this the result of a
    fit would depend on `n_jobs`. The networks in question are too small to gain from a second
    thread.
    """
    with _threads():
        torch.set_num_threads(1)  # in each block: OpenMP has a number per thread
        yield


@contextmanager
def untouched_random_state(cuda: bool) -> Iterator[None]:
    """Leave torch's global generators as they were, with `cuda` those of CUDA devices too."""
    with _random(), torch.random.fork_rng(enabled=cuda):
        yield
