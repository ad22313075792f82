"""Paper B on UCI Adult: by its own protocol, and by one under which the numbers mean something.

The paper says neither how categories are coded nor how features are scaled, and attacks with
eps = 10 to 20. Read literally: categories as integer codes, features in their own units (years,
dollars, codes), all of which an attack may change. The network standardises its inputs itself,
for without that it does not learn. The robust network is trained on clean samples and on examples
made once, for the standard network, and its robust accuracy is measured on such examples, too.

The honest protocol encodes categories one-hot, trains against attacks made anew in each step, and
attacks each network itself: what an applicant could change about work and income, in standard
deviations, inside the range of the training data, integers by integers and categories as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from torch import nn

from robfair.attacks import attack_success, least_eps, robust_accuracy
from robfair.datasets import load_adult
from robfair.demo._demo import CATEGORIES, NUMBERS
from robfair.estimators import AdversarialClassifier, NaturalClassifier
from robfair.metrics import (
    class_accuracy_unfairness,
    class_robustness_unfairness,
    equalized_odds_unfairness,
    group_confidence,
)
from robfair.models import Standardize, adult_network
from robfair.reproduction._records import Run
from robfair.reproduction._static_augmentation import StaticallyAugmentedClassifier
from robfair.threat import ThreatModel

__all__ = ["ADULT_PARTS", "AdultRecipe", "measure_adult"]

ADULT_PARTS = ("paper", "honest")
ATTRIBUTES = ("sex", "race")
RICH = ">50K"


@dataclass(frozen=True)
class AdultRecipe:
    """Numbers that the results on Adult depend on.

    Attributes
    ----------
    n_train, n_test : int or None
        Rows to use; None for all.
    max_epochs, batch_size : int
        As in the paper: 20 epochs of Adam in batches of 250.
    width : int
        Of the four hidden layers; the paper does not say.
    eps : float
        Raw units, for the paper's training and static examples.
    eps_grid : tuple of float
        Of Table II.
    n_steps : int
        Steps of PGD; the paper does not say.
    honest_eps : float
        Standard deviations, for training by the honest protocol.
    honest_grid : tuple of float
        Standard deviations, for attacks.
    honest_rows : int or None
        Test rows that the honest attack searches.
    honest_mutable : tuple of str
        Columns that it may change.
    """

    n_train: int | None = None
    n_test: int | None = None
    max_epochs: int = 20
    batch_size: int = 250
    width: int = 64
    eps: float = 10.0
    eps_grid: tuple[float, ...] = (10.0, 15.0, 20.0)
    n_steps: int = 20
    honest_eps: float = 0.25
    honest_grid: tuple[float, ...] = (0.25, 0.5, 1.0)
    honest_rows: int | None = 3000
    honest_mutable: tuple[str, ...] = (
        "education-num", "capital-gain", "capital-loss", "hours-per-week",
        "workclass", "occupation",
    )  # fmt: skip

    @classmethod
    def small(cls) -> AdultRecipe:
        """Build the recipe that runs in seconds, to see that everything works."""
        return cls(n_train=1500, n_test=4000, max_epochs=2, width=16, n_steps=3, honest_rows=60)


@dataclass(frozen=True)
class _Data:
    """Encoded rows with labels and sensitive attributes."""

    X: NDArray[np.float32]
    y: NDArray[Any]
    sensitive: pd.DataFrame


def _network(X: NDArray[np.float32], width: int, raw: bool) -> nn.Module:
    network = adult_network(X.shape[1], width=width)
    if not raw:
        return network
    scale = X.std(axis=0)
    return nn.Sequential(Standardize(X.mean(axis=0), np.where(scale > 0, scale, 1)), *network)


def measure_adult(run: Run, recipe: AdultRecipe, part: str, verbose: int) -> None:
    """Train and measure one part on Adult.

    Parameters
    ----------
    run : Run
        Where the measures go; its seed is used.
    recipe : AdultRecipe
        What to do.
    part : {"paper", "honest"}
        Which protocol.
    verbose : int
        1 shows progress bars.
    """
    measure = {"paper": _measure_paper, "honest": _measure_honest}[part]
    measure(run, recipe, verbose)


def _measure_paper(run: Run, recipe: AdultRecipe, verbose: int) -> None:
    transformer = make_column_transformer(
        ("passthrough", [*NUMBERS, "fnlwgt"]), (OrdinalEncoder(), [*CATEGORIES, "education"])
    )
    train, test = _load(transformer, recipe)
    linf = ThreatModel(norm=np.inf)
    model = StaticallyAugmentedClassifier(
        module=partial(_network, train.X, recipe.width, raw=True),
        eps=recipe.eps,
        n_steps=recipe.n_steps,
        threat_model=linf,
        max_epochs=recipe.max_epochs,
        batch_size=recipe.batch_size,
        class_weight="oversample",
        random_state=run.seed,
        verbose=verbose,
    ).fit(train.X, train.y)
    options: dict[str, Any] = {
        "n_steps": recipe.n_steps, "threat_model": linf, "random_state": run.seed,
    }  # fmt: skip
    add = partial(run.add, "paper", "paper")
    for name, network in {"standard": model.standard_, "robust": model}.items():
        _measure_labels(add, name, network, test)
        static = robust_accuracy(
            network, test.X, test.y, recipe.eps, transfer_from=model.standard_, **options
        )
        white = robust_accuracy(network, test.X, test.y, recipe.eps, **options)
        add(name, "static robust accuracy", static, eps=recipe.eps)
        add(name, "robust accuracy", white, eps=recipe.eps)
        predicted = network.predict(test.X)
        # On a grid, what is fooled at some eps is fooled at any greater one.
        fooled = pd.DataFrame(attack_success(network, test.X, test.y, recipe.eps_grid, **options))
        for eps in recipe.eps_grid:
            _measure_success(add, name, test.y, predicted, fooled[eps].to_numpy(), eps)


def _measure_honest(run: Run, recipe: AdultRecipe, verbose: int) -> None:
    transformer = make_column_transformer(
        (StandardScaler(), NUMBERS),
        (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), CATEGORIES),
    )
    train, test = _load(transformer, recipe)
    rows = load_adult(split="train").data
    feasible = ThreatModel.from_transformer(
        transformer, rows, mutable=list(recipe.honest_mutable), norm=np.inf
    )
    # In training only numbers move: a gradient step from one category to another is none.
    numbers = np.isin(np.arange(train.X.shape[1]), range(len(NUMBERS))) & np.isin(
        np.resize(NUMBERS, train.X.shape[1]), recipe.honest_mutable
    )
    relaxed = ThreatModel(norm=np.inf, bounds=(train.X.min(axis=0), train.X.max(axis=0)),
                          mutable=numbers)  # fmt: skip
    common: dict[str, Any] = {
        "module": partial(_network, train.X, recipe.width, raw=False),
        "max_epochs": recipe.max_epochs,
        "batch_size": recipe.batch_size,
        "class_weight": "oversample",
        "random_state": run.seed,
        "verbose": verbose,
    }
    models = {
        "standard": NaturalClassifier(**common),
        "robust": AdversarialClassifier(
            objective="pgd", eps=recipe.honest_eps, threat_model=relaxed, **common
        ),
    }
    add = partial(run.add, "honest", "honest")
    some = slice(recipe.honest_rows)
    largest = max(recipe.honest_grid)
    for name, model in models.items():
        model.fit(train.X, train.y)
        _measure_labels(add, name, model, test)
        # The least cost of a feasible change decides for every eps at once.
        least = least_eps(
            model,
            test.X[some],
            y := test.y[some],
            eps_max=largest,
            method="distance",
            threat_model=feasible,
            random_state=run.seed,
            verbose=verbose,
        )
        for eps in recipe.honest_grid:
            success = least.eps <= eps
            add(name, "robust accuracy", 1 - success.mean(), eps=eps)
            _measure_success(add, name, y, least.predicted, success, eps)
        cru = class_robustness_unfairness(y, least.predicted, least_eps=least.eps, eps_max=largest)
        add(name, "CRU_eps", cru, eps=largest)


def _load(transformer: Any, recipe: AdultRecipe) -> tuple[_Data, _Data]:
    train, test = load_adult(split="train"), load_adult(split="test")
    transformer.fit(train.data)  # on all rows, so that a small run knows all categories

    def part(bunch: Any, n: int | None) -> _Data:
        X = transformer.transform(bunch.data[:n]).astype(np.float32)
        return _Data(X, bunch.target[:n].to_numpy(), bunch.sensitive_features[:n])

    return part(train, recipe.n_train), part(test, recipe.n_test)


def _measure_labels(add: Any, name: str, model: Any, test: _Data) -> None:
    """Measure what needs no attack: accuracy, CAU, confidences and EOU."""
    right = pd.Series(model.predict(test.X) == test.y)
    add(name, "accuracy", right.mean())
    add(name, "class accuracy", right.groupby(test.y).mean())
    add(name, "CAU", class_accuracy_unfairness(test.y, model.predict(test.X)))
    proba = model.predict_proba(test.X)[:, 1]
    for attribute in ATTRIBUTES:
        groups = test.sensitive[attribute]
        table = group_confidence(test.y, proba, sensitive_features=groups)[RICH].unstack()
        for label, row in table.iterrows():
            add(name, f"confidence by {attribute}", row, label=label)
            add(name, f"EOU by {attribute}", row.max() - row.min(), label=label)
        for condition in ("label", None):
            eou = equalized_odds_unfairness(
                test.y, proba, sensitive_features=groups, condition_on=condition
            )
            add(name, f"EOU by {attribute}", eou, label="max" if condition else "whole groups")


def _measure_success(
    add: Any, name: str, y: Any, predicted: Any, success: NDArray[np.bool_], eps: float
) -> None:
    """Measure success by class, among the samples that are right and among all, and CRU_s."""
    right = predicted == y
    add(name, "success", pd.Series(success[right]).groupby(y[right]).mean(), eps=eps)
    for all_samples in (False, True):
        cru = class_robustness_unfairness(
            y, predicted, success=success, population="all" if all_samples else "correct"
        )
        add(name, "CRU_s of all" if all_samples else "CRU_s", cru, eps=eps)
