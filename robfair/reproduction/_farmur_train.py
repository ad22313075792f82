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
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from robfair.estimators import AdversarialClassifier, FarmurClassifier, NaturalClassifier
from robfair.reproduction._farmur_data import FarmurData
from robfair.reproduction._farmur_path import WeightPath, Weights, copy_weights, walk
from robfair.reproduction._farmur_recipes import FarmurRecipe
from robfair.reproduction._records import Run
from robfair.training import Snapshots, StartFrom, Strategy, held_out_mask

__all__ = ["TRAINING", "HoldOut", "Trainer", "held_out_rows"]

TRAINING = "training"  # the part of a run


class HoldOut(Strategy):
    """The same plan for all groups, without the rows on which FARMUR judges them."""

    needs_held_out = True


def held_out_rows(data: FarmurData, recipe: FarmurRecipe, seed: int) -> NDArray[np.bool_]:
    """Find the training rows that the estimators hold out.

    Parameters
    ----------
    data : FarmurData
        The training rows.
    recipe : FarmurRecipe
        Says how many are held out.
    seed : int
        The estimators' `random_state`.

    Returns
    -------
    ndarray of bool, of shape (n_samples,)
        Whether a row is held out.
    """
    return held_out_mask(
        data.y_train,
        data.groups_train,
        validation_fraction=recipe.validation_fraction,
        random_state=seed,
    )


@dataclass
class Trainer:
    """Trains the methods, and adds to the run what training showed.

    Attributes
    ----------
    run : Run
        Where the measures go; its seed is used.
    recipe : FarmurRecipe
        What to do.
    data : FarmurData
        What to train on.
    folder : Path
        Checkpoints: a training that was interrupted goes on from them.
    device : str
        Where to train.
    verbose : int
        1 shows progress bars.
    """

    run: Run
    recipe: FarmurRecipe
    data: FarmurData
    folder: Path
    device: str
    verbose: int

    def train(self) -> dict[str, Weights]:
        """Train all methods.

        Returns
        -------
        dict of str to dict
            Weights by the name of the method.
        """
        names, total = self.recipe.names, self.recipe.n_epochs
        held_out = held_out_rows(self.data, self.recipe, self.run.seed)
        natural = NaturalClassifier(max_epochs=total, **self._common("natural"))
        natural.fit(self.data.X_train[~held_out], self.data.y_train[~held_out])
        self._add_losses(names.natural, natural)
        snapshots = Snapshots([self.recipe.epochs, total])
        trades = AdversarialClassifier(
            strategy=HoldOut(),
            max_epochs=total,
            averaging=self.recipe.averaging,
            callbacks=[snapshots],
            **self._attack(),
            **self._common("trades"),
        )
        trades.fit(self.data.X_train, self.data.y_train, groups=self.data.groups_train)
        self._add_losses(names.trades, trades)
        farmur = self.fit_farmur(StartFrom(snapshots.states_[self.recipe.epochs]))
        weights = {
            names.natural: natural.module_.state_dict(),
            names.early: snapshots.weights_[self.recipe.epochs],
            names.trades: snapshots.weights_[total],
            names.averaged: trades.module_.state_dict(),
            names.farmur: farmur.module_.state_dict(),
        }
        weights = {name: copy_weights(state) for name, state in weights.items()}
        path = WeightPath(
            trades.module_,
            weights[names.trades],
            weights[names.farmur],
            torch.from_numpy(self.data.X_train[~held_out]),
            self.recipe.batch_size,
        )
        weights[names.between] = walk(self.run, self.recipe, self.data, held_out, path)
        return weights

    def _common(self, file: str) -> dict[str, Any]:
        recipe = self.recipe
        sgd = {
            "optimizer__momentum": recipe.momentum,
            "optimizer__weight_decay": recipe.weight_decay,
        }
        return {
            "module": self.data.module,
            "batch_size": recipe.batch_size,
            "lr": recipe.lr,
            "lr_schedule": recipe.lr_schedule,
            "optimizer": recipe.optimizer,
            "net_params": sgd if recipe.optimizer == "sgd" else None,
            "checkpoint": self.folder / f"{file}.safetensors",
            "random_state": self.run.seed,
            "device": self.device,
            "verbose": self.verbose,
        }

    def _attack(self) -> dict[str, Any]:
        names = ("eps", "step_size", "n_steps", "beta", "validation_fraction")
        chosen = {name: getattr(self.recipe, name) for name in names}
        return {**chosen, "threat_model": self.data.threat_model}

    def fit_farmur(self, *callbacks: Any) -> FarmurClassifier:
        """Train FARMUR, and add which groups it found vulnerable and how long that took.

        Parameters
        ----------
        *callbacks : skorch callbacks
            `StartFrom`, to go on from TRADES.

        Returns
        -------
        FarmurClassifier
            The fitted classifier.
        """
        name, common = self.recipe.names.farmur, self._common("farmur")
        resumed = common["checkpoint"].exists()
        started = time.perf_counter()
        farmur = FarmurClassifier(
            max_epochs=self.recipe.epochs,
            retrain_epochs=self.recipe.retrain_epochs,
            callbacks=list(callbacks),
            **self._attack(),
            **common,
        ).fit(self.data.X_train, self.data.y_train, groups=self.data.groups_train)
        seconds = time.perf_counter() - started
        self._add_losses(name, farmur)
        add = partial(self.run.add, TRAINING, TRAINING, name)
        add("Rob(P) when judged", farmur.group_robustness_)
        vulnerable = farmur.groups_.isin(farmur.vulnerable_groups_).astype(float)
        add("vulnerable", pd.Series(vulnerable, index=farmur.groups_))
        if callbacks and not resumed:
            retraining = float(farmur.history_["dur"].iloc[self.recipe.epochs :].sum())
            add("seconds to find vulnerable groups", seconds - retraining)
            add("seconds to retrain", retraining)
        return farmur

    def _add_losses(self, name: str, model: Any) -> None:
        for measure in ("natural_loss", "robust_loss"):
            for epoch, value in zip(model.history_["epoch"], model.history_[measure], strict=True):
                add = partial(self.run.add, TRAINING, TRAINING, name, measure.replace("_", " "))
                add(value, label=epoch)
