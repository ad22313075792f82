"""Process-wide state during a fit or a pass: torch's threads, its global generator, and Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

__all__ = [
    "SEEDING",
    "SharedSetting",
    "one_thread",
    "raised_interrupts",
    "seed_generator",
    "surely",
    "threads",
    "untouched_random_state",
]

# Held from seeding torch's global generator until what follows has drawn from it (initial weights,
# dropout): another thread's seed or draw in between would change the numbers.
SEEDING = threading.RLock()


def seed_generator(seed: int, device: torch.device) -> None:
    """Seed torch's global generators, with `SEEDING` held until the last draw."""
    if device.type == "cpu":
        # torch.manual_seed is 200 times slower: it looks for devices of every kind.
        torch.default_generator.manual_seed(seed)
    else:
        torch.manual_seed(seed)


def surely(undo: Callable[[], None]) -> None:
    """Undo something to the end, although Ctrl-C comes in between; `undo` may be begun twice."""
    try:
        undo()
    except KeyboardInterrupt:
        undo()
        raise


class SharedSetting:
    """A process-wide setting that several threads may change at once.

    The first block saves it and the last one restores it. If each did both, one would save the
    change of another and leave it behind. With `per_thread`, for a setting of which each thread has
    its own copy, the last block of a thread restores it there, too.
    """

    def __init__(
        self, save: Callable[[], Any], restore: Callable[[Any], Any], *, per_thread: bool = False
    ) -> None:
        self.save, self.restore, self.per_thread = save, restore, per_thread
        # One that the same thread may take again: garbage collection can end a block at any time.
        self.lock = threading.RLock()
        self.blocks: dict[object, int] = {}  # entered and not left, with their threads

    @contextmanager
    def __call__(self) -> Iterator[None]:
        block, thread = object(), threading.get_ident()
        try:
            with self.lock:
                if not self.blocks:
                    self.saved = self.save()
                self.blocks[block] = thread
            yield
        finally:
            surely(lambda: self._leave(block))

    def _leave(self, block: object) -> None:
        with self.lock:
            if block not in self.blocks:  # Ctrl-C came before it was entered
                return
            others = [thread for other, thread in self.blocks.items() if other is not block]
            if not others or (self.per_thread and self.blocks[block] not in others):
                self.restore(self.saved)
            del self.blocks[block]


_threads = SharedSetting(torch.get_num_threads, torch.set_num_threads, per_thread=True)
_random = SharedSetting(torch.get_rng_state, torch.set_rng_state)


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Run torch on so many threads, and set the number back afterwards."""
    with _threads():
        torch.set_num_threads(n)  # in each block: OpenMP has a number per thread
        yield


def one_thread() -> AbstractContextManager[None]:
    """Run torch on one thread, and set the number back afterwards.

    The last bit of a sum depends on how it is split over threads, and training turns that into
    another network. joblib gives its workers fewer threads, so that without this the result of a
    fit would depend on `n_jobs`. The networks in question are too small to gain from a second
    thread.
    """
    return threads(1)


@contextmanager
def untouched_random_state(cuda: bool) -> Iterator[None]:
    """Leave torch's global generators as they were, with `cuda` those of CUDA devices too."""
    with _random(), torch.random.fork_rng(enabled=cuda):
        yield


@contextmanager
def raised_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end of a block in which Ctrl-C was pressed and swallowed.

    skorch ends its training by Ctrl-C as if it were finished, for one. A handler of the user's own
    that does not raise is left to itself.
    """
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler) or threading.current_thread() is not threading.main_thread():
        yield  # only the main thread is interrupted
        return
    interrupted = False

    def note(number: int, frame: Any) -> None:
        nonlocal interrupted
        try:
            handler(number, frame)
        except KeyboardInterrupt:
            interrupted = True
            raise

    try:
        signal.signal(signal.SIGINT, note)
        yield
    finally:
        surely(lambda: _restore_handler(handler))
    if interrupted:
        raise KeyboardInterrupt


def _restore_handler(handler: Any) -> None:
    signal.signal(signal.SIGINT, handler)
