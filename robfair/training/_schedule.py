"""Learning rates that change over a run: a factor for each batch."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

__all__ = ["SCHEDULES", "Schedule"]

# From the part of the run that is done, between 0 and 1, to a factor of the learning rate. Nothing
# else: a schedule without a state of its own cannot be wrong after a run was resumed.
Schedule = Callable[[float], float]


def step(done: float) -> float:
    """Divide by ten at half of the run, and again at three quarters."""
    return 0.1 ** ((done >= 0.5) + (done >= 0.75))


def cosine(done: float) -> float:
    """Fall from 1 to 0 along half a cosine (Loshchilov and Hutter, SGDR, 2017)."""
    return (1 + math.cos(math.pi * done)) / 2


def cyclic(done: float) -> float:
    """Rise from 0 to 1 in two fifths of the run, then fall to 0 (Wong, Rice and Kolter, 2020)."""
    return float(np.interp(done, [0, 0.4, 1], [0, 1, 0]))


SCHEDULES: dict[str, Schedule] = {"step": step, "cosine": cosine, "cyclic": cyclic}
