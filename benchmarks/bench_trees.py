"""Ensembles of trees: the share of distances that are proven, the time, and peers' distances.

Targets: boosting on UCI Adult 99 % proven at 10 ms a row; forests there a mean `lower` of 0.9 times
the distance at 0.2 s; on a hundred informative features 0.5; L-inf at most 1.01 (1.05) times the
point of Veritas, and never below its lower bound; never longer than "decision".
"""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from common import machine, options, table, verdict
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, make_classification
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from tree_peers import art_attacks, veritas_interval

from robfair import ThreatModel, boundary_distance
from robfair._adult_table import adult_table

Array = NDArray[Any]
MISREAD = 1e-4  # a difference of probabilities that rounding does not explain
NEAR = 1e-4  # rows nearer to a split than this say nothing in a ratio
TOLERANCE = 1e-5  # of points that Veritas moves beyond a split

LEGEND = """\
All columns may change, as numbers, without a box. "ms" is the processor's time for a row of one
worker, reading the model and checking every point included; "proven" the share of rows with status
"exact"; "lower" the mean of lower / distance over rows farther than {near}. Peers are told as the
mean of their distance over ours, on the rows on which they found a point (share in brackets where
these are not all): "decision" is method="decision", HopSkipJump (10 rounds) and ZOO (L2 alone) are
ART's attacks, on the first rows. Veritas searches L-inf for up to 1 s a row; "V lower" is the
greatest ratio of its lower bound to our distance. "misread" means that the probabilities it reads
are not the model's (by more than {misread}), so that its numbers say nothing. "(near)": no row is
farther than {near}."""


@dataclass(frozen=True)
class Data:
    """Rows to train on and rows to measure, and the numbers of the latter."""

    name: str
    X: Array
    y: Array
    X_test: Array
    rows: int


def data_sets(n: Any) -> list[Data]:
    """Return UCI Adult, breast cancer and a hundred informative features, in float32."""
    adult = adult_table()
    cancer = load_breast_cancer()
    X = (cancer.data - cancer.data.mean(axis=0)) / cancer.data.std(axis=0)
    wide, y = make_classification(
        8000, 100, n_informative=100, n_redundant=0, n_clusters_per_class=8, random_state=0
    )
    X, wide = X.astype(np.float32), wide.astype(np.float32)
    label = (adult.y_train == adult.y_train.max()).astype(int)
    return [
        Data("Adult", adult.X_train, label, adult.X_test, n.rows),
        Data("cancer", X[:400], cancer.target[:400], X[400:], n.cancer_rows),
        Data("100 features", wide[:7000], y[:7000], wide[7000:], n.wide_rows),
    ]


def models() -> dict[str, Any]:
    """Ensembles of 100 to 200 trees; those of libraries that are not installed are left out."""
    found = {
        "GradientBoosting 100x3": GradientBoostingClassifier(random_state=0),
        "HistGradientBoosting 100": HistGradientBoostingClassifier(random_state=0),
        "forest 100x8": RandomForestClassifier(100, max_depth=8, random_state=0),
    }
    for name, module, kind, kwargs in (
        ("XGBoost 200x4", "xgboost", "XGBClassifier", {"max_depth": 4}),
        ("XGBoost 200x6", "xgboost", "XGBClassifier", {"max_depth": 6}),
        ("LightGBM 200", "lightgbm", "LGBMClassifier", {"verbose": -1}),
    ):
        try:
            library = importlib.import_module(module)
        except ImportError:
            print(f"{module} is not installed: left out.")
            continue
        found[name] = getattr(library, kind)(n_estimators=200, n_jobs=1, random_state=0, **kwargs)
    return found


