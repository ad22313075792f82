"""The skorch net of a classifier, with its callbacks."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from robfair.estimators._network import PREFIX
from robfair.estimators._spec import TrainingSpec
from robfair.training import (
    Average,
    Checkpoint,
    EarlyStopping,
    EpochProgress,
    GroupEvaluator,
    OverfittingGuard,
    RobustNet,
    TensorBatches,
    WeightControl,
)

__all__ = ["OPTIMIZERS", "make_net"]

OPTIMIZERS = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}


def check_device(device: Any) -> None:
    """Raise ValueError if torch cannot put a tensor there."""
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"device={str(device)!r} cannot be used here: {reason}. Pass another one, such as "
            "device='cpu'."
        ) from error


def make_net(
    estimator: Any, spec: TrainingSpec, module: nn.Module, evaluator: GroupEvaluator,
    labels: Any, checkpoint: Checkpoint | None, seed: int,
) -> RobustNet:  # fmt: skip
    """Build the net, not trained, from the parameters of the estimator.

    `labels` name the groups, and `seed` is that of the order of the samples.
    """
    device = torch.device(estimator.device)
    optimizer = estimator.optimizer
    params: dict[str, Any] = {
        "optimizer": OPTIMIZERS[optimizer] if isinstance(optimizer, str) else optimizer,
        "lr": estimator.lr, "max_epochs": spec.n_epochs, "batch_size": estimator.batch_size,
        "iterator_train": TensorBatches,
        "iterator_train__generator": torch.Generator().manual_seed(seed),
        "iterator_train__noise": spec.attack.noise,
        "iterator_train__device": device,
        "train_split": None,  # the evaluator has the held-out samples
        "callbacks": _callbacks(estimator, spec, labels, checkpoint),
        "callbacks__valid_loss": None,
        "device": estimator.device,
        "verbose": max(int(estimator.verbose or 0) - 1, 0),  # 1 is a progress bar of our own
    }  # fmt: skip
    given = (estimator.net_params or {}).items()
    others = {name: value for name, value in given if not name.startswith(PREFIX)}
    return RobustNet(
        module, objective=spec.objective, strategy=spec.strategy, attack=spec.attack,
        evaluator=evaluator, plan=spec.plan(len(labels), device),
        schedule=estimator.lr_schedule, **(params | others),
    )  # fmt: skip


def _callbacks(
    estimator: Any, spec: TrainingSpec, labels: Any, checkpoint: Checkpoint | None
) -> list[Any]:
    """List the callbacks in the order of their calls."""
    decay = estimator.averaging
    # A name: the strategy averages.
    average = None if decay is None or isinstance(decay, str) else Average(decay)
    guard = None if spec.fallback is None else OverfittingGuard(spec.fallback, labels)
    stopping = EarlyStopping(estimator.n_iter_no_change) if estimator.early_stopping else None
    callbacks: list[Any] = [WeightControl(average, guard, stopping)]
    callbacks.extend(estimator.callbacks or [])
    if checkpoint is not None:
        callbacks.append(checkpoint)  # the state of all callbacks before it is part of the file
    if estimator.verbose in (None, 1):
        callbacks.append(EpochProgress(type(estimator).__name__, estimator.verbose))
    return callbacks
