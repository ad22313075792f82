"""The trained networks that the benchmarks of distances share, each with samples to measure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import Arrays, adult, digits, lenet, mnist
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, nn

from robfair import AdversarialClassifier, NaturalClassifier, ThreatModel
from robfair._adult_table import adult_table

__all__ = [
    "NETWORKS",
    "Case",
    "adult_cases",
    "dense_cases",
    "digits_cases",
    "trained",
]


@dataclass
class Case:
    """A trained network and test samples.

    Attributes
    ----------
    title : str
        Network, data and training.
    model : nn.Sequential
        The network in evaluation mode.
    x : Tensor
        The samples, in the box `bounds`.
    y : ndarray of int
        Their true classes.
    label : Tensor
        The classes that the network predicts, from which distances are measured.
    groups : ndarray
        Group of each sample: race, or the true class of an image.
    bounds : tuple of float
        The box of the features.
    seconds_per_epoch : float
        What an epoch of the training took, on one thread.
    """

    title: str
    model: nn.Sequential
    x: Tensor
    y: NDArray[np.intp]
    label: Tensor
    groups: NDArray[np.generic]
    bounds: tuple[float, float]
    seconds_per_epoch: float

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return int(self.model(self.x[:1]).shape[1])

    @property
    def accuracy(self) -> float:
        """Share of the samples that the network gets right."""
        return float((self.label.numpy() == self.y).mean())


def digits_cases(quick: bool, n_test: int = 256) -> Iterator[Case]:
    """Train LeNet on scikit-learn's digits, naturally and with TRADES."""
    n_test, epochs = (64, 3) if quick else (n_test, 20)
    arrays = digits(n_test)
    yield from _image_cases("LeNet, digits", arrays, eps=0.1, epochs=epochs, batch_size=64)


def dense_cases(quick: bool) -> Iterator[Case]:
    """Train robfair's dense network on digits as they come, 8 x 8, naturally and with TRADES."""
    data = load_digits()
    X, y = (data.data / 16).astype(np.float32), data.target
    order = np.random.default_rng(0).permutation(len(X))
    n_test, epochs = (64, 3) if quick else (512, 20)
    test, train = order[:n_test], order[n_test:]
    arrays = (X[train], y[train], X[test], y[test])
    natural = NaturalClassifier(max_epochs=epochs, random_state=0)
    robust = AdversarialClassifier(eps=0.1, n_steps=5, max_epochs=epochs, random_state=0)
    yield _case("Dense network, digits, natural training", natural, arrays)
    yield _case("Dense network, digits, TRADES, eps 0.1", robust, arrays)


def _image_cases(
    name: str, arrays: Arrays, *, eps: float, epochs: int, batch_size: int
) -> Iterator[Case]:
    natural = NaturalClassifier(
        module=lenet, max_epochs=epochs, batch_size=batch_size, random_state=0
    )
    robust = AdversarialClassifier(
        module=lenet, eps=eps, n_steps=5, max_epochs=epochs, batch_size=batch_size, random_state=0
    )
    yield _case(f"{name}, natural training", natural, arrays)
    yield _case(f"{name}, TRADES, eps {eps:g}", robust, arrays)


def adult_cases(quick: bool, n_test: int = 2048) -> Iterator[Case]:
    """Train robfair's network on UCI Adult in the unit box, naturally and with TRADES."""
    n_test, epochs = (128, 1) if quick else (n_test, 5)
    (X, y, X_test, y_test), _, race = adult(unit_interval=True)
    arrays = (X, y, X_test[:n_test], y_test[:n_test])
    natural = NaturalClassifier(max_epochs=epochs, random_state=0)
    robust = AdversarialClassifier(eps=0.05, n_steps=5, max_epochs=epochs, random_state=0)
    name = f"Adult, {X.shape[1]} features"
    yield _case(f"{name}, natural training", natural, arrays, race[:n_test])
    yield _case(f"{name}, TRADES, eps 0.05", robust, arrays, race[:n_test])


def _case(
    title: str,
    estimator: NaturalClassifier | AdversarialClassifier,
    arrays: Arrays,
    groups: NDArray[np.generic] | None = None,
) -> Case:
    X, y, X_test, y_test = arrays
    start = time.perf_counter()
    estimator.fit(X, y)
    seconds = time.perf_counter() - start
    model = estimator.module_.eval()
    x = torch.from_numpy(X_test)
    with torch.no_grad():
        label = model(x).argmax(dim=1)
    return Case(
        title=title,
        model=model,
        x=x,
        y=y_test,
        label=label,
        groups=y_test if groups is None else groups,
        bounds=(0.0, 1.0),
        seconds_per_epoch=seconds / estimator.max_epochs,
    )


# Networks by name, each with what trains it: data, epochs, batch size, eps (None: naturally).
NETWORKS = {
    "MNIST natural": ("mnist", 10, 128, None),
    "MNIST TRADES .2": ("mnist", 10, 128, 0.2),
    "MNIST TRADES .3": ("mnist", 10, 128, 0.3),
    "digits natural": ("digits", 20, 64, None),
    "digits TRADES": ("digits", 20, 64, 0.1),
    "Adult natural": ("adult", 5, None, None),
    "Adult TRADES": ("adult", 5, None, 0.05),
    "demo natural": ("demo", 30, 256, None),
    "demo TRADES": ("demo", 30, 256, 0.1),
}


def trained(name: str, seed: int, n_test: int, folder: Path | None) -> dict[str, Any]:
    """Train a network of `NETWORKS` with a seed; each seed has test samples of its own.

    Returns
    -------
    dict
        model, x (Tensor), y, groups (ndarray) and threat (a ThreatModel, L2).
    """
    data, epochs, batch_size, eps = NETWORKS[name]
    rows = slice(seed * n_test, (seed + 1) * n_test)
    threat, groups = ThreatModel(bounds=(0.0, 1.0)), None
    common: dict[str, Any] = {"max_epochs": epochs, "random_state": seed}
    common |= {} if batch_size is None else {"batch_size": batch_size}
    robust: dict[str, Any] = {"eps": eps, "n_steps": 5}
    if data == "demo":
        table = adult_table()
        X, y, X_test, y_test = table.X_train, table.y_train, table.X_test, table.y_test
        threat, groups = table.threat_model, table.groups_test["race"].to_numpy()
        robust = {"eps": eps, "threat_model": threat}
    elif data == "adult":
        (X, y, X_test, y_test), _, groups = adult(unit_interval=True)
    else:
        if data == "mnist":
            assert folder is not None
            arrays = mnist(folder, 10_000, (seed + 1) * n_test)
        else:
            arrays = digits(600)
        X, y, X_test, y_test = arrays
        common["module"] = lenet
    fit = NaturalClassifier(**common) if eps is None else AdversarialClassifier(**robust, **common)
    fit.fit(X, y)
    groups = y_test if groups is None else groups
    x = torch.from_numpy(X_test[rows])
    model = fit.module_.eval()
    return {"model": model, "x": x, "y": y_test[rows], "groups": groups[rows], "threat": threat}