def measure(model: Any, data: Data, norm: float, few: int) -> dict[str, Any]:
    """Search by leaves, and by peers a few of the rows."""
    X, threat_model = data.X_test[: data.rows], ThreatModel(norm)
    start = time.process_time()
    result = boundary_distance(model, X, threat_model=threat_model)
    seconds = time.process_time() - start
    assert result.lower is not None
    own, lower = result.distance, result.lower
    far = np.isfinite(own) & (own > NEAR)
    got: dict[str, Any] = {
        "ms": seconds * 1000 / len(X),
        "proven": float((lower >= own).mean()),
        "lower": float((lower[far] / own[far]).mean()) if far.any() else np.nan,
    }
    part, near = X[:few], own[:few]
    searches: dict[str, Callable[[], Array]] = {
        "decision": lambda: (
            boundary_distance(
                model, part, method="decision", threat_model=threat_model, background=data.X[:2000]
            ).distance
        )
    }
    try:
        searches |= art_attacks(model, part, norm, (float(data.X.min()), float(data.X.max())))
    except ImportError as error:
        got["ART"] = f"not installed ({error.name})"
    for name, search in searches.items():
        got[name] = _ratio(search(), near)
    if np.isinf(norm):
        got["Veritas"], got["V lower"] = _veritas(model, X, own)
    return got


def _ratio(found: Array, own: Array) -> str:
    both = np.isfinite(found) & np.isfinite(own) & (own > NEAR)
    if not both.any():
        return "-" if (own > NEAR).any() else "(near)"
    share = both.sum() / (own > NEAR).sum()
    return f"{found[both].mean() / own[both].mean():.3f}" + (f" ({share:.2f})" if share < 1 else "")


def _veritas(model: Any, X: Array, own: Array) -> tuple[str, str]:
    try:
        got = veritas_interval(model, X, own)
    except ImportError:
        return "not installed", "-"
    except Exception as error:  # it has a class of its own for models without a reader
        return f"none ({type(error).__name__[:11]})", "-"
    if got["reads"] > MISREAD:
        return f"misread ({got['reads']:.2g})", "-"
    far = own > NEAR
    most = np.max((got["lower"][far] - TOLERANCE) / own[far]) if far.any() else np.nan
    ratio = _ratio(got["upper"], own)
    return f"{ratio}, {got['seconds'] * 1000 / len(X):.0f} ms", f"{most:.5f}"


def targets(data: str, model: str, got: dict[str, Any]) -> bool:
    """Tell whether the targets of speed and proof are met."""
    if data == "Adult" and not model.startswith("forest"):
        return bool(got["proven"] >= 0.99 and got["ms"] <= 10)
    return bool(got["lower"] >= (0.5 if data == "100 features" else 0.9) and got["ms"] <= 200)


def main() -> None:
    """Print a row for each data set, model and norm, and write all to trees.json."""
    whole = {"type": int}
    asked = options(
        __doc__,
        {
            "--rows": {**whole, "default": 100},
            "--cancer-rows": {**whole, "default": 60},
            "--wide-rows": {**whole, "default": 12},
            "--peer-rows": {**whole, "default": 5},
        },
    )
    if asked.quick:
        asked.rows, asked.cancer_rows, asked.wide_rows, asked.peer_rows = 8, 4, 1, 1
    head = machine(["scikit-learn"])
    print(head + "\n")
    print(LEGEND.format(near=NEAR, misread=MISREAD) + "\n")
    told = []
    for data in data_sets(asked):
        rows = []
        for name, model in models().items():
            model.fit(data.X, data.y)
            for norm in (np.inf, 2.0):
                got = measure(model, data, norm, asked.peer_rows)
                met = targets(data.name, name, got)
                label = "L-inf" if np.isinf(norm) else "L2"
                told.append({"data": data.name, "model": name, "norm": label, **got, "met": met})
                rows.append(_row(told[-1]))
                print(".", end="", flush=True)
        print(f"\n{data.name}, {data.rows} rows, {data.X.shape[1]} features; peers: "
              f"{min(asked.peer_rows, data.rows)} rows, Veritas all\n")  # fmt: skip
        print(table(rows) + "\n", flush=True)
        if not asked.quick:
            content = json.dumps({"machine": head, "results": told}, indent=1)
            Path(__file__).with_name("trees.json").write_text(content + "\n", encoding="utf-8")
    print(f"{sum(one['met'] for one in told)} of {len(told)} targets met.")


def _row(one: dict[str, Any]) -> dict[str, str]:
    numbers = {"ms": ".1f", "proven": ".3f", "lower": ".3f"}
    row = {key: one[key] for key in ("model", "norm")}
    row |= {key: format(one[key], digits) for key, digits in numbers.items()}
    for key in ("decision", "HopSkipJump", "ZOO", "Veritas", "V lower"):
        row[key] = one.get(key, "-")
    return {**row, "target": verdict(one["met"])}


if __name__ == "__main__":
    main()
