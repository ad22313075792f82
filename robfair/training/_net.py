"""The skorch net that runs an objective under a strategy's plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import Tensor, nn

from robfair.adapters import evaluation_mode
from robfair.training._judge import Judge
from robfair.training._noise import Noise
from robfair.training._objectives import Attack, Losses, Objective
from robfair.training._strategies import Plan, Setting, Strategy

__all__ = ["RobustNet", "TensorBatches"]

Batch = tuple[dict[str, Tensor], Tensor]


class TensorBatches:
    """Shuffled batches cut from tensors that are made once.

    A DataLoader fetches and collates sample by sample, which takes longer than a step of a small
    network. Groups are in the dict with X because skorch batches X, and nothing else.

    A sample of weight 0 has a place in the order of an epoch, and is left out of the batch in which
    it stands: all others keep their places, their batches and their random numbers.

    Parameters
    ----------
    dataset : skorch.dataset.Dataset
        Dataset over ``{"X": ..., "groups": ...}`` and y; there may be a ``"weight"``, too.
    batch_size : int
        Samples in a batch; the last one may be smaller.
    generator : torch.Generator
        Where the order of each epoch and the seeds of its batches come from.
    noise : Noise
        The random numbers that are to begin anew with each batch.
    device : torch.device
        Where the tensors are put.
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
        if "weight" in self.arrays:
            weight = self.arrays["weight"]
            kept = weight > 0
            self.kept = None if bool(kept.all()) else kept
            if weight[kept].unique().numel() == 1:  # a plain mean, to the last bit
                del self.arrays["weight"]

    def __len__(self) -> int:
        return -(-len(self.y) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        device = self.y.device
        order = torch.randperm(len(self.y), generator=self.generator).to(device)
        seeds = torch.randint(2**63 - 1, (len(self),), generator=self.generator).tolist()
        for rows, seed in zip(order.split(self.batch_size), seeds, strict=True):
            kept = None if self.kept is None else self.kept[rows]
            if kept is not None:
                rows = rows[kept]
                if len(rows) == 0:
                    continue
            self.noise.begin_batch(seed, kept, device)
            yield {name: a[rows] for name, a in self.arrays.items()}, self.y[rows]


def _tensor(array: NDArray[Any], device: torch.device) -> Tensor:
    # "W": torch warns of arrays that it could not write to.
    return torch.as_tensor(np.require(array, requirements="W"), device=device)


class RobustNet(NeuralNet):
    """A skorch net whose step is: plan of the groups, attack, losses of the samples, their mean.

    Parameters
    ----------
    module : torch.nn.Module
        The network, an instance.
    objective : Objective
        Gives the losses of each sample.
    strategy : Strategy
        Gives the plan of each group.
    attack : Attack
        The inner maximisation.
    judge : Judge or None
        Held-out data for strategies that need them.
    setting : Setting
        What the strategy starts from.
    **kwargs
        Parameters of :class:`skorch.NeuralNet`.
    """

    def __init__(
        self,
        module: nn.Module,
        *,
        objective: Objective,
        strategy: Strategy,
        attack: Attack,
        judge: Judge | None,
        setting: Setting,
        **kwargs: Any,
    ) -> None:
        super().__init__(module, criterion=nn.CrossEntropyLoss, **kwargs)
        self.objective = objective
        self.strategy = strategy
        self.attack = attack
        self.judge = judge
        self.setting = setting

    def on_train_begin(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        """Ask the strategy for its first plan."""
        super().on_train_begin(net, *args, **kwargs)
        self.plan_: Plan = self.strategy.start(self.setting)
        self.epoch_ = -1

    def on_epoch_begin(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        """Let the strategy change the plan."""
        super().on_epoch_begin(net, *args, **kwargs)
        self.epoch_ += 1
        self.plan_ = self.strategy.on_epoch(self.epoch_, self.plan_, self.judge)
        self._sums = np.zeros((2, 2))  # natural and robust: sum of losses, sum of weights
        self.history.record("phase", self.plan_.phase)

    def on_epoch_end(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        """Record the (weighted) mean of both losses over the samples that have them."""
        super().on_epoch_end(net, *args, **kwargs)
        with np.errstate(invalid="ignore"):
            natural, robust = self._sums[:, 0] / self._sums[:, 1]
        if not (np.isfinite(self._sums).all() and self._finite_logits(kwargs["dataset_train"])):
            raise ValueError(
                f"the loss became NaN or infinite in epoch {self.epoch_ + 1}: training diverged. "
                "Lower lr or beta, or standardise X."
            )
        self.history.record("natural_loss", float(natural))
        self.history.record("robust_loss", float(robust))

    def _finite_logits(self, dataset: Any) -> bool:
        """Tell whether the last step left a usable network: no loss has seen it yet."""
        row = torch.as_tensor(np.array(dataset.X["X"][:1]), device=self.device)
        with torch.no_grad(), evaluation_mode(self.module_):
            return bool(torch.isfinite(self.module_(row)).all())

    def train_step_single(self, batch: Batch, **fit_params: Any) -> dict[str, Any]:
        """Compute the loss of a batch and its gradients."""
        inputs, y = batch
        X, groups = inputs["X"], inputs["groups"]
        self._set_training(True)
        plan = self.plan_
        eps, beta = plan.eps[groups], plan.beta[groups]
        losses = self.objective(self.module_, X, y, eps, beta, self.attack)
        if "weight" in inputs:
            losses = replace(losses, weight=inputs["weight"])
        detached = losses.detach()
        loss = self.strategy.on_batch(plan, detached, groups).reduce(losses, groups)
        loss.backward()
        self._sums += _sums(detached)
        return {"loss": loss, "y_pred": None}


def _sums(losses: Losses) -> NDArray[np.float64]:
    """Add up the natural and the robust losses, each beside the weight of its samples."""
    parts = [losses.natural, losses.has_natural, losses.robust, losses.attacked]
    if losses.weight is not None:
        parts = [losses.weight * part for part in parts]
    return np.reshape([float(part.sum()) for part in parts], (2, 2))
