"""The numbers and the data on which the results of paper A's reproduction depend.

What the paper states: eps 0.031, "perturbation steps 0.007" (the size of a step), learning rate
0.1, SGD, batches of 64, 120 epochs, FARMUR 100 + 20. What it leaves open, and what is taken here:
10 steps, beta 6 and weight decay 2e-4, as in the code of TRADES; the learning rate's schedule.
TRADES' momentum of 0.9 is taken for ResNet-18 only: the other networks have no batch normalisation,
and 0.1 is the paper's rate for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from robfair._adult_table import adult_table
from robfair.models import tabular_network
from robfair.threat import ThreatModel

__all__ = ["FarmurData", "FarmurRecipe", "Methods", "adult_by_race", "digits_by_class", "images"]


@dataclass(frozen=True)
class Methods:
    """Names of the methods, with the recipe's own numbers of epochs; None for one that is not run.

    Iterating gives the names of those that are.
    """

    natural: str
    early: str | None  # TRADES, stopped where FARMUR judges the groups
    trades: str  # TRADES to the end: the control that the paper lacks
    averaged: str  # the average of the weights of TRADES over its steps
    farmur: str
    between: str | None  # weights between `trades` and `farmur`
    even: str | None  # EvenMargins, from the average of TRADES where FARMUR judges the groups

    def __iter__(self) -> Iterator[str]:
        return (name for name in astuple(self) if name is not None)


@dataclass(frozen=True)
class FarmurRecipe:
    """Numbers that the results of one data set, network and scale depend on.

    None stands for all rows. All methods train for `epochs` and `retrain_epochs`, but for the one
    that stops after `epochs`, where the groups are judged.
    """

    n_train: int | None = None
    n_test: int | None = None
    epochs: int = 100
    retrain_epochs: int = 20
    batch_size: int = 64
    optimizer: str = "sgd"  # or "adam", without momentum
    lr: float = 0.1
    momentum: float = 0.0
    weight_decay: float = 2e-4
    lr_schedule: str | None = None
    averaging: float = 0.999  # decay of the average of the weights
    # Of the attack and the loss of TRADES; L-inf.
    eps: float = 0.031
    step_size: float = 0.007
    n_steps: int = 10
    beta: float = 6.0
    # Part of each group that no method trains on, to judge the groups and to choose the
    # interpolation, and how many of these rows measure the interpolated networks.
    validation_fraction: float = 0.1
    n_path: int | None = None
    n_distance: int | None = None  # test rows whose distance is measured
    tau_max: float = 10.0  # from this distance on a sample counts as out of reach
    natural_start: bool = False  # TRADES begins with the network of natural training
    has_controls: bool = True  # TRADES stopped early, and the interpolation
    has_even_margins: bool = False
    width: int | None = None  # channels of the first stage of ResNet-18; None: 64
    augmented: bool = False  # every batch randomly cropped and mirrored
    bfloat16: bool = False  # passes of training; groups are judged and measured in float32

    @property
    def n_epochs(self) -> int:
        """Epochs in all."""
        return self.epochs + self.retrain_epochs

    @property
    def names(self) -> Methods:
        """Names of the methods."""
        epochs = f"{self.epochs}+{self.retrain_epochs}"
        return Methods(
            "natural", f"TRADES {self.epochs}" if self.has_controls else None, f"TRADES {epochs}",
            f"TRADES {self.n_epochs} averaged", f"FARMUR {epochs}",
            "TRADES-FARMUR interpolated" if self.has_controls else None,
            f"EvenMargins {epochs}" if self.has_even_margins else None,
        )  # fmt: skip

    def small(self, n_train: int = 200, n_measured: int = 20) -> FarmurRecipe:
        """Shrink the recipe to `n_train` rows, and to the distances of `n_measured` ones."""
        return replace(
            self, n_train=n_train, n_test=3 * n_measured, epochs=2, retrain_epochs=1, n_steps=2,
            step_size=0.8 * self.eps, n_path=n_measured, n_distance=n_measured,
        )  # fmt: skip


@dataclass(frozen=True)
class FarmurData:
    """Samples to train and to test, and what is perturbed in them."""

    X_train: NDArray[np.float32]  # pixels in [0, 1], or a standardised table
    y_train: NDArray[np.int64]  # classes, from 0
    groups_train: NDArray[Any]  # names of classes, where these are the groups, or race
    X_test: NDArray[np.float32]
    y_test: NDArray[np.int64]
    groups_test: NDArray[Any]
    # L2 for distances; box and mutable features hold for the attacks in training, too.
    threat_model: ThreatModel
    module: Callable[..., nn.Module]  # makes the untrained network
    classes: tuple[str, ...] | None = None  # names of the classes, where these are not the groups


def _data(
    recipe: FarmurRecipe, train: tuple[Any, ...], test: tuple[Any, ...],
    module: Callable[..., nn.Module] | None = None, threat_model: ThreatModel | None = None,
    classes: tuple[str, ...] | None = None,
) -> FarmurData:  # fmt: skip
    """Keep the first rows of X, y and groups, as many as the recipe asks for."""
    if module is None:  # sized by all rows: the first few may lack a class
        module = partial(tabular_network, train[0].shape[1], len(np.unique(train[1])))
    if threat_model is None:
        threat_model = ThreatModel(bounds=(0, 1))
    X, y, groups = (values[: recipe.n_train] for values in train)
    X_test, y_test, groups_test = (values[: recipe.n_test] for values in test)
    return FarmurData(X, y, groups, X_test, y_test, groups_test, threat_model, module, classes)


def adult_by_race(recipe: FarmurRecipe, data_home: Path | None) -> FarmurData:
    """Load UCI Adult, with race as groups."""
    table = adult_table()
    names, y_train = np.unique(table.y_train, return_inverse=True)
    train = table.X_train, y_train, table.groups_train["race"].to_numpy()
    y_test = np.searchsorted(names, table.y_test)
    test = table.X_test, y_test, table.groups_test["race"].to_numpy()
    classes = tuple(map(str, names))
    return _data(recipe, train, test, threat_model=table.threat_model, classes=classes)


def digits_by_class(recipe: FarmurRecipe, data_home: Path | None) -> FarmurData:
    """Load scikit-learn's digits, with the classes as groups."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype(np.float32)  # pixels count from 0 to 16
    # The same split for all seeds, whose spread is then that of training.
    split = train_test_split(X, y, y.astype(str), test_size=0.25, stratify=y, random_state=0)
    return _data(recipe, tuple(split[::2]), tuple(split[1::2]))


def images(
    recipe: FarmurRecipe, data_home: Path | None,
    *, fetch: Callable[..., Any], module: Callable[..., nn.Module],
) -> FarmurData:  # fmt: skip
    """Fetch images, with race as groups where the data set has it, else with the classes."""
    train, test = (fetch(split=split, data_home=data_home) for split in ("train", "test"))
    names, has_race = tuple(train.target_names), "sensitive_features" in train
    if recipe.width is not None:
        module = partial(module, width=recipe.width)

    def part(bunch: Any) -> tuple[Any, Any, Any]:
        if has_race:
            return bunch.data, bunch.target, bunch.sensitive_features["race"].to_numpy()
        return bunch.data, bunch.target, np.asarray(names)[bunch.target]

    return _data(recipe, part(train), part(test), module, classes=names if has_race else None)
