"""Work that joblib spreads over processes, threads or a cluster, with the same numbers.

Each part is computed with the settings of torch that hold here. Parts that do not depend on the
number of processes give the same results to the last bit.
"""

from __future__ import annotations

import operator
import pickle
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from joblib import Parallel, delayed

from robfair._isolation import threads
from robfair._warnings import warn

__all__ = ["LOST", "TorchSettings", "check_n_jobs", "in_order"]

# Errors of joblib for a lost worker: the first by Dask, the second by loky.
LOST = (CancelledError, BrokenExecutor)


def check_n_jobs(n_jobs: Any) -> None:
    """Raise TypeError or ValueError for anything but a number of processes, as in joblib."""
    if n_jobs is None:
        return
    try:
        n = operator.index(n_jobs)
    except TypeError:
        raise TypeError(f"n_jobs must be a whole number or None; got {n_jobs!r}.") from None
    if n == 0:
        raise ValueError(
            "n_jobs must be a number of processes, -1 for one per core, or None; got 0."
        )


def in_order(
    function: Callable[[Any], Any],
    argument: Callable[[int], Any],
    n: int,
    n_jobs: int | None,
    max_nbytes: str | None = "1M",
) -> Iterator[Any]:
    """Yield a function of n arguments in their order, computed by joblib.

    Parameters
    ----------
    function : callable
        Of one argument; pickled for other processes.
    argument : callable
        Makes the argument of a number, when a process is free for it.
    n : int
        How many there are.
    n_jobs : int or None
        Processes, as in joblib.
    max_nbytes : str or None
        Size of arrays that processes share, read-only. None: each gets its own.

    Yields
    ------
    object
        The results, in order.

    Raises
    ------
    TypeError
        If other processes are asked for, and something cannot be pickled.
    RuntimeError
        If processes are lost again and again.

    Warns
    -----
    UserWarning
        If processes were lost, and what they had not finished is computed again.
    """
    settings, done, lost = TorchSettings.here(), 0, False
    while done < n:
        tasks = (delayed(_call)(function, argument(i), settings) for i in range(done, n))
        try:
            for result in Parallel(n_jobs, return_as="generator", max_nbytes=max_nbytes)(tasks):
                done, lost = done + 1, False
                yield result
        except pickle.PicklingError as error:
            raise TypeError(
                f"n_jobs={n_jobs} needs a model that can be pickled, and this one cannot: leave "
                f'out n_jobs, or use joblib.parallel_config(backend="threading"). {error}'
            ) from error
        except LOST as error:
            if lost:
                raise RuntimeError(
                    f"workers were lost again and again, after {done} of {n} parts of the rows. "
                    "See that they have enough memory (fewer n_jobs, a smaller batch_size), that "
                    "the cluster is up, and that the model does not end their process."
                ) from error
            lost = True
            warn(
                f"workers were lost ({type(error).__name__}): parts of the rows that are not "
                "finished are computed again.",
                UserWarning,
            )


def _call(function: Callable[[Any], Any], argument: Any, settings: TorchSettings) -> Any:
    """Call a function in another process or thread, with the settings of this one."""
    with ExitStack() as stack:
        settings.enter(stack)
        return function(argument)


@dataclass(frozen=True)
class TorchSettings:
    """Settings of torch that change numbers, and that other processes or threads do not have."""

    n_threads: int  # the last bit of a sum depends on how it is split
    dtype: torch.dtype
    precision: str
    autocast: tuple[tuple[str, bool, torch.dtype], ...]

    @classmethod
    def here(cls) -> TorchSettings:
        """Read the settings of this thread."""
        devices = ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",)
        return cls(
            torch.get_num_threads(),
            torch.get_default_dtype(),
            torch.get_float32_matmul_precision(),
            tuple(
                (name, torch.is_autocast_enabled(name), torch.get_autocast_dtype(name))
                for name in devices
            ),
        )

    def enter(self, stack: ExitStack) -> None:
        """Set them until the stack is left; in another process those without a context stay."""
        stack.enter_context(threads(self.n_threads))
        for name, enabled, dtype in self.autocast:
            if enabled:
                stack.enter_context(torch.autocast(name, dtype=dtype))
        if torch.get_default_dtype() != self.dtype:
            torch.set_default_dtype(self.dtype)
        if torch.get_float32_matmul_precision() != self.precision:
            torch.set_float32_matmul_precision(self.precision)
