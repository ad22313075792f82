"""Paper B on CIFAR-10: class-wise accuracy and robustness, and leave-one-out unfairness."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair.attacks import attack_success, least_eps, robust_accuracy
from robfair.datasets import fetch_cifar10
from robfair.estimators import AdversarialClassifier, NaturalClassifier
from robfair.leave_one_out import leave_one_out
from robfair.metrics import class_robustness_unfairness
from robfair.models import cifar_network
from robfair.reproduction._paper import Task
from robfair.reproduction.fairness import _protocol
from robfair.threat import ThreatModel

__all__ = ["CifarRecipe", "load_images", "measure_classes", "measure_honest", "measure_luf"]

IMAGES = ThreatModel(norm=np.inf, bounds=(0, 1))


@dataclass(frozen=True)
class CifarRecipe:
    """Numbers that the results on CIFAR-10 depend on; None stands for all images."""

    n_train: int | None = None
    n_test: int | None = None
    max_epochs: int = 20  # of Adam, as in the paper
    batch_size: int = 250
    eps: float = 0.01  # of training and of the static examples
    eps_grid: tuple[float, ...] = (0.01, 0.012, 0.014)  # of Table I
    n_steps: int = 20  # of PGD in attacks
    honest_steps: int = 2  # of PGD in adversarial training by the honest protocol
    n_least: int | None = None  # test images whose least eps is searched
    # Leave-one-out at a reduced scale: 100 refits on 50,000 images are out of reach here.
    luf_left_out: int = 10
    luf_train: int = 500
    luf_test: int = 1000
    luf_epochs: int = 10


class Images(NamedTuple):
    """Images in [0, 1] with the names of their classes."""

    X: NDArray[np.float32]
    y: NDArray[Any]
    X_test: NDArray[np.float32]
    y_test: NDArray[Any]


def load_images(
    recipe: CifarRecipe, data_home: Path | None, fetch: Callable[..., Any] = fetch_cifar10
) -> Images:
    """Load CIFAR-10 in the sizes of the recipe."""
    train, test = (fetch(split=split, data_home=data_home) for split in ("train", "test"))
    names = np.asarray(test.target_names)
    return Images(
        train.data[: recipe.n_train], names[train.target[: recipe.n_train]],
        test.data[: recipe.n_test], names[test.target[: recipe.n_test]],
    )  # fmt: skip


def measure_classes(task: Task) -> None:
    """Measure both networks by class, by the paper's protocol."""
    data, eps = task.data, task.recipe.eps
    robust = _static(task).fit(data.X, data.y)
    standard = robust.standard_
    for name, model in {"standard": standard, "robust": robust}.items():
        add = partial(task.run.add, "classes", "paper", name)
        options = _protocol.attack_options(task, IMAGES) | {"transfer_from": standard}
        static = robust_accuracy(model, data.X_test, data.y_test, eps, **options)
        add("static robust accuracy", static, eps=eps)
        rows = task.run.parts["classes"]
        n_before = len(rows)
        _add_classes(task, add, model)
        if name == "standard":  # trained and attacked in the same way by both protocols
            rows += [row | {"protocol": "honest"} for row in rows[n_before:]]


def measure_honest(task: Task) -> None:
    """Measure the robust network by class, by the honest protocol."""
    robust = AdversarialClassifier(
        objective="pgd", n_steps=task.recipe.honest_steps, **_common(task)
    ).fit(task.data.X, task.data.y)
    _add_classes(task, partial(task.run.add, "honest", "honest", "robust"), robust)


def measure_luf(task: Task) -> None:
    """Measure leave-one-out unfairness of both networks."""
    recipe, data = task.recipe, task.data
    static = _static(task).set_params(max_epochs=recipe.luf_epochs)
    shared = ("module", "batch_size", "max_epochs", "random_state", "verbose")
    standard = NaturalClassifier(**{name: getattr(static, name) for name in shared})
    for name, model in {"standard": standard, "robust": static}.items():
        add = partial(task.run.add, "leave-one-out", "paper", name)
        measured = leave_one_out(
            model, data.X[: recipe.luf_train], data.y[: recipe.luf_train],
            data.X_test[: recipe.luf_test], n_left_out=recipe.luf_left_out,
            random_state=task.run.seed, verbose=task.verbose,
        )  # fmt: skip
        assert measured.baseline is not None  # networks have a seed
        for result, suffix in ((measured, ""), (measured.baseline, ", other seeds")):
            add(f"LUF{suffix}", result.mean)
            # As a share of the models, so that it does not grow with their number.
            add(f"LUF_t{suffix}", result.luf_t / result.n_refits)
            add(f"LUF_l{suffix}", result.luf_l)
        add("n_left_out", measured.n_left_out)


def _common(task: Task) -> dict[str, Any]:
    """Return the parameters that all networks share."""
    recipe = task.recipe
    return {
        "module": cifar_network, "eps": recipe.eps, "threat_model": IMAGES,
        "batch_size": recipe.batch_size, "max_epochs": recipe.max_epochs,
        "random_state": task.run.seed, "verbose": task.verbose,
    }  # fmt: skip


def _static(task: Task) -> _protocol.StaticallyAugmentedClassifier:
    """Make the classifier that the paper calls adversarially trained."""
    return _protocol.StaticallyAugmentedClassifier(n_steps=task.recipe.n_steps, **_common(task))


def _add_classes(task: Task, add: _protocol.Add, model: Any) -> None:
    """Add accuracy, success of attacks and least eps by class."""
    recipe, X, y = task.recipe, task.data.X_test, task.data.y_test
    predicted = model.predict(X)
    _protocol.add_accuracy(add, y, predicted)
    # On a grid, what is fooled at some eps is fooled at any greater one.
    options = _protocol.attack_options(task, IMAGES)
    fooled = pd.DataFrame(attack_success(model, X, y, recipe.eps_grid, **options))
    for eps in recipe.eps_grid:
        success = fooled[eps].to_numpy()
        add("robust accuracy", 1 - success.mean(), eps=eps)
        _protocol.add_success(add, y, predicted, success, eps)
    X, y = X[: recipe.n_least], y[: recipe.n_least]
    least = least_eps(
        model, X, y, eps_max=1.0, method="distance", threat_model=IMAGES,
        random_state=task.run.seed, verbose=task.verbose,
    )  # fmt: skip
    correct = least.status == "found"
    add("least eps", pd.Series(least.eps[correct]).groupby(y[correct]).mean())
    cru = class_robustness_unfairness(y, least.predicted, least_eps=least.eps, eps_max=1.0)
    add("CRU_eps", cru)
