"""Ensembles of trees: the share of distances that are proven, the time, and peers' distances.

Targets: boosting on UCI Adult 99 % proven at 10 ms a row; forests there a mean `lower` of 0.9 times
the distance at 0.2 s; on a hundred informative features 0.5; L-inf at most 1.01 (1.05) times the
point of Veritas, and never below its lower bound; never longer than "decision".

Every search of every case is written to trees.json when it is done, and a run that was ended goes
on there; ``--again leaves`` measures robfair anew and keeps the peers.
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
RESULTS = Path(__file__).with_name("trees.json")
Searches = dict[str, Callable[[], dict[str, Any]]]
Save = Callable[[], None]

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


def searches(model: Any, data: Data, norm: float, few: int, own: Array | None) -> Searches:
    """Return the searches by name; peers get a few of the rows, and Veritas all of them in L-inf.

    `own` are the distances of the search by leaves, from which Veritas starts.
    """
    X, part, threat_model = data.X_test[: data.rows], data.X_test[:few], ThreatModel(norm)

    def leaves() -> dict[str, Any]:
        start = time.process_time()
        result = boundary_distance(model, X, threat_model=threat_model)
        seconds = time.process_time() - start
        assert result.lower is not None
        proven = float((result.lower >= result.distance).mean())
        return {"distance": result.distance, "lower": result.lower, "proven": proven,
                "seconds": seconds}  # fmt: skip

    def decision() -> dict[str, Any]:
        result = boundary_distance(
            model, part, method="decision", threat_model=threat_model, background=data.X[:2000]
        )
        return {"distance": result.distance}

    def art(name: str) -> Callable[[], dict[str, Any]]:
        bounds = (float(data.X.min()), float(data.X.max()))
        return lambda: {"distance": art_attacks(model, part, norm, bounds)[name]()}

    found: Searches = {"leaves": leaves, "decision": decision, "HopSkipJump": art("HopSkipJump")}
    if norm == 2:
        return found | {"ZOO": art("ZOO")}
    return found | {"Veritas": lambda: veritas_interval(model, X, own)}


def run(
    told: dict[str, Any], data: Data, name: str, model: Any, norm: float, few: int, save: Save
) -> None:
    """Add the searches of a case that are not told yet; each is saved as soon as it is done."""
    own = np.array(told["leaves"]["distance"]) if "leaves" in told else None
    for search in searches(model, data, norm, few, own):
        if search in told:
            continue
        if not hasattr(model, "classes_"):
            model.fit(data.X, data.y)
        start = time.process_time()
        try:
            got = searches(model, data, norm, few, own)[search]()
        except ImportError as error:
            print(f"{error.name} is not installed: {search} is left out.")
            continue
        except Exception as error:  # Veritas has a class of its own for models without a reader
            if search != "Veritas":
                raise
            got = {"error": type(error).__name__}
        told[search] = {"seconds": time.process_time() - start} | {
            key: [float(f"{x:.7g}") for x in value] if np.ndim(value) else value
            for key, value in got.items()
        }
        if search == "leaves":
            own = got["distance"]
        save()
        print(f"{data.name}, {name}, {_label(norm)}, {search}: {told[search]['seconds']:.1f} s",
              flush=True)  # fmt: skip


def summary(told: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of the table."""
    arrays = {key: {k: np.array(v) for k, v in one.items()} for key, one in told.items()}
    mine = arrays["leaves"]
    own, lower = mine["distance"], mine["lower"]
    far = np.isfinite(own) & (own > NEAR)
    got: dict[str, Any] = {
        "ms": float(mine["seconds"]) * 1000 / len(own),
        "proven": float(mine["proven"]),
        "lower": float((lower[far] / own[far]).mean()) if far.any() else np.nan,
    }
    for name in ("decision", "HopSkipJump", "ZOO"):
        if name in arrays:
            found = arrays[name]["distance"]
            got[name] = _ratio(found, own[: len(found)])
    if "Veritas" in arrays:
        got["Veritas"], got["V lower"] = _veritas(arrays["Veritas"], own)
    return got


