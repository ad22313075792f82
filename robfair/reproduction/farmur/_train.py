"""Training for paper A: natural, TRADES, FARMUR and what lies between the last two.

All networks see the same training rows, since some are held out from all of them, and train for
the same number of epochs at the same learning rates. TRADES runs once: its network after `epochs`,
its last one and the average of its weights are three of the methods, and FARMUR goes on from the
first of these.
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

from robfair.estimators import AdversarialClassifier, FarmurClassifier, NaturalClassifier
from robfair.reproduction._paper import Task
from robfair.reproduction.farmur._data import FarmurData
from robfair.reproduction.farmur._measure import save_methods
from robfair.reproduction.farmur._path import WeightPath, Weights, copy_weights, walk
from robfair.reproduction.farmur._recipes import FarmurRecipe
from robfair.training import Snapshots, StartFrom, Strategy, held_out_mask

__all__ = ["TRAINING", "HoldOut", "Trainer", "held_out_rows", "train"]

TRAINING = "training"  # the part of a run


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
        natural = NaturalClassifier(max_epochs=total, **self._common("natural"))
        natural.fit(data.X_train[~held_out], data.y_train[~held_out])
        self._add_losses(names.natural, natural)
        snapshots = Snapshots([recipe.epochs, total])
        trades = AdversarialClassifier(
            strategy=HoldOut(), max_epochs=total, averaging=recipe.averaging,
            callbacks=[snapshots], **self._attack(), **self._common("trades"),
        )  # fmt: skip
        trades.fit(data.X_train, data.y_train, groups=data.groups_train)
        self._add_losses(names.trades, trades)
        farmur = self.fit_farmur(StartFrom(snapshots.states_[recipe.epochs]))
        weights = {
            names.natural: natural.module_.state_dict(),
            names.early: snapshots.weights_[recipe.epochs],
            names.trades: snapshots.weights_[total],
            names.averaged: trades.module_.state_dict(),
            names.farmur: farmur.module_.state_dict(),
        }
        weights = {name: copy_weights(state) for name, state in weights.items()}
        trained = torch.from_numpy(data.X_train[~held_out])
        ends = weights[names.trades], weights[names.farmur]
        path = WeightPath(trades.module_, *ends, trained, recipe.batch_size)
        weights[names.between] = walk(self.task, held_out, path)
        return weights

    def _common(self, file: str) -> dict[str, Any]:
        task, recipe = self.task, self.task.recipe
        sgd = {
            "optimizer__momentum": recipe.momentum,
            "optimizer__weight_decay": recipe.weight_decay,
        }
        return {
            "module": task.data.module, "batch_size": recipe.batch_size, "lr": recipe.lr,
            "lr_schedule": recipe.lr_schedule, "optimizer": recipe.optimizer,
            "net_params": sgd if recipe.optimizer == "sgd" else None,
            "checkpoint": task.output / "checkpoints" / task.run.stem / f"{file}.safetensors",
            "random_state": task.run.seed, "device": task.device, "verbose": task.verbose,
        }  # fmt: skip

    def _attack(self) -> dict[str, Any]:
        names = ("eps", "step_size", "n_steps", "beta", "validation_fraction")
        chosen = {name: getattr(self.task.recipe, name) for name in names}
        return {**chosen, "threat_model": self.task.data.threat_model}

    def fit_farmur(self, *callbacks: Any) -> FarmurClassifier:
        """Train FARMUR, and add which groups it found vulnerable and how long that took.

        With the callback `StartFrom` it goes on from TRADES.
        """
        recipe, data = self.task.recipe, self.task.data
        name, common = recipe.names.farmur, self._common("farmur")
        resumed = common["checkpoint"].exists()
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

    def _add_losses(self, name: str, model: Any) -> None:
        for column in ("natural_loss", "robust_loss"):
            measure = column.replace("_", " ")
            add = partial(self.task.run.add, TRAINING, TRAINING, name, measure)
            for epoch, value in zip(model.history_["epoch"], model.history_[column], strict=True):
                add(value, label=epoch)
