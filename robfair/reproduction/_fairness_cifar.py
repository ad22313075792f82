"""Paper B on CIFAR-10: class-wise accuracy and robustness, and leave-one-out unfairness."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from robfair.attacks import attack_success, least_eps, robust_accuracy
from robfair.datasets import fetch_cifar10
from robfair.estimators import AdversarialClassifier, NaturalClassifier
from robfair.leave_one_out import leave_one_out
from robfair.metrics import class_accuracy_unfairness, class_robustness_unfairness
from robfair.models import cifar_network
from robfair.reproduction._records import Run
from robfair.reproduction._static_augmentation import StaticallyAugmentedClassifier
from robfair.threat import ThreatModel

__all__ = ["CIFAR_PARTS", "CifarRecipe", "measure_cifar"]

CIFAR_PARTS = ("classes", "honest", "leave-one-out")
IMAGES = ThreatModel(norm=np.inf, bounds=(0, 1))


@dataclass(frozen=True)
class CifarRecipe:
    """Numbers that the results on CIFAR-10 depend on.

    Attributes
    ----------
    n_train, n_test : int or None
        Images to use; None for all.
    max_epochs, batch_size : int
        As in the paper: 20 epochs of Adam in batches of 250.
    eps : float
        Of training and of the static examples.
    eps_grid : tuple of float
        Of Table I.
    n_steps, honest_steps : int
        Steps of PGD in attacks, and in adversarial training by the honest protocol.
    n_least : int or None
        Test images whose least eps is searched.
    luf_left_out, luf_train, luf_test, luf_epochs : int
        Leave-one-out at a reduced scale: 100 refits on 50,000 images are out of reach here.
    """

    n_train: int | None = None
    n_test: int | None = None
    max_epochs: int = 20
    batch_size: int = 250
    eps: float = 0.01
    eps_grid: tuple[float, ...] = (0.01, 0.012, 0.014)
    n_steps: int = 20
    honest_steps: int = 2
    n_least: int | None = None
    luf_left_out: int = 10
    luf_train: int = 500
    luf_test: int = 1000
    luf_epochs: int = 10

    @classmethod
    def small(cls) -> CifarRecipe:
        """Build the recipe that runs in seconds, to see that everything works."""
        return cls(
            n_train=1000, n_test=200, max_epochs=2, n_steps=2, honest_steps=1, n_least=50,
            luf_left_out=2, luf_train=100, luf_test=50, luf_epochs=1,
        )  # fmt: skip


def measure_cifar(
    run: Run, recipe: CifarRecipe, part: str, data_home: Path | None, verbose: int
) -> None:
    """Train and measure one part on CIFAR-10.

    Parameters
    ----------
    run : Run
        Where the measures go; its seed is used.
    recipe : CifarRecipe
        What to do.
    part : {"classes", "honest", "leave-one-out"}
        What to measure.
    data_home : Path or None
        Where the data set is kept.
    verbose : int
        1 shows progress bars.
    """
    train = fetch_cifar10(split="train", data_home=data_home)
    test = fetch_cifar10(split="test", data_home=data_home)
    names = np.asarray(test.target_names)
    X, y = train.data[: recipe.n_train], names[train.target[: recipe.n_train]]
    X_test, y_test = test.data[: recipe.n_test], names[test.target[: recipe.n_test]]
    common: dict[str, Any] = {
        "module": cifar_network,
        "eps": recipe.eps,
        "threat_model": IMAGES,
        "batch_size": recipe.batch_size,
        "max_epochs": recipe.max_epochs,
        "random_state": run.seed,
        "verbose": verbose,
    }
    static = StaticallyAugmentedClassifier(n_steps=recipe.n_steps, **common)
    if part == "leave-one-out":
        static.set_params(max_epochs=recipe.luf_epochs)
        n, m = recipe.luf_train, recipe.luf_test
        _measure_luf(run, recipe, static, X[:n], y[:n], X_test[:m], verbose)
        return
    if part == "classes":
        static.fit(X, y)
        models = {"standard": static.standard_, "robust": static}
        _measure_classes(run, "paper", part, recipe, models, X_test, y_test, verbose)
    else:
        robust = AdversarialClassifier(objective="pgd", n_steps=recipe.honest_steps, **common)
        models = {"robust": robust.fit(X, y)}
        _measure_classes(run, "honest", part, recipe, models, X_test, y_test, verbose)


def _standard(robust: StaticallyAugmentedClassifier) -> NaturalClassifier:
    given = robust.get_params()
    names = ("module", "batch_size", "max_epochs", "random_state", "verbose")
    return NaturalClassifier(**{name: given[name] for name in names})


def _measure_classes(
    run: Run,
    protocol: str,
    part: str,
    recipe: CifarRecipe,
    models: dict[str, Any],
    X: Any,
    y: Any,
    verbose: int,
) -> None:
    options: dict[str, Any] = {
        "n_steps": recipe.n_steps, "threat_model": IMAGES, "random_state": run.seed,
    }  # fmt: skip
    some = slice(recipe.n_least)
    for name, model in models.items():
        rows = Run(run.dataset, run.scale, run.seed)
        add = partial(rows.add, part, protocol, name)
        predicted = model.predict(X)
        right = predicted == y
        add("accuracy", right.mean())
        add("class accuracy", pd.Series(right).groupby(y).mean())
        add("CAU", class_accuracy_unfairness(y, predicted))
        # On a grid, what is fooled at some eps is fooled at any greater one.
        fooled = pd.DataFrame(attack_success(model, X, y, recipe.eps_grid, **options))
        for eps in recipe.eps_grid:
            success = fooled[eps]
            add("robust accuracy", 1 - success.mean(), eps=eps)
            add("success", success[right].groupby(y[right]).mean(), eps=eps)
            cru = class_robustness_unfairness(y, predicted, success=success)
            add("CRU_s", cru, eps=eps)
        least = least_eps(
            model, X[some], y[some], eps_max=1.0, method="distance", threat_model=IMAGES,
            random_state=run.seed, verbose=verbose,
        )  # fmt: skip
        correct = least.status == "found"
        add("least eps", pd.Series(least.eps[correct]).groupby(y[some][correct]).mean())
        cru = class_robustness_unfairness(
            y[some], least.predicted, least_eps=least.eps, eps_max=1.0
        )
        add("CRU_eps", cru)
        measured = rows.parts[part]
        if protocol == "paper":
            static = robust_accuracy(
                model, X, y, recipe.eps, transfer_from=models["standard"], **options
            )
            run.add(part, protocol, name, "static robust accuracy", static, eps=recipe.eps)
            if name == "standard":  # trained and attacked the same way by both protocols
                measured = measured + [row | {"protocol": "honest"} for row in measured]
        run.parts.setdefault(part, []).extend(measured)


def _measure_luf(
    run: Run,
    recipe: CifarRecipe,
    static: StaticallyAugmentedClassifier,
    X: Any,
    y: Any,
    X_test: Any,
    verbose: int,
) -> None:
    add = partial(run.add, "leave-one-out", "paper")
    for name, model in {"standard": _standard(static), "robust": static}.items():
        found = leave_one_out(
            model, X, y, X_test, n_left_out=recipe.luf_left_out, random_state=run.seed,
            verbose=verbose,
        )  # fmt: skip
        assert found.baseline is not None  # networks have a seed
        for result, suffix in ((found, ""), (found.baseline, ", other seeds")):
            add(name, f"LUF{suffix}", result.mean)
            # As a share of the models, so that it does not grow with their number.
            add(name, f"LUF_t{suffix}", result.luf_t / result.n_refits)
            add(name, f"LUF_l{suffix}", result.luf_l)
        add(name, "n_left_out", found.n_left_out)
