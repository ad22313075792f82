"""The one rule of how many samples go through a model at a time."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterator

__all__ = ["batches", "check_batch_size", "default_batch_size"]

# Rows of a table are cheap, and small batches would spend their time between the passes; what a
# network computes for hundreds of images at a time falls out of the caches.
FEATURES, LEAST = 2**18, 64


def check_batch_size(batch_size: int | None) -> None:
    """Refuse a batch size below 1, or raise TypeError where it is not an integer."""
    if batch_size is not None and operator.index(batch_size) < 1:
        raise ValueError(f"batch_size must be at least 1; got {batch_size}.")


def default_batch_size(shape: tuple[int, ...]) -> int:
    """Return the number of samples of some shape that have 2**18 features together, at least 64."""
    return max(LEAST, FEATURES // math.prod(shape))


def batches(n: int, size: int) -> Iterator[slice]:
    """Cut n samples into batches, in order."""
    return (slice(start, start + size) for start in range(0, n, size))
