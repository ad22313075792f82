"""Fast training: one noisy step (N-FGSM) or two steps of PGD against ten: seconds, robust accuracy.

Targets: at least 3 times as fast, the guard against catastrophic overfitting included, and a robust
accuracy at most 1.5 points lower, on average over seeds.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import Arrays, adult, digits, machine, mnist, options, table, verdict
from numpy.typing import NDArray

from robfair import AdversarialClassifier, ThreatModel
from robfair.attacks import attack_success
from robfair.exceptions import OverfittingWarning
from robfair.models import lenet5

TARGET_TIMES, TARGET_POINTS = 3.0, 1.5
# Name -> parameters. Two steps of PGD are of 0.75 eps: from a random start in the ball, the first
# seldom reaches its surface, and the second goes on from there.
SLOW, FAST = "PGD, 10 steps", ("n-fgsm", "PGD, 2 steps")


@dataclass
class Problem:
    """What is trained on what."""

    title: str
    arrays: Arrays
    groups: NDArray[Any]
    params: dict[str, Any]
    threat_model: ThreatModel


def problems(quick: bool, folder: Path | None) -> Iterator[Problem]:
    """Adult, digits, and MNIST where there is a folder with it."""
    arrays, race, _ = adult(unit_interval=False)
    n = 2000 if quick else len(arrays[0])
    first = (arrays[0][:n], arrays[1][:n], *arrays[2:])
    epochs = {"max_epochs": 2} if quick else {}
    params = {"eps": 0.1, "max_epochs": 12, "batch_size": 256}
    free = ThreatModel(norm=np.inf)
    yield Problem("Adult, groups by race", first, race[:n], params | epochs, free)
    images = ThreatModel(norm=np.inf, bounds=(0, 1))
    params = {"eps": 0.1, "max_epochs": 20, "batch_size": 64, "module": lenet5}
    params["threat_model"] = images
    arrays = digits(512)
    yield Problem("LeNet-5, digits", arrays, arrays[1], params | epochs, images)
    if folder is not None:
        arrays = mnist(folder, 1000 if quick else 10_000, 2000)
        params = params | {"eps": 0.2, "max_epochs": 6, "batch_size": 128} | epochs
        yield Problem("LeNet-5, MNIST, 10,000 images", arrays, arrays[1], params, images)


def parameters(name: str, eps: float) -> dict[str, Any]:
    """Return what sets a way of training apart."""
    if name == "n-fgsm":
        return {"objective": name}
    two = {"n_steps": 2, "step_size": 0.75 * eps} if name == "PGD, 2 steps" else {"n_steps": 10}
    return {"objective": "pgd", **two}


def train(problem: Problem, name: str, seed: int) -> tuple[float, float, float, int]:
    """Seconds of an epoch, accuracy, robust accuracy, and collapses that the guard has seen."""
    X, y, X_test, y_test = problem.arrays
    own = parameters(name, problem.params["eps"])
    clf = AdversarialClassifier(random_state=seed, **problem.params, **own)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always", OverfittingWarning)
        start = time.perf_counter()
        clf.fit(X, y, groups=problem.groups)
        seconds = (time.perf_counter() - start) / clf.max_epochs
    collapses = sum(issubclass(warning.category, OverfittingWarning) for warning in seen)
    fooled = attack_success(
        clf, X_test, y_test, clf.eps, n_steps=20, threat_model=problem.threat_model, random_state=0
    )
    return seconds, float((clf.predict(X_test) == y_test).mean()), 1 - fooled.mean(), collapses


def compare(problem: Problem, seeds: int) -> None:
    """Print the table of one problem, and whether the targets were met."""
    found: dict[str, list[tuple[float, float, float, int]]] = {n: [] for n in (SLOW, *FAST)}
    for seed in range(seeds):
        for name, runs in found.items():
            runs.append(train(problem, name, seed))
    rows, measured = [], {}
    for name, runs in found.items():
        seconds, accuracy, robust, collapses = zip(*runs, strict=True)
        measured[name] = statistics.median(seconds), float(np.mean(robust))
        rows.append(
            {
                "objective": name,
                "seconds per epoch": f"{measured[name][0]:.3f}",
                "accuracy": f"{np.mean(accuracy):.4f}",
                "robust accuracy": f"{measured[name][1]:.4f}",
                "SD": f"{np.std(robust, ddof=1) if seeds > 1 else 0:.4f}",
                "collapses": str(sum(collapses)),
            }
        )
    print(f"### {problem.title}\n\n{table(rows)}\n")
    for name in FAST:
        times = measured[SLOW][0] / measured[name][0]
        points = 100 * (measured[SLOW][1] - measured[name][1])
        print(
            f"{name}: {times:.2f} times as fast, target {TARGET_TIMES:g}: "
            f"{verdict(times >= TARGET_TIMES)}; robust accuracy {points:.2f} points lower, target "
            f"at most {TARGET_POINTS:g}: {verdict(points <= TARGET_POINTS)}.\n"
        )


def main() -> None:
    """Print a table for each problem."""
    args = options(__doc__ or "", {"--data-home": {"type": Path, "help": "folder with mnist.npz"}})
    seeds = args.rounds or (1 if args.quick else 3)
    print(f"## Fast training\n\n{machine()}\n")
    print(
        f"Medians of the seconds, means of the accuracies over {seeds} seeds. Robust accuracy by "
        "PGD with 20 steps on the test set, at the eps of training.\n"
    )
    for problem in problems(args.quick, args.data_home):
        compare(problem, seeds)


if __name__ == "__main__":
    main()
