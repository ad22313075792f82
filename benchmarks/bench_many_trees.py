"""Ensembles of 200 trees of depth 6 over many rows: processor time and memory.

Targets on two cores: XGBoost over the 15,060 test rows of UCI Adult in 20 s; 15,000 rows of a
hundred features in 60 s. With ``--rows`` only so many are measured, each model and norm by a
process of its own, and their time is multiplied: rows are searched one by one, and reading a model
takes less than a second. ``--rows 15060`` measures all of Adult; ``--budget`` ends each search
earlier.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import os
import resource
import sys
import time
from typing import Any

import numpy as np
from common import machine, options, table, verdict
from numpy.typing import NDArray
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from robfair import ThreatModel, boundary_distance
from robfair._adult_table import adult_table

Array = NDArray[Any]
CORES = 2
TARGETS = {"Adult": (15_060, 20.0), "100 features": (15_000, 60.0)}  # rows and seconds
MODELS = ("XGBoost", "LightGBM", "HistGradientBoosting", "forest")
LEGEND = """\
All columns may change, as numbers, without a box. "rows" were measured; "CPU s" is the processor's
time for 15,060 rows of Adult or 15,000 of a hundred informative features, which {cores} cores
share; "distance" the mean; "peak" the memory of the whole process, with data and training."""


def ensemble(name: str) -> Any:
    """Return an ensemble of 200 trees of depth 6."""
    if name == "forest":
        return RandomForestClassifier(200, max_depth=6, random_state=0)
    if name == "HistGradientBoosting":
        return HistGradientBoostingClassifier(max_iter=200, max_depth=6, random_state=0)
    module, kind = {
        "XGBoost": ("xgboost", "XGBClassifier"), "LightGBM": ("lightgbm", "LGBMClassifier"),
    }[name]  # fmt: skip
    quiet = {"verbose": -1} if name == "LightGBM" else {}
    found = getattr(importlib.import_module(module), kind)
    return found(n_estimators=200, max_depth=6, n_jobs=1, random_state=0, **quiet)


def rows_of(data: str) -> tuple[Array, Array, Array]:
    """Return samples to train with, their classes, and samples to measure."""
    if data == "Adult":
        adult = adult_table()
        return adult.X_train, (adult.y_train == adult.y_train.max()).astype(int), adult.X_test
    X, y = make_classification(
        22_000, 100, n_informative=100, n_redundant=0, n_clusters_per_class=8, random_state=0
    )
    X = X.astype(np.float32)
    return X[:7000], y[:7000], X[7000:]


def measure(data: str, name: str, norm: float, n_rows: int, budget: int | None) -> dict[str, Any]:
    """Measure some rows; the peak is that of the process."""
    X, y, rows = rows_of(data)
    model = ensemble(name).fit(X, y)
    rows = rows[:n_rows]
    start = time.process_time()
    result = boundary_distance(model, rows, threat_model=ThreatModel(norm), budget=budget, n_jobs=1)
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert result.lower is not None
    return {
        "rows": len(rows),
        "ms": seconds * 1000 / len(rows),
        "distance": float(result.distance.mean()),
        "proven": float((result.lower >= result.distance).mean()),
        "lower": float(result.lower.sum() / result.distance.sum()),
        "GB": peak * (1 if sys.platform == "darwin" else 1024) / 1e9,
    }


def settings() -> argparse.Namespace:
    """Return the arguments of the command line."""
    asked = options(
        __doc__,
        {
            "--data": {"nargs": "*", "default": list(TARGETS), "choices": list(TARGETS)},
            "--rows": {"type": int, "default": 200},
            "--budget": {"type": int},
            "--models": {"nargs": "*", "default": MODELS, "choices": MODELS},
        },
    )
    if asked.quick:
        asked.rows, asked.models = 2, ("forest",)
    return asked


def main() -> None:
    """Print the table."""
    asked, lines = settings(), []
    os.environ["OMP_NUM_THREADS"] = "1"  # of the processes
    for data in asked.data:
        whole, wanted = TARGETS[data]
        for name in asked.models:
            for norm in (np.inf, 2.0):
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    got = pool.apply(measure, (data, name, norm, asked.rows, asked.budget))
                seconds = got["ms"] * whole / 1000
                line = {"data": data, "model": name, "norm": "L-inf" if np.isinf(norm) else "L2"}
                line |= {"rows": f"{got['rows']:,}", "ms": f"{got['ms']:.1f}"}
                line |= {"CPU s": f"{seconds:,.0f}", "distance": f"{got['distance']:.4f}"}
                line |= {"proven": f"{got['proven']:.3f}", "lower": f"{got['lower']:.3f}"}
                line |= {"peak": f"{got['GB']:.2f} GB"}
                line |= {"target": verdict(seconds <= wanted * CORES)}
                lines.append(line)
                print(*line.values(), flush=True)
    print("\n" + machine(["scikit-learn"]) + "\n")
    print(LEGEND.format(cores=CORES) + "\n")
    print(table(lines))


if __name__ == "__main__":
    main()
