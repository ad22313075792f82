"""Paper B on UCI Adult: by its own protocol, and by one under which the numbers mean something.

The paper does not say how categories are coded or how features are scaled, and it attacks with
eps = 10 to 20. We read it literally: categories are integer codes, features keep their own units
(years, dollars, codes), and an attack may change all of them. The network standardises its inputs
itself, since it does not learn otherwise. The robust network is trained on clean samples and on
examples made once, for the standard network; its robust accuracy is measured on such examples.

The honest protocol encodes categories one-hot, trains against attacks made anew in each step, and
attacks each network itself. An attack changes what an applicant could change about work and income,
in standard deviations, inside the range of the training data: integers stay integers, and a
category changes as a whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import make_column_transformer
from sklearn.preprocessing import OrdinalEncoder
from torch import nn

from robfair._adult_table import CATEGORIES, NUMBERS, adult_encoder
from robfair.attacks import attack_success, least_eps, robust_accuracy
from robfair.datasets import load_adult
from robfair.estimators import AdversarialClassifier, NaturalClassifier
from robfair.metrics import class_robustness_unfairness, equalized_odds_unfairness, group_confidence
from robfair.models import Standardize, adult_network
from robfair.reproduction._paper import Task
from robfair.reproduction.fairness import _protocol
from robfair.threat import ThreatModel

__all__ = ["AdultRecipe", "load_splits", "measure_honest", "measure_paper"]

ATTRIBUTES = ("sex", "race")
RICH = ">50K"


@dataclass(frozen=True)
class AdultRecipe:
    """Numbers that the results on Adult depend on; None stands for all rows."""

    n_train: int | None = None
    n_test: int | None = None
    max_epochs: int = 20  # of Adam, as in the paper
    batch_size: int = 250
    width: int = 64  # of the four hidden layers; the paper does not say
    # Raw units: of the paper's training and static examples, and of Table II.
    eps: float = 10.0
    eps_grid: tuple[float, ...] = (10.0, 15.0, 20.0)
    n_steps: int = 20  # of PGD; the paper does not say
    # Standard deviations: of training and of attacks by the honest protocol.
    honest_eps: float = 0.25
    honest_grid: tuple[float, ...] = (0.25, 0.5, 1.0)
    # Test rows that the honest attack searches, and columns that it may change.
    honest_rows: int | None = 3000
    honest_mutable: tuple[str, ...] = (
        "education-num", "capital-gain", "capital-loss", "hours-per-week",
        "workclass", "occupation",
    )  # fmt: skip


class _Data(NamedTuple):
    """Encoded rows with labels and sensitive attributes."""

    X: NDArray[np.float32]
    y: NDArray[Any]
    sensitive: pd.DataFrame


def _network(X: NDArray[np.float32], width: int, raw: bool) -> nn.Module:
    network = adult_network(X.shape[1], width=width)
    if not raw:
        return network
    scale = X.std(axis=0)  # 0 in a column that is the same in all rows of a small run
    return nn.Sequential(Standardize(X.mean(axis=0), np.where(scale > 0, scale, 1)), *network)


def load_splits(recipe: AdultRecipe, data_home: Path | None) -> tuple[Any, Any]:
    """Load the rows for training and testing, which each protocol encodes in its own way."""
    return load_adult(split="train"), load_adult(split="test")


def measure_paper(task: Task) -> None:
    """Train and measure by the paper's protocol."""
    run, recipe = task.run, task.recipe
    transformer = make_column_transformer(
        ("passthrough", [*NUMBERS, "fnlwgt"]), (OrdinalEncoder(), [*CATEGORIES, "education"])
    )
    train, test = _encode(transformer, task)
    linf = ThreatModel(norm=np.inf)
    model = _protocol.StaticallyAugmentedClassifier(
        eps=recipe.eps, n_steps=recipe.n_steps, threat_model=linf, **_common(task, train, raw=True)
    ).fit(train.X, train.y)
    options = _protocol.attack_options(task, linf)
    for name, network in {"standard": model.standard_, "robust": model}.items():
        add = partial(run.add, "paper", "paper", name)
        X, y = test.X, test.y
        _add_labels(add, network, test)
        for kind, source in (("static ", model.standard_), ("", None)):
            value = robust_accuracy(network, X, y, recipe.eps, transfer_from=source, **options)
            add(f"{kind}robust accuracy", value, eps=recipe.eps)
        predicted = network.predict(X)
        # On a grid, what is fooled at some eps is fooled at any greater one.
        fooled = pd.DataFrame(attack_success(network, X, y, recipe.eps_grid, **options))
        for eps in recipe.eps_grid:
            _protocol.add_success(add, y, predicted, fooled[eps].to_numpy(), eps, of_all=True)


