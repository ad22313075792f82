"""Training for paper A: natural, TRADES, FARMUR, what lies between the last two, and EvenMargins.

All networks see the same training rows, since some are held out from all of them, and train for
the same number of epochs at the same learning rates. TRADES runs once: its network after `epochs`,
its last one and the average of its weights are three of the methods; FARMUR goes on from the first
of these, and EvenMargins from the average at that time. Where the recipe says so, TRADES begins
with the network of natural training.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from robfair._isolation import untouched_random_state
from robfair.distance import boundary_distance
from robfair.estimators import (
    AdversarialClassifier,
    EvenMarginClassifier,
    FarmurClassifier,
    NaturalClassifier,
)
from robfair.metrics import find_measure
from robfair.reproduction._paper import Task
from robfair.reproduction.farmur._augment import Augmented
from robfair.reproduction.farmur._measure import save_methods
from robfair.reproduction.farmur._precision import Bfloat16
from robfair.reproduction.farmur._recipes import FarmurData, FarmurRecipe
from robfair.training import (
    NaturalObjective,
    Objective,
    Snapshots,
    StartFrom,
    Strategy,
    TradesObjective,
    held_out_mask,
)

__all__ = ["KEEP", "PATH", "TRAINING", "HoldOut", "Trainer", "held_out_rows", "mix", "train"]

TRAINING = "training"  # the part of a run
PATH = "path"  # the protocol of its measures
KEEP = 0.99  # the part of Rob(f) that the chosen network keeps
GRID = tuple(step / 10 for step in range(11))
MEASURES = tuple(find_measure(key) for key in ("rob_f", "v_f", "cv"))
Weights = dict[str, Tensor]


class HoldOut(Strategy):
    """The same plan for all groups, without the rows on which FARMUR judges them."""

    needs_held_out = True


def held_out_rows(data: FarmurData, recipe: FarmurRecipe, seed: int) -> NDArray[np.bool_]:
    """Find the training rows that the estimators hold out, given their `random_state`."""
    fraction, groups = recipe.validation_fraction, data.groups_train
    return held_out_mask(data.y_train, groups, validation_fraction=fraction, random_state=seed)


def train(task: Task) -> None:
    """Train all methods, and save their weights."""
    save_methods(task, Trainer(task).train())


@dataclass(frozen=True)
class Trainer:
    """Trains the methods, and adds to the run what training showed.

    Each training keeps a checkpoint, from which it goes on where it was interrupted.
    """

    task: Task

    def train(self) -> dict[str, Weights]:
        """Train all methods, and return their weights by name."""
        recipe, data = self.task.recipe, self.task.data
        names, total = recipe.names, recipe.n_epochs
        held_out = held_out_rows(data, recipe, self.task.run.seed)
        natural = self._fit_natural(held_out)
        begun = {"module": self._network(natural)} if recipe.natural_start else {}
        snapshots = Snapshots([recipe.epochs, total])
        trades = AdversarialClassifier(
            strategy=HoldOut(), max_epochs=total, averaging=recipe.averaging,
            callbacks=[snapshots], **self._attack(), **(self._common("trades") | begun),
        )  # fmt: skip
        trades.fit(data.X_train, data.y_train, groups=data.groups_train)
        self._add_losses(names.trades, trades)
        shared = snapshots.states_[recipe.epochs]
        farmur = self.fit_farmur(StartFrom(shared))
        weights = {
            names.natural: natural,
            names.trades: snapshots.weights_[total],
            names.averaged: trades.module_.state_dict(),
            names.farmur: farmur.module_.state_dict(),
        }
        # Copies, since the path puts other weights into the module of TRADES.
        weights = {name: copy_weights(state) for name, state in weights.items()}
        if names.early is not None:
            weights[names.early] = copy_weights(snapshots.weights_[recipe.epochs])
        if names.even is not None:
            weights[names.even] = copy_weights(self._fit_even(names.even, shared))
        if names.between is not None:
            ends = weights[names.trades], weights[names.farmur]
            weights[names.between] = walk(self.task, held_out, trades.module_, ends)
        return weights

    def _fit_natural(self, held_out: NDArray[np.bool_]) -> Weights:
        """Train naturally, without the held-out rows, and return the weights."""
        recipe, data = self.task.recipe, self.task.data
        common = {"max_epochs": recipe.n_epochs, **self._common("natural")}
        objective = self._wrapped(NaturalObjective())
        natural = (
            NaturalClassifier(**common)
            if isinstance(objective, NaturalObjective)
            else AdversarialClassifier(objective=objective, **common)
        )
        natural.fit(data.X_train[~held_out], data.y_train[~held_out])
        self._add_losses(recipe.names.natural, natural)
        return copy_weights(natural.module_.state_dict())

    def _network(self, weights: Weights) -> nn.Module:
        """Make the network with these weights, to begin a training with."""
        with untouched_random_state(cuda=False):
            network: nn.Module = self.task.data.module()
        network.load_state_dict(weights)
        return network

    def _common(self, file: str) -> dict[str, Any]:
        task, recipe = self.task, self.task.recipe
        decay, momentum = recipe.weight_decay, recipe.momentum
        sgd = {"optimizer__momentum": momentum, "optimizer__weight_decay": decay}
        return {
            "module": task.data.module, "batch_size": recipe.batch_size, "lr": recipe.lr,
            "lr_schedule": recipe.lr_schedule, "optimizer": recipe.optimizer,
            "net_params": sgd if recipe.optimizer == "sgd" else None,  # Adam has no momentum
            "checkpoint": task.output / "checkpoints" / task.run.stem / f"{file}.safetensors",
            "random_state": task.run.seed, "device": task.device, "verbose": task.verbose,
        }  # fmt: skip

    def _attack(self) -> dict[str, Any]:
        names = ("eps", "step_size", "n_steps", "beta", "validation_fraction")
        recipe = self.task.recipe
        chosen = {name: getattr(recipe, name) for name in names}
        objective = self._wrapped(TradesObjective())
        return {**chosen, "objective": objective, "threat_model": self.task.data.threat_model}

    def _wrapped(self, objective: Objective) -> Objective:
        """Let the objective see its samples as the recipe has them."""
        if self.task.recipe.bfloat16:
            objective = Bfloat16(objective)
        return Augmented(objective) if self.task.recipe.augmented else objective

    def fit_farmur(self, *callbacks: Any) -> FarmurClassifier:
        """Train FARMUR, and add which groups it found vulnerable and how long that took.

        With the callback `StartFrom` it goes on from TRADES.
        """
        recipe, data = self.task.recipe, self.task.data
        name, common = recipe.names.farmur, self._common("farmur")
        resumed = common["checkpoint"].exists()  # its time is then not that of the whole
        started = time.perf_counter()
        farmur = FarmurClassifier(
            max_epochs=recipe.epochs, retrain_epochs=recipe.retrain_epochs,
            callbacks=list(callbacks), **self._attack(), **common,
        ).fit(data.X_train, data.y_train, groups=data.groups_train)  # fmt: skip
        seconds = time.perf_counter() - started
        self._add_losses(name, farmur)
        add = partial(self.task.run.add, TRAINING, TRAINING, name)
        add("Rob(P) when judged", pd.Series(farmur.group_robustness_, index=farmur.groups_))
        vulnerable = np.isin(farmur.groups_, farmur.vulnerable_groups_).astype(float)
        add("vulnerable", pd.Series(vulnerable, index=farmur.groups_))
        if callbacks and not resumed:
            retraining = float(farmur.history_["dur"][recipe.epochs :].sum())
            add("seconds to find vulnerable groups", seconds - retraining)
            add("seconds to retrain", retraining)
        return farmur

    def _fit_even(self, name: str, shared: dict[str, Any]) -> Weights:
        """Train EvenMargins from the average of TRADES, and return the weights.

        `shared` is the state of TRADES from which FARMUR goes on, too.
        """
        task, recipe, data = self.task, self.task.recipe, self.task.data
        even = EvenMarginClassifier(
            max_epochs=recipe.epochs, even_epochs=recipe.retrain_epochs,
            averaging=recipe.averaging,
            callbacks=[StartFrom(shared | {"module": average_of(shared)})],
            **self._attack(), **self._common("even"),
        ).fit(data.X_train, data.y_train, groups=data.groups_train)  # fmt: skip
        self._add_losses(name, even)
        add = partial(task.run.add, TRAINING, TRAINING, name)
        add("Rob(P) when judged", pd.Series(even.group_robustness_, index=even.groups_))
        add("controlled", even.state_ == "controlling")
        return even.module_.state_dict()

    def _add_losses(self, name: str, model: Any) -> None:
        for column in ("natural_loss", "robust_loss"):
            measure = column.replace("_", " ")
            add = partial(self.task.run.add, TRAINING, TRAINING, name, measure)
            for epoch, value in zip(model.history_["epoch"], model.history_[column], strict=True):
                add(value, label=epoch)


def average_of(state: dict[str, Any]) -> Weights:
    """Return the averaged weights in a state of `Snapshots`, without torch's count of steps."""
    prefix = "module."
    average: Weights = state["average"]
    return {k.removeprefix(prefix): v for k, v in average.items() if k.startswith(prefix)}


