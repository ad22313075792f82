"""Shuffled batches, in which a sample of weight 0 keeps its place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robfair.training._noise import Noise

__all__ = ["Batch", "TensorBatches"]

Batch = tuple[dict[str, Tensor], Tensor]


class TensorBatches:
    """Shuffled batches cut from tensors that are made once.

    A DataLoader fetches and collates sample by sample, which takes longer than a step of a small
    network. Groups are in the dict with X because skorch batches X, and nothing else.

    Here a sample of weight 0 is left out, so that refits that leave out one sample each differ by
    that sample and by nothing else. It keeps its place: `fit` passes it on with the samples to
    train on, the order of an epoch is drawn for it too, and it is dropped only from the batch in
    which it stands. All others keep their places and their batches. They keep their random numbers,
    since `Noise` draws for every place and picks those of the samples that are there (`kept`); an
    objective that attacks some of these tells `Attack` which by its argument `rows`.

    With `sampling`, the probability of each group, the samples of an epoch are drawn with
    replacement, those of weight 0 among them, which are then dropped in the same way.

    Parameters
    ----------
    dataset : skorch.dataset.Dataset
        Dataset over ``{"X": ..., "groups": ...}`` and y; there may be a ``"weight"``, too.
    batch_size : int
        Samples in a batch; the last one may be smaller.
    generator : torch.Generator
        Source of the order of each epoch and of the seeds of its batches.
    noise : Noise
        Random numbers, which begin anew with each batch.
    device : torch.device
        Device of the tensors.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int,
        generator: torch.Generator,
        noise: Noise,
        device: torch.device,
    ) -> None:
        self.arrays = {name: _tensor(a, device) for name, a in dataset.X.items()}
        self.y = _tensor(dataset.y, device)
        self.batch_size = batch_size
        self.generator = generator
        self.noise = noise
        self.kept: Tensor | None = None
        self.sampling: Tensor | None = None
        self.place = 0  # of the batch that was begun last, in its epoch
        self.rows: Tensor  # of this batch
        if "weight" in self.arrays:
            weight = self.arrays["weight"]
            kept = weight > 0
            self.kept = None if bool(kept.all()) else kept  # None: spares the indexing
            if weight[kept].unique().numel() == 1:  # a plain mean, to the last bit
                del self.arrays["weight"]

    def __len__(self) -> int:
        return -(-len(self.y) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        device = self.y.device
        order = self._order().to(device)
        # Seeds come with the order, so that a checkpoint needs the state of one generator.
        seeds = torch.randint(2**63 - 1, (len(self),), generator=self.generator).tolist()
        batches = zip(order.split(self.batch_size), seeds, strict=True)
        for self.place, (rows, seed) in enumerate(batches):
            kept = None if self.kept is None else self.kept[rows]
            if kept is not None:
                rows = rows[kept]
                if len(rows) == 0:  # a mean of nothing would be NaN
                    continue
            self.noise.begin_batch(seed, kept, device)
            self.rows = rows
            yield {name: a[rows] for name, a in self.arrays.items()}, self.y[rows]

    def _order(self) -> Tensor:
        if self.sampling is None:
            return torch.randperm(len(self.y), generator=self.generator)
        groups, sampling = self.arrays["groups"].cpu(), self.sampling.double().cpu()
        each = sampling / torch.bincount(groups, minlength=len(sampling)).clamp_min(1)
        return torch.multinomial(
            each[groups], len(groups), replacement=True, generator=self.generator
        )


def _tensor(array: NDArray[Any], device: torch.device) -> Tensor:
    # "W": torch warns of arrays that it could not write to.
    return torch.as_tensor(np.require(array, requirements="W"), device=device)
