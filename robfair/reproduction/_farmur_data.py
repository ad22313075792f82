"""The data sets on which FARMUR is tried, as arrays, each with the networks that fit it."""

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

from robfair.datasets import fetch_cifar10, fetch_mnist, fetch_utkface
from robfair.demo._demo import adult_table
from robfair.models import alexnet, lenet5, resnet18, tabular_network, utkface_network
from robfair.threat import ThreatModel

__all__ = ["MODELS", "UNITS", "FarmurData", "load_data"]

# The networks of each data set, the default one first.
MODELS: dict[str, tuple[str, ...]] = {
    "digits": ("tabular",),
    "adult": ("tabular",),
    "mnist": ("lenet5", "alexnet"),
    "cifar10": ("resnet18",),
    "utkface": ("utkface",),
}
# Of eps and of every distance.
_PIXELS = "pixels in [0, 1]"
UNITS = {name: "standard deviations" if name == "adult" else _PIXELS for name in MODELS}
NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "lenet5": lenet5,
    "alexnet": alexnet,
    "resnet18": resnet18,
    "utkface": utkface_network,
}

FETCH: dict[str, Callable[..., Any]] = {
    "mnist": fetch_mnist,
    "cifar10": fetch_cifar10,
    "utkface": fetch_utkface,
}


@dataclass(frozen=True)
class FarmurData:
    """Samples to train and to test, and what is perturbed in them.

    Attributes
    ----------
    X_train, X_test : ndarray of shape (n_samples, ...), float32
        Features: pixels in [0, 1], or a standardised table.
    y_train, y_test : ndarray of shape (n_samples,)
        Classes, from 0.
    groups_train, groups_test : ndarray of shape (n_samples,)
        The partition: the classes' names where paper A takes the classes as groups, or race.
    threat_model : ThreatModel
        L2 for distances; the box and the mutable features hold for the attacks in training, too.
    module : callable
        Makes the untrained network.
    """

    X_train: NDArray[np.float32]
    y_train: NDArray[np.int64]
    groups_train: NDArray[Any]
    X_test: NDArray[np.float32]
    y_test: NDArray[np.int64]
    groups_test: NDArray[Any]
    threat_model: ThreatModel
    module: Callable[..., nn.Module]


def load_data(
    dataset: str, model: str, n_train: int | None, n_test: int | None, data_home: Path | None
) -> FarmurData:
    """Load a data set, and choose the network.

    Parameters
    ----------
    dataset : str
        A key of `MODELS`.
    model : str
        One of the data set's networks.
    n_train, n_test : int or None
        How many rows, from the first on; None for all.
    data_home : Path or None
        Where MNIST, CIFAR-10 and UTKFace are kept.

    Returns
    -------
    FarmurData
        Arrays, threat model and network.
    """
    some, tested = slice(n_train), slice(n_test)
    module = NETWORKS.get(model)
    threat_model = ThreatModel(bounds=(0, 1))
    if dataset == "adult":
        table = adult_table()
        X_train, X_test, threat_model = table.X_train, table.X_test, table.threat_model
        names, y_train = np.unique(table.y_train, return_inverse=True)
        y_test = np.searchsorted(names, table.y_test)
        groups_train, groups_test = (
            groups["race"].to_numpy() for groups in (table.groups_train, table.groups_test)
        )
    elif dataset == "digits":
        X, y = load_digits(return_X_y=True)
        X_train, X_test, y_train, y_test = train_test_split(
            (X / 16).astype(np.float32), y, test_size=0.25, stratify=y, random_state=0
        )
        groups_train, groups_test = y_train.astype(str), y_test.astype(str)
    else:
        train, test = (
            FETCH[dataset](split=split, data_home=data_home) for split in ("train", "test")
        )
        X_train, y_train, X_test, y_test = train.data, train.target, test.data, test.target
        groups_train, groups_test = (
            bunch.sensitive_features["race"].to_numpy()
            if dataset == "utkface"
            else np.asarray(bunch.target_names)[bunch.target]
            for bunch in (train, test)
        )
    if module is None:  # for tables
        module = partial(tabular_network, X_train.shape[1], len(np.unique(y_train)))
    some, tested = slice(n_train), slice(n_test)
    return FarmurData(
        *(X_train[some], y_train[some], groups_train[some]),
        *(X_test[tested], y_test[tested], groups_test[tested]),
        threat_model,
        module,
    )
