"""Random numbers of a batch, which do not change when other samples are left out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from robfair._isolation import SEEDING, seed_generator

__all__ = ["Noise"]


class Noise:
    """Random numbers that depend on the seed of a batch and a sample's place in it.

    Each batch has a seed of its own, so that the draws of other batches do not matter, and numbers
    are drawn for every place, also for those of left-out samples (see `TensorBatches`).

    Parameters
    ----------
    seed : int
        Seed until the first batch begins.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.generator = torch.Generator().manual_seed(seed)
        self.kept: Tensor | None = None

    def begin_batch(self, seed: int, kept: Tensor | None, device: torch.device) -> None:
        """Seed this generator and torch's global one on `device`, from which dropout draws.

        `kept` is the mask of the places of the batch that are filled; None: all of them.
        """
        self.seed = seed
        self.generator.manual_seed(seed)
        self.kept = kept
        with SEEDING:
            seed_generator(seed, device)

    def draw(
        self, distribution: Callable[..., Tensor], X: Tensor, rows: Tensor | None = None
    ) -> Tensor:
        """Draw random numbers (`distribution` is torch.rand or torch.randn) in the shape of X.

        `rows` is the mask of the batch's samples that X holds; None: all of them.
        """
        masks = [mask for mask in (self.kept, rows) if mask is not None]
        n_places = len(masks[0]) if masks else len(X)
        # On the CPU, so that numbers do not depend on the device.
        noise = distribution((n_places, *X.shape[1:]), generator=self.generator).to(X)
        for mask in masks:
            noise = noise[mask]
        return noise
