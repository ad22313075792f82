"""Black boxes: distances from labels alone, beside those from gradients, and their time on trees.

Targets: mean distance of `method="decision"` within 5 % of that of "auto" on networks; under 300
seconds on two cores for 2,000 rows of UCI Adult, for a random forest and for gradient boosting.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from cases import adult_cases
from common import adult, machine, options, table, verdict
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from robfair import BoundaryDistance, ThreatModel, boundary_distance

NEARNESS, SECONDS = 1.05, 300.0
BUDGETS = (250, 1000)  # rows passed to predict, per sample
N_JOBS = 2
THREAT = ThreatModel(bounds=(0, 1))

LEGEND = f"""\
UCI Adult, 104 features in [0, 1] (one-hot columns move like all others), L2, in the box. "budget"
is the number of rows that may be passed to `predict` for a sample, "queries" the number that were.
Every returned point is predicted again: "found" is the share that has another label than the
sample. One run each with n_jobs={N_JOBS}, after a small one as a warm-up."""


@dataclass
class BlackBox:
    """A network of which nothing but its labels is known."""

    network: nn.Module
    classes_: NDArray[np.intp]

    def predict(self, X: NDArray[Any]) -> NDArray[np.intp]:
        """Labels of the rows of X."""
        with torch.inference_mode():
            logits = self.network(torch.from_numpy(np.asarray(X, dtype=np.float32)))
        return self.classes_[logits.argmax(dim=1).numpy()]


@dataclass
class Outcome:
    """Result of a search by labels, predicted again."""

    result: BoundaryDistance
    found: NDArray[np.bool_]
    seconds: float


def decide(model: Any, X: NDArray[Any], budget: int) -> Outcome:
    """Search with labels only, and predict what comes back."""

    def search(X: NDArray[Any], budget: int) -> BoundaryDistance:
        return boundary_distance(
            model,
            X,
            method="decision",
            threat_model=THREAT,
            budget=budget,
            random_state=0,
            n_jobs=N_JOBS,
        )

    search(X[:16], 50)
    start = time.perf_counter()
    result = search(X, budget)
    seconds = time.perf_counter() - start
    flipped = model.predict(np.nan_to_num(result.adversarial)) != model.predict(X)
    return Outcome(result, flipped, seconds)


def row(
    name: str, outcome: Outcome, budget: int, reference: NDArray[np.float64] | None = None
) -> dict[str, str]:
    """Row of a table; distances are compared where both are finite."""
    found, distance = outcome.found, outcome.result.distance
    cells = {
        "model": name,
        "budget": f"{budget:,}",
        "rows": f"{len(found):,}",
        "seconds": f"{outcome.seconds:.1f}",
        "found": f"{found.mean():.1%}",
        "queries": f"{np.mean(outcome.result.n_forward):.0f}",
        "mean L2": f"{distance[found].mean():.4f}",
    }
    if reference is not None:
        both = found & np.isfinite(reference)
        cells["reference"] = f"{reference[both].mean():.4f}"
        cells["ratio"] = f"{distance[both].mean() / reference[both].mean():.4f}"
    return cells


def networks(quick: bool) -> None:
    """Compare with gradients."""
    print("### Networks as black boxes\n")
    rows = []
    for case in adult_cases(quick):
        box = BlackBox(case.model, np.arange(case.n_classes))
        X = case.x.numpy()
        auto = boundary_distance(case.model, X, threat_model=THREAT).distance
        for budget in BUDGETS[: 1 if quick else None]:
            rows.append(row(case.title, decide(box, X, budget), budget, auto))
    print('"reference" is the mean of `method="auto"` with gradients.\n')
    print(table(rows))
    last = [float(cells["ratio"]) for cells in rows if cells["budget"] == rows[-1]["budget"]]
    print(
        f"\nWith a budget of {rows[-1]['budget']}: ratio at most {max(last):.4f}, target "
        f"{NEARNESS:g}: {verdict(max(last) <= NEARNESS)}.\n",
        flush=True,
    )


def trees(quick: bool) -> None:
    """Forests, by labels only; a single tree, whose exact distances are known."""
    print("### Trees\n")
    n, budget, size = (64, BUDGETS[0], 20) if quick else (2000, BUDGETS[-1], 200)
    (X, y, X_test, _), _, _ = adult(unit_interval=True)
    X_test = X_test[:n]
    models = {
        f"RandomForestClassifier({size})": RandomForestClassifier(size, random_state=0),
        f"HistGradientBoostingClassifier({size})": HistGradientBoostingClassifier(
            max_iter=size, random_state=0
        ),
    }
    rows = []
    for name, model in models.items():
        rows.append(row(name, decide(model.fit(X, y), X_test, budget), budget))
    print(table(rows))
    slowest = max(float(cells["seconds"]) for cells in rows)
    print(
        f"\nSlowest: {slowest:.0f} s, target {SECONDS:g}: {verdict(slowest < SECONDS)} "
        f"(on {os.cpu_count()} cores).\n",
        flush=True,
    )
    tree = DecisionTreeClassifier(min_samples_leaf=20, random_state=0).fit(X, y)
    exact = boundary_distance(tree, X_test, method="exact", threat_model=THREAT).distance
    print('A single tree; "reference" is the mean of `method="exact"`.\n')
    name = f"DecisionTreeClassifier, {tree.get_n_leaves()} leaves"
    print(table([row(name, decide(tree, X_test, budget), budget, exact)]))
    print(flush=True)


def main() -> None:
    """Print the tables."""
    args = options(__doc__ or "")
    print("## Black boxes\n")
    print(f"{machine(['scikit-learn'])}\n")
    print(f"{LEGEND}\n", flush=True)
    networks(args.quick)
    trees(args.quick)


if __name__ == "__main__":
    main()
