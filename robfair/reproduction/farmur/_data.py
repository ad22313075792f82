"""The data sets on which FARMUR is tried, as arrays, each with its network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
from robfair.reproduction.farmur._recipes import FarmurRecipe
from robfair.threat import ThreatModel

__all__ = ["FarmurData", "adult_by_race", "digits_by_class", "images"]


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


def _data(
    recipe: FarmurRecipe,
    train: tuple[Any, Any, Any],
    test: tuple[Any, Any, Any],
    module: Callable[..., nn.Module] | None = None,
    threat_model: ThreatModel | None = None,
) -> FarmurData:
    """Keep the first rows of X, y and groups, as many as the recipe asks for."""
    if module is None:
        module = partial(tabular_network, train[0].shape[1], len(np.unique(train[1])))
    if threat_model is None:
        threat_model = ThreatModel(bounds=(0, 1))
    train_rows, test_rows = slice(recipe.n_train), slice(recipe.n_test)
    (X, y, groups), (X_test, y_test, groups_test) = train, test
    return FarmurData(
        X[train_rows], y[train_rows], groups[train_rows],
        X_test[test_rows], y_test[test_rows], groups_test[test_rows], threat_model, module,
    )  # fmt: skip


def adult_by_race(recipe: FarmurRecipe, data_home: Path | None) -> FarmurData:
    """Load UCI Adult, with race as groups."""
    table = adult_table()
    names, y_train = np.unique(table.y_train, return_inverse=True)
    y_test = np.searchsorted(names, table.y_test)
    race_train, race_test = (
        groups["race"].to_numpy() for groups in (table.groups_train, table.groups_test)
    )
    train, test = (table.X_train, y_train, race_train), (table.X_test, y_test, race_test)
    return _data(recipe, train, test, threat_model=table.threat_model)


def digits_by_class(recipe: FarmurRecipe, data_home: Path | None) -> FarmurData:
    """Load scikit-learn's digits, with the classes as groups."""
    X, y = load_digits(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(
        (X / 16).astype(np.float32), y, test_size=0.25, stratify=y, random_state=0
    )
    return _data(
        recipe, (X_train, y_train, y_train.astype(str)), (X_test, y_test, y_test.astype(str))
    )


def images(
    recipe: FarmurRecipe,
    data_home: Path | None,
    *,
    fetch: Callable[..., Any],
    module: Callable[..., nn.Module],
) -> FarmurData:
    """Fetch images, with race as groups where the data set has it, else with the classes."""

    def part(split: str) -> tuple[Any, Any, Any]:
        bunch = fetch(split=split, data_home=data_home)
        groups = (
            bunch.sensitive_features["race"].to_numpy()
            if "sensitive_features" in bunch
            else np.asarray(bunch.target_names)[bunch.target]
        )
        return bunch.data, bunch.target, groups

    return _data(recipe, part("train"), part("test"), module)
