"""What the benchmarks share: options, data, networks, timing in alternation and tables."""

from __future__ import annotations

import argparse
import gc
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler
from torch import Tensor, nn

from robfair.datasets import load_adult

__all__ = [
    "Arrays",
    "adult",
    "alternate",
    "counting",
    "digits",
    "lenet",
    "machine",
    "median_ratio",
    "mnist",
    "options",
    "table",
    "verdict",
]

Arrays = tuple[NDArray[np.float32], NDArray[np.intp], NDArray[np.float32], NDArray[np.intp]]


def options(doc: str, extra: Mapping[str, Mapping[str, Any]] | None = None) -> argparse.Namespace:
    """Read ``--quick``, ``--rounds``, ``--threads`` and a script's own; torch gets every core.

    Parameters
    ----------
    doc : str
        What the script does.
    extra : mapping of str to mapping, default=None
        Further options, each with the arguments of ``add_argument``.
    """
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument(
        "--quick", action="store_true", help="small and short: does the script still run?"
    )
    parser.add_argument("--rounds", type=int, help="rounds of timing; medians are printed")
    # Not OMP_NUM_THREADS, which `make` sets to 1 for the tests.
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    for name, arguments in (extra or {}).items():
        parser.add_argument(name, **arguments)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    return args


def machine(packages: Iterable[str] = ()) -> str:
    """Return a line with the date, the machine and the versions that matter."""
    names = ("robfair", "torch", "numpy", "skorch", *packages)
    versions = ", ".join(f"{name} {version(name)}" for name in names)
    return (
        f"{date.today().isoformat()}, {_processor()}, {os.cpu_count()} cores, "
        f"{torch.get_num_threads()} torch threads, Python {platform.python_version()}, {versions}"
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    found = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(found, platform.machine())


def alternate(
    functions: Mapping[str, Callable[[], Any]], rounds: int, budget: float = 30.0
) -> dict[str, list[float]]:
    """Seconds of each function in rounds A B C, A B C, ..., so that a busy machine hits them alike.

    Parameters
    ----------
    functions : mapping of str to callable
        What to time; each is assumed to be warm.
    rounds : int
        Number of rounds.
    budget : float, default=30.0
        A function that has used this many seconds sits out the rounds that remain: one that takes a
        multiple of the others' time needs no fine median.

    Returns
    -------
    dict of str to list of float
        The seconds of each run.
    """
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            if sum(seconds[name]) > budget:
                continue
            gc.collect()
            start = time.perf_counter()
            function()
            seconds[name].append(time.perf_counter() - start)
    return seconds


@contextmanager
def counting(model: nn.Sequential) -> Iterator[list[int]]:
    """Count samples through `model`: [forwards, backwards], each time they go.

    At its last layer, since ART calls the layers of a Sequential one by one.
    """
    counts = [0, 0]

    def backwards(gradient: Tensor) -> None:
        counts[1] += len(gradient)

    def forwards(module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
        counts[0] += len(output)
        if output.requires_grad:
            output.register_hook(backwards)

    handle = model[-1].register_forward_hook(forwards)
    try:
        yield counts
    finally:
        handle.remove()


def median_ratio(numerator: Sequence[float], denominator: Sequence[float]) -> float:
    """Ratio of the medians."""
    return statistics.median(numerator) / statistics.median(denominator)


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return rows as a Markdown table; numbers are aligned to the right."""
    columns = list(rows[0])
    cells = [[str(row[column]) for column in columns] for row in rows]
    widths = [
        max(3, len(column), *(len(line[i]) for line in cells)) for i, column in enumerate(columns)
    ]
    right = [_is_number(cells[0][i]) for i in range(len(columns))]

    def line(values: Sequence[str]) -> str:
        padded = [
            value.rjust(width) if to_right else value.ljust(width)
            for value, width, to_right in zip(values, widths, right, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        "-" * (width - 1) + ":" if to_right else "-" * width
        for width, to_right in zip(widths, right, strict=True)
    ]
    return "\n".join([line(columns), line(rule), *map(line, cells)])


def _is_number(cell: str) -> bool:
    try:
        float(cell.replace(",", "").removesuffix("%"))
    except ValueError:
        return False
    return True


def verdict(met: bool) -> str:
    """Say whether a target was met, so that a missed one stands out."""
    return "met" if met else "**missed**"


# Data and networks


def digits(n_test: int = 512) -> Arrays:
    """Scikit-learn's digits, 8 x 8 made 28 x 28 by bilinear interpolation, in [0, 1].

    Returns
    -------
    X_train, y_train, X_test, y_test : ndarray
        Images of shape (n, 1, 28, 28) and their classes.
    """
    data = load_digits()
    small = torch.from_numpy(data.images.astype(np.float32) / 16)[:, None]
    images = F.interpolate(small, size=(28, 28), mode="bilinear").clamp(0, 1).numpy()
    order = np.random.default_rng(0).permutation(len(images))
    test, train = order[:n_test], order[n_test:]
    return images[train], data.target[train], images[test], data.target[test]


def mnist(folder: Path, n_train: int, n_test: int) -> Arrays:
    """MNIST in [0, 1] from ``mnist.npz`` of a folder: a random part of each of its two sets.

    Returns
    -------
    X_train, y_train, X_test, y_test : ndarray
        Images of shape (n, 1, 28, 28) and their classes.
    """
    rng = np.random.default_rng(0)
    parts: list[NDArray[Any]] = []
    with np.load(folder / "mnist.npz") as data:
        for part, n in (("train", n_train), ("test", n_test)):
            rows = rng.permutation(len(data[f"y_{part}"]))[:n]
            parts.append(data[f"X_{part}"][rows, None].astype(np.float32) / 255)
            parts.append(data[f"y_{part}"][rows].astype(np.intp))
    X_train, y_train, X_test, y_test = parts
    return X_train, y_train, X_test, y_test


def lenet() -> nn.Sequential:
    """LeNet-5 with ReLU and max pooling, for 28 x 28 images of 10 classes."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(400, 120), nn.ReLU(),
        nn.Linear(120, 84), nn.ReLU(),
        nn.Linear(84, 10),
    )  # fmt: skip


def adult(*, unit_interval: bool) -> tuple[Arrays, NDArray[Any], NDArray[Any]]:
    """UCI Adult, one-hot: 30,162 training and 15,060 test rows of 104 features.

    Parameters
    ----------
    unit_interval : bool
        Scale numbers to [0, 1] (test rows clipped), where the peers need it; else standardise.

    Returns
    -------
    X_train, y_train, X_test, y_test : ndarray
        Features and classes.
    race_train, race_test : ndarray of str
        The group of each row.
    """
    train, test = load_adult(split="train"), load_adult(split="test")
    numbers = train.data.select_dtypes("number").columns
    texts = train.data.columns.difference(numbers, sort=False)
    known = [train.data[name].cat.categories for name in texts]
    scaler = MinMaxScaler(clip=True) if unit_interval else StandardScaler()
    prepare = make_column_transformer(
        (scaler, list(numbers)), (OneHotEncoder(categories=known, sparse_output=False), list(texts))
    )
    X_train = prepare.fit_transform(train.data).astype(np.float32)
    X_test = prepare.transform(test.data).astype(np.float32)
    y_train, y_test = ((part.target == ">50K").to_numpy().astype(np.intp) for part in (train, test))
    races = [part.sensitive_features["race"].to_numpy() for part in (train, test)]
    return (X_train, y_train, X_test, y_test), *races
