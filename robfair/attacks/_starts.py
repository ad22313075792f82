"""Random starts that depend on the seed and on the sample's position alone, not on its batch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtri
from torch import Tensor

from robfair._directions import TRADES_START

__all__ = ["in_ball", "near_centre"]

WORDS = 4  # numbers that a step of the counter of Philox gives
Key = tuple[int, int]  # seed of the attack, and number of the restart
CLOSE = 16  # positions that take as long to draw as to begin a stretch anew


def in_ball(x: Tensor, eps: Tensor, norm: float, index: NDArray[np.intp], key: Key) -> Tensor:
    """Draw points (n, d) uniformly from balls of centres (n, d) and radii (n,).

    `index` has the positions of the samples in X, increasing.
    """
    d = x.shape[1]
    if norm == torch.inf:
        return x + eps[:, None] * torch.from_numpy(2 * _uniform(index, d, key) - 1).to(x)
    numbers = _uniform(index, d + 1, key)  # the first for the radius
    direction = ndtri(numbers[:, 1:])
    direction *= (numbers[:, 0] ** (1 / d) / np.linalg.norm(direction, axis=1))[:, None]
    return x + eps[:, None] * torch.from_numpy(direction).to(x)


def near_centre(x: Tensor, eps: Tensor, index: NDArray[np.intp], key: Key) -> Tensor:
    """Draw points (n, d) as TRADES does, normally distributed around the centres."""
    normal = torch.from_numpy(ndtri(_uniform(index, x.shape[1], key))).to(x)
    return x + TRADES_START * eps[:, None] * normal


def _uniform(index: NDArray[np.intp], d: int, key: Key) -> NDArray[np.float64]:
    """Numbers in (0, 1) of shape (len(index), d).

    Philox is a function of a key and a counter, which can be put anywhere: each position has its
    own stretch. Positions that lie close together are drawn in one go, with those between them.
    """
    steps = -(-d // WORDS)
    bits = np.random.Philox(key=np.random.SeedSequence(key).generate_state(2, np.uint64))
    random = np.random.Generator(bits).random
    numbers = np.empty((len(index), steps * WORDS))
    ends = [0, *(np.flatnonzero(np.diff(index) > CLOSE) + 1), len(index)]
    position = 0
    for first, end in pairwise(ends):
        low, high = int(index[first]), int(index[end - 1]) + 1
        bits.advance((low - position) * steps)
        numbers[first:end] = random((high - low, steps * WORDS))[index[first:end] - low]
        position = high
    # Multiples of 2**-53 that may be 0, whose normal quantile is -inf: to the middle of the cell.
    return numbers[:, :d] + 2.0**-54