def copy_weights(weights: Weights) -> Weights:
    """Copy weights to the CPU."""
    return {name: value.detach().cpu().clone() for name, value in weights.items()}


def mix(module: nn.Module, ends: tuple[Weights, Weights], t: float, batches: Any) -> Weights:
    """Put weights (1 - t) of the first end and t of the last into the module, and return them.

    Batch normalisation is estimated anew on `batches` of training samples, since the ends may be
    far apart. No recipe that has this path augments them.
    """
    first, last = ends
    module.load_state_dict({
        name: torch.lerp(value, last[name], t) if value.is_floating_point() else value
        for name, value in first.items()
    })  # fmt: skip
    if 0 < t < 1:  # the ends stay what training made of them, to the last bit
        with torch.no_grad():
            update_bn(batches, module, device=next(module.parameters()).device)
    module.eval()
    return copy_weights(module.state_dict())


def walk(
    task: Task, held_out: NDArray[np.bool_], module: nn.Module, ends: tuple[Weights, Weights]
) -> Weights:
    """Measure networks on the path on held-out rows, and choose the last that keeps Rob(f)."""
    recipe, data = task.recipe, task.data
    batches = torch.from_numpy(data.X_train[~held_out]).split(recipe.batch_size)
    rows = np.flatnonzero(held_out)[: recipe.n_path]
    X, y, name = data.X_train[rows], data.y_train[rows], recipe.names.between
    robustness, weights = {}, {}
    for t in GRID:
        weights[t] = mix(module, ends, t, batches)
        # Not by DeepFool, whose distances are too loose to choose by.
        measured = boundary_distance(
            module, X, y=y, threat_model=data.threat_model, return_adversarial=False
        )  # fmt: skip
        keywords: dict[str, Any] = {
            "distance": measured.distance, "tau_max": recipe.tau_max,
            "sensitive_features": data.groups_train[rows],
        }  # fmt: skip
        for measure in MEASURES:
            value = float(measure.function(y, measured.predicted, **keywords))
            if measure.key == "rob_f":
                robustness[t] = value
            task.run.add(TRAINING, PATH, name, measure.symbol, value, label=t)
    # On held-out rows, so that test rows have no part in the choice.
    chosen = max(t for t in GRID if robustness[t] >= KEEP * robustness[0])
    task.run.add(TRAINING, PATH, name, "t", chosen)
    return weights[chosen]
