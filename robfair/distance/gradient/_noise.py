"""Noise that belongs to a seed and to a row's content, whatever the order of rows or the batch.

A row takes windows of one long stream of Gaussian numbers; where they begin follows from a hash of
the row, of its features relative to their scales. So other units of the features change no window.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

__all__ = ["NoiseSource", "RowNoise", "row_keys"]

WINDOWS = 2**16  # places where a window can begin
PLACE, STEP = 40_503, 10_007  # odd, so that steps and places run through all windows
RESOLUTION = 2**10  # of a feature in its scale: coarse, so that rounding in other units is not seen
MIX = 0x9E3779B97F4A7C15 - 2**64  # the golden ratio, odd, as a signed number


def row_keys(x: Tensor, scale: Tensor) -> Tensor:
    """Hash rows, of shape (n,), from their features relative to a scale (d,), and rounded."""
    whole = (x.double() / scale.double() * RESOLUTION).round().long()
    odd = 2 * np.random.default_rng(0).integers(2**61, size=x.shape[1]) + 1
    keys = (whole * torch.from_numpy(odd).to(x.device)).sum(dim=1)  # wraps around
    mixed: Tensor = (keys ^ (keys >> 29)) * MIX >> 16  # the high digits into the low ones
    return mixed


@dataclass(frozen=True)
class RowNoise:
    """Gaussian noise of length about 1 in the features that can move.

    Attributes
    ----------
    stream : Tensor of shape (WINDOWS + d,)
        What the windows are cut from.
    keys : Tensor of shape (n,)
        Of :func:`row_keys`.
    mask : Tensor or None
        Mutable features.
    place : int
        Which descent of a row this is: each has noise of its own.
    """

    stream: Tensor
    keys: Tensor
    mask: Tensor | None
    place: int = 0

    def of(self, rows: Tensor, place: int) -> RowNoise:
        """Return the noise of some rows for one of their descents."""
        return replace(self, keys=self.keys[rows], place=place)

    def at(self, step: int) -> Tensor:
        """Return the noise of a step, of shape (n, d)."""
        first = (self.keys + (PLACE * self.place + STEP * step)) % WINDOWS
        d = len(self.stream) - WINDOWS
        noise = self.stream.unfold(0, d, 1)[first]
        return noise if self.mask is None else noise * self.mask


@dataclass(frozen=True)
class NoiseSource:
    """The noise of all rows.

    Attributes
    ----------
    stream : Tensor of shape (WINDOWS + d,)
        Gaussian numbers.
    scale : Tensor of shape (d,)
        Of the features.
    mask : Tensor or None
        Mutable features.
    """

    stream: Tensor
    scale: Tensor
    mask: Tensor | None

    @classmethod
    def drawn(cls, seed: int, scale: Tensor, mask: Tensor | None) -> NoiseSource:
        """Draw the stream of a seed."""
        d = len(scale)
        n_mutable = d if mask is None else int(mask.sum())
        drawn = np.random.default_rng(seed).standard_normal(WINDOWS + d) / max(n_mutable, 1) ** 0.5
        return cls(torch.from_numpy(drawn).to(scale), scale, mask)

    def of(self, x: Tensor) -> RowNoise:
        """Return the noise of rows."""
        return RowNoise(self.stream, row_keys(x, self.scale), self.mask)
