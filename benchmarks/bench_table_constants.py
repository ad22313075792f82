"""The constants of the searches of tables and labels, each with a lower and a higher value.

A constant is well set if neither shortens the mean distance by more than 0.5 % at the same cost.
Passes are those of a sample, forwards and backwards.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import torch
from common import machine, table
from sklearn.ensemble import RandomForestClassifier
from torch import nn

from robfair import BoundaryDistance, ThreatModel, boundary_distance

N_TABLES, N_ROWS = 3, 15
# Module, constant, values beside the current one, and the searches that use it.
CONSTANTS: tuple[tuple[str, str, tuple[Any, ...], str], ...] = (
    ("tabular._gradient_search", "HOPELESS", (1.0, 4.0), "network"),
    ("tabular._edits", "PARTNERS", (5, 20), "network"),
    ("tabular._distance", "FALLBACK", (150, 600), "network"),
    ("tabular._distance", "ROWS_SHARE", (0.2, 0.8), "forest"),
    ("tabular._label_search", "NEAREST", (50, 200), "forest"),
    ("tabular._label_search", "AT_ONCE", (10, 40), "forest"),
    ("tabular._label_search", "BEAM", (1, 6), "forest"),
    ("tabular._label_search", "BATCH", (25, 100), "forest"),
    ("tabular._label_search", "LISTED", (0.15, 0.6), "forest"),
    ("labels._decision", "HALVINGS", (3, 10), "labels"),
    ("labels._decision", "UNTRIED", (0.01, 0.04), "labels"),
    ("labels._decision", "ENOUGH", (0.0005, 0.002), "labels"),
    ("labels._normal", "REACH", (0.15, 0.6), "labels"),
    ("labels._normal", "ROUNDS", (2, 6), "labels"),
    ("labels._reduce", "FIRST", (0.01, 0.04), "labels"),
    ("labels._starts", "N_STARTS", (50, 200), "labels"),
    ("labels._starts", "AT_ONCE", (5, 20), "labels"),
    ("labels._starts", "COARSE", (0.05, 0.2), "labels"),
)


def make_table(seed: int) -> tuple[np.ndarray, ThreatModel]:
    """Return rows of two integers, two continuous features and two blocks, and a threat model."""
    rng = np.random.default_rng(seed)
    blocks = [np.eye(k)[rng.integers(k, size=400)] for k in (3, 5)]
    X = np.concatenate([rng.integers(-4, 5, (400, 2)), rng.normal(size=(400, 2)), *blocks], axis=1)
    whole = np.arange(12) < 2
    return X, ThreatModel(
        bounds=(-4, 4), categories=[range(4, 7), range(7, 12)], integer=whole, unit=1 + whole
    )


def make_network(seed: int, d: int) -> nn.Module:
    """Return a network whose weights depend on the seed only."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(d, 24), nn.Tanh(), nn.Linear(24, 3)).double()


def run(kind: str) -> list[BoundaryDistance]:
    """Search the rows of a few tables."""
    results = []
    for seed in range(N_TABLES):
        X, threat_model = make_table(seed)
        network = make_network(seed, X.shape[1])
        if kind == "network":
            results.append(boundary_distance(network, X[:N_ROWS], threat_model=threat_model))
            continue
        with torch.no_grad():
            y = network(torch.from_numpy(X)).argmax(dim=1).numpy()
        forest = RandomForestClassifier(20, random_state=0).fit(X, y)
        threat_model = threat_model if kind == "forest" else ThreatModel(bounds=(-4, 4))
        results.append(
            boundary_distance(forest, X[:N_ROWS], threat_model=threat_model, background=X)
        )
    return results


def summary(results: list[BoundaryDistance]) -> tuple[float, float]:
    """Return the mean distance, and the passes per sample."""
    passes = np.concatenate([r.n_forward + r.n_backward for r in results])
    return float(np.concatenate([r.distance for r in results]).mean()), float(passes.mean())


def main() -> None:
    """Print the table."""
    print(machine(), "\n")
    base = {kind: summary(run(kind)) for kind in ("network", "forest", "labels")}
    rows = []
    for path, name, values, kind in CONSTANTS:
        module = importlib.import_module(f"robfair.distance.{path}")
        current = getattr(module, name)
        for value in values:
            setattr(module, name, value)
            distance, passes = summary(run(kind))
            setattr(module, name, current)
            rows.append(
                {
                    "constant": f"{path}.{name}",
                    "search": kind,
                    "now": current,
                    "tried": value,
                    "distance": f"{100 * (distance / base[kind][0] - 1):+.2f} %",
                    "passes": f"{100 * (passes / base[kind][1] - 1):+.1f} %",
                }
            )
    print(table(rows))


if __name__ == "__main__":
    main()