def measure_honest(task: Task) -> None:
    """Train and measure by the honest protocol."""
    run, recipe = task.run, task.recipe
    transformer = adult_encoder()
    train, test = _encode(transformer, task)
    feasible = ThreatModel.from_transformer(
        transformer, task.data[0].data, mutable=list(recipe.honest_mutable), norm=np.inf
    )
    # In training only numbers move, since no gradient step leads from one category to another.
    box = train.X.min(axis=0), train.X.max(axis=0)
    mutable = np.zeros(train.X.shape[1], dtype=bool)
    mutable[: len(NUMBERS)] = np.isin(NUMBERS, recipe.honest_mutable)
    common = _common(task, train, raw=False)
    models = {
        "standard": NaturalClassifier(**common),
        "robust": AdversarialClassifier(
            objective="pgd", eps=recipe.honest_eps, **common,
            threat_model=ThreatModel(norm=np.inf, bounds=box, mutable=mutable),
        ),
    }  # fmt: skip
    some, largest = slice(recipe.honest_rows), max(recipe.honest_grid)
    for name, model in models.items():
        model.fit(train.X, train.y)
        add = partial(run.add, "honest", "honest", name)
        _add_labels(add, model, test)
        # The least cost of a feasible change decides for every eps at once.
        least = least_eps(
            model, test.X[some], y := test.y[some], eps_max=largest, method="distance",
            threat_model=feasible, random_state=run.seed, verbose=task.verbose,
        )  # fmt: skip
        for eps in recipe.honest_grid:
            success = least.eps <= eps
            add("robust accuracy", 1 - success.mean(), eps=eps)
            _protocol.add_success(add, y, least.predicted, success, eps, of_all=True)
        cru = class_robustness_unfairness(y, least.predicted, least_eps=least.eps, eps_max=largest)
        add("CRU_eps", cru, eps=largest)


def _common(task: Task, train: _Data, raw: bool) -> dict[str, Any]:
    """Return the parameters that all networks share."""
    recipe = task.recipe
    return {
        "module": partial(_network, train.X, recipe.width, raw=raw),
        "max_epochs": recipe.max_epochs, "batch_size": recipe.batch_size,
        "class_weight": "oversample", "random_state": task.run.seed, "verbose": task.verbose,
    }  # fmt: skip


def _encode(transformer: Any, task: Task) -> tuple[_Data, _Data]:
    """Encode the rows of the recipe."""
    train, test = task.data
    transformer.fit(train.data)  # on all rows, so that a small run knows all categories

    def part(bunch: Any, n: int | None) -> _Data:
        X = transformer.transform(bunch.data[:n]).astype(np.float32)
        return _Data(X, bunch.target[:n].to_numpy(), bunch.sensitive_features[:n])

    return part(train, task.recipe.n_train), part(test, task.recipe.n_test)


def _add_labels(add: _protocol.Add, model: Any, test: _Data) -> None:
    """Add what needs no attack: accuracy, CAU, confidences and EOU."""
    _protocol.add_accuracy(add, test.y, model.predict(test.X))
    proba = model.predict_proba(test.X)[:, 1]
    for attribute in ATTRIBUTES:
        groups = test.sensitive[attribute]
        table = group_confidence(test.y, proba, sensitive_features=groups)[RICH].unstack()
        for label, row in table.iterrows():
            add(f"confidence by {attribute}", row, label=label)
            add(f"EOU by {attribute}", row.max() - row.min(), label=label)
        for condition in ("label", None):
            eou = equalized_odds_unfairness(
                test.y, proba, sensitive_features=groups, condition_on=condition
            )
            add(f"EOU by {attribute}", eou, label="max" if condition else "whole groups")
