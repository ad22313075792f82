"""All that a strategy may look at: in a step of training, and after an epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.optim import Optimizer

from robfair.training._evaluator import GroupEvaluator
from robfair.training._objectives import Attack, Losses
from robfair.training._plan import GroupPlan

__all__ = ["EpochEnd", "Step"]


@dataclass(frozen=True)
class Step:
    """A batch, before the optimiser's step.

    Attributes
    ----------
    module : torch.nn.Module
        The network, in training mode.
    X, y, groups : Tensor
        The samples, with classes and groups as integers from 0.
    losses : Losses
        Their losses, with the graph: what is made of them may be part of a penalty.
    plan : GroupPlan
        The plan of the epoch.
    epoch, place, n_batches : int
        The epoch, and the place of the batch in it, both from 0; number of places.
    optimizer : torch.optim.Optimizer
        The optimiser.
    attack : Attack
        The attack, with the threat model, and with the random numbers of the batch
        (``attack.noise``), which a run that is resumed draws again.
    evaluator : GroupEvaluator or None
        Held-out samples and training samples, see `Strategy.on_epoch`.
    """

    module: nn.Module
    X: Tensor
    y: Tensor
    groups: Tensor
    losses: Losses
    plan: GroupPlan
    epoch: int
    place: int
    n_batches: int
    optimizer: Optimizer
    attack: Attack
    evaluator: GroupEvaluator | None


@dataclass(frozen=True)
class EpochEnd:
    """The network after an epoch.

    Attributes
    ----------
    epoch, n_epochs : int
        The epoch that has ended, from 0, and the number of epochs of the run.
    module : torch.nn.Module
        The network that is being trained: training goes on with the weights loaded into it.
    optimizer : torch.optim.Optimizer
        The optimiser.
    average : callable
        Returns the averaged network, or None if nothing has been averaged.
    evaluator : GroupEvaluator or None
        Held-out samples and training samples, see `Strategy.on_epoch`.
    """

    epoch: int
    n_epochs: int
    module: nn.Module
    optimizer: Optimizer
    average: Callable[[], nn.Module | None]
    evaluator: GroupEvaluator | None
