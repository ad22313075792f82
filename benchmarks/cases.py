"""The trained networks that the benchmarks of distances share, each with samples to measure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from common import Arrays, adult, digits, lenet, mnist
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from torch import Tensor, nn

from robfair import AdversarialClassifier, NaturalClassifier

__all__ = ["Case", "adult_cases", "dense_cases", "digits_cases", "mnist_cases", "rescaled"]


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


def mnist_cases(folder: Path, quick: bool, n_test: int = 256) -> Iterator[Case]:
    """Train LeNet on 10,000 images of MNIST, naturally and with TRADES."""
    n_test, n_train, epochs = (64, 1000, 2) if quick else (n_test, 10_000, 10)
    arrays = mnist(folder, n_train, n_test)
    yield from _image_cases("LeNet, MNIST", arrays, eps=0.2, epochs=epochs, batch_size=128)


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


class Divide(nn.Module):
    """Divides features by a constant."""

    def __init__(self, divisor: float) -> None:
        super().__init__()
        self.divisor = divisor

    def forward(self, x: Tensor) -> Tensor:
        """Divide."""
        return x / self.divisor


def rescaled(case: Case, factor: float) -> Case:
    """Return the same network for features `factor` times as large: distances grow by `factor`."""
    low, high = case.bounds
    return replace(
        case,
        title=f"{case.title}, features x {factor:g}",
        model=nn.Sequential(Divide(factor), *case.model).eval(),
        x=case.x * factor,
        bounds=(low * factor, high * factor),
    )
