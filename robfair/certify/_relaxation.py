"""Two straight lines around an activation, below and above it between two bounds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from robfair.certify._lipschitz import ReachableSet

__all__ = ["Bounds", "Lines", "relax"]

# A line is moved outwards by this much, in units of the activation's range, so that the rounding
# of its slope and intercept does not make it cross a tanh.
ROUNDING = 1e-13


@dataclass(frozen=True)
class Lines:
    """Lines with ``low_slope z + low_offset <= activation(z) <= high_slope z + high_offset``.

    All are of shape (n_neurons, n_samples), but for `reachable`: where the arguments can be
    together, if that is known. A maximum has a slope for each piece, (n_pieces, n_neurons,
    n_samples).
    """

    low_slope: Tensor
    low_offset: Tensor
    high_slope: Tensor
    high_offset: Tensor
    reachable: ReachableSet | None = None

    def __getitem__(self, index: tuple[Any, Any]) -> Lines:
        """Take some neurons and samples."""
        at = (..., *index)
        slopes = self.low_slope[at], self.high_slope[at]
        return Lines(slopes[0], self.low_offset[at], slopes[1], self.high_offset[at])


@dataclass(frozen=True)
class Bounds:
    """Bounds of a layer in a ball, and the lines that follow."""

    low: Tensor  # (n_arguments, n_samples), of its arguments
    high: Tensor
    lines: Lines
    free: Tensor  # (n_neurons, n_samples), where the slope below is a choice

    def samples(self, part: slice) -> Bounds:
        """Take some samples."""
        everything = slice(None)
        lines, reachable = self.lines[everything, part], self.lines.reachable
        if reachable is not None:
            lines = replace(lines, reachable=reachable[everything, part])
        return Bounds(self.low[:, part], self.high[:, part], lines, self.free[:, part])


def relax(kind: str, slope: float, low: Tensor, high: Tensor) -> Lines:
    """Bound "relu" (`slope` below 0) or "tanh" by lines, from bounds (n_neurons, n_samples).

    The lines are the activation itself where it is straight between the bounds.
    """
    if kind == "relu":
        return _relu(slope, low, high)
    above_slope, above_offset = _above_tanh(low, high)
    # tanh is odd: a line below it is a line above it, turned around the origin.
    below_slope, below_offset = _above_tanh(-high, -low)
    return Lines(below_slope, -below_offset, above_slope, above_offset)


def _relu(slope: float, low: Tensor, high: Tensor) -> Lines:
    # Tensors, not numbers: torch.where of two numbers rounds to the default dtype.
    zero, one, flat = torch.zeros_like(low), torch.ones_like(low), torch.full_like(low, slope)
    unstable = (low < 0) & (high > 0)
    width = torch.where(unstable, high - low, 1)
    straight = torch.where(low >= 0, one, flat)
    chord = torch.where(unstable, (high - slope * low) / width, straight)
    offset = torch.where(unstable, (slope - 1) * low * high / width, zero)
    # Below, any slope between `slope` and 1 is valid: the one with the smaller area between lines.
    lower = torch.where(unstable & (high > -low), one, straight)
    return Lines(lower, zero, chord, offset)


def _above_tanh(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Return slope and offset of a line above tanh: a chord where it is convex, else a tangent."""
    at_low, at_high = low.tanh(), high.tanh()
    width = high - low
    chord = torch.where(width > 0, (at_high - at_low) / torch.where(width > 0, width, 1), 0)
    # The chord's end with the greater offset: with a width lost in rounding, the greater value.
    chord_offset = torch.maximum(at_low - chord * low, at_high - chord * high)

    point = torch.maximum(_touching(low), (low + high) / 2)
    at_point = point.tanh()
    tangent = 1 - at_point**2
    convex = (high <= 0) | (point > high)
    slope = torch.where(convex, chord, tangent)
    offset = torch.where(convex, chord_offset, at_point - tangent * point)
    return slope, offset + ROUNDING * (1 + (slope * torch.maximum(low.abs(), high.abs())))


def _touching(low: Tensor) -> Tensor:
    """Return the least tangent point whose line is above tanh from `low` on; 0 if `low` > 0.

    The tangent at t > 0 is above tanh at low < 0 iff tanh'(t) (t - low) <= tanh(t) - tanh(low).
    The bisection keeps the end for which this holds, so that the result is valid at any time.
    """
    left, right = torch.zeros_like(low), (-low).clamp(min=0)
    at_low = low.tanh()
    for _ in range(50):
        middle = (left + right) / 2
        at_middle = middle.tanh()
        above = (1 - at_middle**2) * (middle - low) <= at_middle - at_low
        left, right = torch.where(above, left, middle), torch.where(above, middle, right)
    return right
