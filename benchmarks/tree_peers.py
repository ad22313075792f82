"""Peers of the distances of tree ensembles: ART's attacks by labels, and Veritas' intervals.

All return distances to points that the model itself predicts differently, and NaN where they have
none; a point that does not flip is not counted.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["art_attacks", "veritas_interval"]

Array = NDArray[np.float64]
SECONDS = 1.0  # for each row of Veritas
ITERATIONS = 10  # of HopSkipJump, of ART's default of 50: about 6,000 predictions a row
GUARD = 1e-6  # how far beyond a split its points lie


def art_attacks(
    model: Any, X: Array, norm: float, bounds: tuple[float, float]
) -> dict[str, Callable[[], Array]]:
    """Return ART's attacks for a norm by name, HopSkipJump for both and ZOO for L2."""
    evasion: Any = importlib.import_module("art.attacks.evasion")
    estimators: Any = importlib.import_module("art.estimators.classification")
    n_classes = len(model.classes_)

    def probabilities(points: Array) -> Array:
        return np.asarray(model.predict_proba(points.astype(X.dtype)), dtype=np.float64)

    wrapped = estimators.BlackBoxClassifier(
        probabilities, (X.shape[1],), n_classes, clip_values=bounds
    )

    def run(attack: Any) -> Array:
        np.random.seed(0)  # noqa: NPY002  ART draws from the global state
        points = np.asarray(attack.generate(X.copy()), dtype=X.dtype)
        flips = model.predict(points) != model.predict(X)
        return np.where(flips, np.linalg.norm(points - X, norm, axis=1), np.nan)

    hop = evasion.HopSkipJump(
        wrapped, norm=norm, max_iter=ITERATIONS, max_eval=1000, init_eval=20, verbose=False
    )
    found = {"HopSkipJump": lambda: run(hop)}
    if norm == 2:
        zoo = evasion.ZooAttack(
            wrapped, max_iter=40, binary_search_steps=3, nb_parallel=min(10, X.shape[1]),
            use_resize=False, use_importance=False, learning_rate=0.1, verbose=False,
        )  # fmt: skip
        found["ZOO"] = lambda: run(zoo)
    return found


def veritas_interval(model: Any, X: Array, start: Array) -> dict[str, Any]:
    """Return the L-inf distances and lower bounds of Veritas, searched from `start` downwards.

    `reads` is how far its margins differ from the model's: beyond rounding its numbers are of
    another model. A distance counts only where the model flips the point.
    """
    veritas: Any = importlib.import_module("veritas")
    search: Any = importlib.import_module("veritas.robustness").VeritasRobustnessSearch
    labels = model.predict(X)
    with contextlib.redirect_stdout(io.StringIO()):
        trees = veritas.get_addtree(model)
    reads = _misread(trees, model, X)
    lower, upper = np.full((2, len(X)), np.nan)
    begin = time.process_time()
    for i, x in enumerate(X.astype(np.float64)):
        source, target = (None, trees) if labels[i] == 0 else (trees, None)
        one = search(
            x,
            float(start[i]) * 1.5 + 1e-6,
            source,
            target,
            max_time=SECONDS,
            search_guard=GUARD,
            silent=True,
        )
        _, lower[i], _ = one.search()
        points = np.array(one.generated_examples, dtype=X.dtype).reshape(-1, X.shape[1])
        if len(points):
            size = np.abs(points - X[i]).max(axis=1)
            upper[i] = min(size[model.predict(points) != labels[i]], default=np.nan)
    seconds = time.process_time() - begin
    return {"lower": lower, "distance": upper, "reads": reads, "seconds": seconds}


def _misread(trees: Any, model: Any, X: Array) -> float:
    """Return the greatest difference of probabilities that its margins say from the model's."""
    margin = np.asarray(trees.eval(np.ascontiguousarray(X, dtype=np.float64))).ravel()
    own = model.predict_proba(X)[:, 1]
    if type(model).__name__ == "RandomForestClassifier":  # the sum of probabilities less 0.5
        return float(np.abs(margin / len(model.estimators_) + 0.5 - own).max())
    return float(np.abs(1 / (1 + np.exp(-margin)) - own).max())
