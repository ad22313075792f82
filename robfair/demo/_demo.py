"""The demo: natural, TRADES, FARMUR and EvenMargin classifiers on UCI Adult, by race and by sex."""

from __future__ import annotations

import importlib.util
import shlex
import time
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from robfair._adult_table import AdultTable, adult_table
from robfair._files import replacing
from robfair.auditing import Comparison, compare
from robfair.datasets import load_adult
from robfair.estimators import (
    AdversarialClassifier,
    EvenMarginClassifier,
    FarmurClassifier,
    NaturalClassifier,
)
from robfair.plotting import RobustnessCurveDisplay

__all__ = ["run_demo"]

PARTITIONS = ("race", "sex")
# In standard deviations. For some rows no search finds an adversarial inside the box, which leaves
# the distance unknown; from this distance on a row counts as out of reach.
TAU_MAX = 10.0


def run_demo(
    output: Path,
    *,
    epochs: int = 12,
    random_state: int = 0,
    n_train: int | None = None,
    n_test: int | None = None,
    verbose: int = 1,
) -> dict[str, Comparison]:
    """Train classifiers on UCI Adult by four methods, audit them, write the results.

    Parameters
    ----------
    output : Path
        Folder for tables, curves, the fitted models and the test rows; made if there is none.
    epochs : int, default=12
        Epochs of each model. FARMUR spends a sixth of them, as in the paper, on retraining, and
        EvenMargin a quarter on evening out.
    random_state : int, default=0
        Seed of all models.
    n_train : int, default=None
        Use only the first rows of the training data. None: all 30,162.
    n_test : int, default=None
        Use only the first rows of the test data. None: all 15,060.
    verbose : int, default=1
        1 shows progress bars.

    Returns
    -------
    dict of str to Comparison
        By partition: race and sex.

    Raises
    ------
    ImportError
        If skops, with which the models are saved, is not installed.
    """
    if importlib.util.find_spec("skops") is None:
        raise ImportError('the demo saves its models by skops: pip install "robfair[cli]"')
    started = time.perf_counter()
    output.mkdir(parents=True, exist_ok=True)
    table = adult_table()
    X, y = table.X_train[:n_train], table.y_train[:n_train]
    X_test, y_test = table.X_test[:n_test], table.y_test[:n_test]
    models = fit_models(table, X, y, epochs, random_state=random_state, verbose=verbose)
    results = {}
    for partition in PARTITIONS:
        # What is trained for one partition is compared on that one.
        chosen = {k: m for k, m in models.items() if " by " not in k or k.endswith(partition)}
        results[partition] = compare(
            chosen, X_test, y_test, threat_model=table.threat_model, tau_max=TAU_MAX, certify=True,
            sensitive_features=table.groups_test[partition].iloc[: len(y_test)],
            random_state=random_state, verbose=verbose,
        )  # fmt: skip
    write_results(output, results, models, table)
    with replacing(output / "test-rows.csv") as temporary:
        load_adult(split="test").frame[:n_test].to_csv(temporary, index=False)
    for partition, comparison in results.items():
        print(f"\n=== UCI Adult, {len(y_test):,} test rows, groups by {partition} ===\n")
        print(comparison)
        print()
        print(comparison.verdict(baseline="TRADES"))
        print(
            "\nRob(P) mixes the labels that a group has with how far its rows lie from the "
            "boundary. Within labels it is:"
        )
        print(comparison.by_label["robustness"].unstack("label").round(3))
    print(
        f"\nOne seed ({random_state}). Tables, curves, models and the test rows are in {output}. "
        f"{time.perf_counter() - started:.0f} s.\nNext, one of these models as a stranger would "
        f"audit it, attacked by steps that a person could take:\n\n  {audit_command(output)}"
    )
    return results


def fit_models(
    table: AdultTable, X: NDArray[np.float32], y: NDArray[Any], epochs: int, **common: Any
) -> dict[str, Any]:
    """Train the models that are compared, all for the same number of epochs."""
    common["batch_size"] = 256
    attack: dict[str, Any] = {"eps": 0.1, "threat_model": table.threat_model}
    retrain, even = max(epochs // 6, 1), max(epochs // 4, 1)  # in all as many epochs as the others
    by_groups = {
        "FARMUR": FarmurClassifier(
            max_epochs=epochs - retrain, retrain_epochs=retrain, **attack, **common
        ),
        "EvenMargin": EvenMarginClassifier(
            max_epochs=epochs - even, even_epochs=even, **attack, **common
        ),
    }
    models = {
        "natural": NaturalClassifier(max_epochs=epochs, **common).fit(X, y),
        "TRADES": AdversarialClassifier(max_epochs=epochs, **attack, **common).fit(X, y),
    }
    for partition, (name, model) in product(PARTITIONS, by_groups.items()):
        groups = table.groups_train[partition].iloc[: len(X)]
        models[f"{name} by {partition}"] = clone(model).fit(X, y, groups=groups)
    return models


def write_results(
    output: Path, results: dict[str, Comparison], models: dict[str, Any], table: AdultTable
) -> None:
    """Write tables as CSV, curves as PNG and the fitted models as skops files."""
    for partition, comparison in results.items():
        with replacing(output / f"{partition}-overall.csv") as temporary:
            comparison.overall.to_csv(temporary, index_label="model")
        with replacing(output / f"{partition}-groups.csv") as temporary:
            comparison.by_group.to_csv(temporary)
        with replacing(output / f"{partition}-labels.csv") as temporary:
            comparison.by_label.to_csv(temporary)
        draw_curves(comparison, output / f"{partition}-curves.png")
    import skops.io  # an extra: the package works without it

    for name, model in models.items():
        path = output / f"{name.lower().replace(' ', '-')}.skops"
        # Of the original columns, so that `robfair audit` can open it.
        with replacing(path) as temporary:
            skops.io.dump(make_pipeline(table.transformer, model), temporary)


def audit_command(output: Path) -> str:
    """Return a command line that audits a model of the demo."""
    model, rows = output / "farmur-by-race.skops", output / "test-rows.csv"
    command = ["robfair", "audit", str(model), str(rows), "--target", "income"]
    command += ["--sensitive", "race", "--mutable", "hours-per-week,education-num,occupation"]
    return shlex.join([*command, "--max-rows", "1000", "--html", str(model.with_suffix(".html"))])


def draw_curves(comparison: Comparison, path: Path) -> None:
    """Draw I_P of every group, a panel per model (figure 2 of paper A)."""
    # Not through pyplot, which would keep the figure, or open a window.
    from matplotlib.figure import Figure

    audits = comparison.audits.values()
    figure = Figure(figsize=(5 * len(audits), 4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(audits), sharey=True))
    displays = [
        RobustnessCurveDisplay.from_predictions(
            a.y_true, a.distances.predicted, distance=a.distances.distance,
            sensitive_features=a.sensitive_features, name=a.name,
        )
        for a in audits
    ]  # fmt: skip
    # One axis for all panels: from where but a hundredth of the rows is left in each.
    ends = [display.mean.tau[display.mean.fraction <= 0.01] for display in displays]
    tau_max = max((float(end[0]) for end in ends if len(end)), default=None)
    for display, ax in zip(displays, panels, strict=True):
        display.plot(ax=ax, tau_max=tau_max)
        ax.label_outer()
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png", dpi=120)
