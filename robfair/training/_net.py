"""The skorch net that runs an objective under a strategy's plan."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from skorch import NeuralNet
from torch import Tensor, nn

from robfair.adapters import evaluation_mode
from robfair.training._judge import Judge
from robfair.training._objectives import Attack, Objective
from robfair.training._strategies import Plan, Setting, Strategy

__all__ = ["RobustNet", "TensorBatches"]

Batch = tuple[dict[str, Tensor], Tensor]


class TensorBatches:
    """Shuffled batches cut from tensors that are made once.

    A DataLoader fetches and collates sample by sample, which takes longer than a step of a small
    network. Groups are in the dict with X because skorch batches X, and nothing else.

    Parameters
    ----------
    dataset : skorch.dataset.Dataset
        Dataset over ``{"X": ..., "groups": ...}`` and y.
    batch_size : int
        Samples in a batch; the last one may be smaller.
    generator : torch.Generator
        Where the order of each epoch comes from.
    device : torch.device
        Where the tensors are put.
    """

    def __init__(
        self, dataset: Any, batch_size: int, generator: torch.Generator, device: torch.device
    ) -> None:
        self.arrays = {name: _tensor(a, device) for name, a in dataset.X.items()}
        self.y = _tensor(dataset.y, device)
        self.batch_size = batch_size
        self.generator = generator

    def __len__(self) -> int:
        return -(-len(self.y) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        order = torch.randperm(len(self.y), generator=self.generator).to(self.y.device)
        for rows in order.split(self.batch_size):
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
        self._sums = np.zeros((2, 2))  # natural and robust: sum of losses, number of samples
        self.history.record("phase", self.plan_.phase)

    def on_epoch_end(self, net: NeuralNet, *args: Any, **kwargs: Any) -> None:
        """Record the mean of both losses over the samples that have them."""
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
        detached = losses.detach()
        loss = self.strategy.on_batch(plan, detached, groups).reduce(losses, groups)
        loss.backward()
        self._sums[0] += float(detached.natural.sum()), int(detached.has_natural.sum())
        self._sums[1] += float(detached.robust.sum()), int(detached.attacked.sum())
        return {"loss": loss, "y_pred": None}