def _ratio(found: Array, own: Array) -> str:
    both = np.isfinite(found) & np.isfinite(own) & (own > NEAR)
    if not both.any():
        return "-" if (own > NEAR).any() else "(near)"
    share = both.sum() / (own > NEAR).sum()
    return f"{found[both].mean() / own[both].mean():.3f}" + (f" ({share:.2f})" if share < 1 else "")


def _veritas(got: dict[str, Any], own: Array) -> tuple[str, str]:
    if "error" in got:
        return f"none ({str(got['error'])[:11]})", "-"
    if got["reads"] > MISREAD:
        return f"misread ({got['reads']:.2g})", "-"
    far = own > NEAR
    most = np.max((got["lower"][far] - TOLERANCE) / own[far]) if far.any() else np.nan
    return (
        f"{_ratio(got['distance'], own)}, {got['seconds'] * 1000 / len(own):.0f} ms",
        f"{most:.5f}",
    )


def targets(data: str, model: str, got: dict[str, Any]) -> bool:
    """Tell whether the targets of speed and proof are met."""
    if data == "Adult" and not model.startswith("forest"):
        return bool(got["proven"] >= 0.99 and got["ms"] <= 10)
    return bool(got["lower"] >= (0.5 if data == "100 features" else 0.9) and got["ms"] <= 200)


def main() -> None:
    """Run what trees.json does not hold yet, and print a table for each data set."""
    whole = {"type": int}
    asked = options(
        __doc__,
        {
            "--rows": {**whole, "default": 100},
            "--cancer-rows": {**whole, "default": 60},
            "--wide-rows": {**whole, "default": 12},
            "--peer-rows": {**whole, "default": 5},
            "--again": {"nargs": "*", "default": [], "help": "searches that are run again"},
        },
    )
    if asked.quick:
        asked.rows, asked.cancer_rows, asked.wide_rows, asked.peer_rows = 8, 4, 1, 1
    known = json.loads(RESULTS.read_text()) if RESULTS.exists() and not asked.quick else {}
    cases: dict[str, Any] = known.setdefault("cases", {})
    for case in cases.values():
        for name in asked.again:
            case.pop(name, None)

    def save() -> None:
        known["machine"] = machine(["scikit-learn"])
        if not asked.quick:
            RESULTS.write_text(json.dumps(known, separators=(",", ":")) + "\n", encoding="utf-8")

    tables, n_met = [], 0
    for data in data_sets(asked):
        rows = []
        for name, model in models().items():
            for norm in (np.inf, 2.0):
                label = _label(norm)
                told = cases.setdefault(f"{data.name}, {name}, {label}", {})
                run(told, data, name, model, norm, asked.peer_rows, save)
                got = summary(told)
                met = targets(data.name, name, got)
                rows.append(_row({"model": name, "norm": label, **got, "met": met}))
                n_met += met
        few = min(asked.peer_rows, data.rows)
        head = f"{data.name}, {data.rows} rows, {data.X.shape[1]} features; peers: {few} rows"
        tables.append(f"{head}, Veritas all\n\n{table(rows)}\n")
    print(known.get("machine", "") + "\n")
    print(LEGEND.format(near=NEAR, misread=MISREAD) + "\n")
    print("\n".join(tables))
    print(f"{n_met} of {len(cases)} targets met.")


def _label(norm: float) -> str:
    return "L-inf" if np.isinf(norm) else "L2"


def _row(one: dict[str, Any]) -> dict[str, str]:
    numbers = {"ms": ".1f", "proven": ".3f", "lower": ".3f"}
    row = {key: one[key] for key in ("model", "norm")}
    row |= {key: format(one[key], digits) for key, digits in numbers.items()}
    for key in ("decision", "HopSkipJump", "ZOO", "Veritas", "V lower"):
        row[key] = one.get(key, "-")
    return {**row, "target": verdict(one["met"])}


if __name__ == "__main__":
    main()
