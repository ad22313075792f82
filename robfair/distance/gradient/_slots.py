"""The slots of a batch: each holds one sample, and takes the next when that is finished."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from robfair._problem import Problem

__all__ = ["Queue", "Slots"]


@dataclass
class Slots:
    """State of the samples of a batch; every field has one row per slot."""

    index: Tensor  # (b,) position of the sample in X
    start: Tensor  # (b, d) the sample
    point: Tensor  # (b, d) the current iterate, to be tested next
    before: Tensor  # (b, d) the iterate before it, which was not flipped
    margin: Tensor  # (b,) margin of `before`
    size: Tensor  # (b,) norm of the perturbation without overshoot, for Eq. 8
    label: Tensor  # (b,) predicted class of the sample; -1 before its first pass
    steps: Tensor  # (b,) steps made

    def __getitem__(self, rows: Tensor) -> Slots:
        return Slots(*(getattr(self, f.name)[rows] for f in fields(self)))

    def put(self, rows: Tensor, other: Slots) -> None:
        """Overwrite some slots."""
        for f in fields(self):
            getattr(self, f.name)[rows] = getattr(other, f.name)

    def __len__(self) -> int:
        return len(self.index)


class Queue:
    """The samples that have no slot yet, in the order of X."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.next = 0

    def take(self, n: int) -> Slots:
        """Put the next `n` samples, or as many as there are, into slots."""
        start, stop = self.next, min(self.next + n, len(self.problem.X))
        self.next = stop
        x = self.problem.rows(start, stop)
        return Slots(
            index=torch.arange(start, stop),
            start=x,
            point=x.clone(),
            before=x.clone(),
            margin=x.new_full((len(x),), torch.inf),
            size=x.new_zeros(len(x)),
            label=torch.full((len(x),), -1, device=x.device),
            steps=torch.zeros(len(x), dtype=torch.int64, device=x.device),
        )

    def refill(self, slots: Slots, done: Tensor) -> Slots:
        """Give the slots of finished samples to the next ones; drop slots at the end of X."""
        free = done.nonzero()[:, 0]
        if len(free) == 0:
            return slots
        fresh = self.take(len(free))
        if len(fresh):
            slots.put(free[: len(fresh)], fresh)
        if len(fresh) < len(free):
            keep = torch.ones(len(slots), dtype=torch.bool, device=done.device)
            keep[free[len(fresh) :]] = False
            return slots[keep]
        return slots
