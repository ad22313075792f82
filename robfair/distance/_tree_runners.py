"""The runners for trees and their ensembles: models that predict labels and can be read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robfair._problem import Problem
from robfair.adapters import LabelModel
from robfair.adapters.trees import Ensemble, UnreadableTrees, read_trees
from robfair.distance._chunks import in_chunks
from robfair.distance._options import DistanceOptions
from robfair.distance._runners import FlatModel, other_rows, predict_and_skip, sides
from robfair.distance._writer import ResultWriter
from robfair.distance.exact import ReadingDiffers
from robfair.distance.tabular import TableSpace
from robfair.distance.trees import Donors, EnsembleBudget, ensemble_distance, tree_distance

__all__ = ["tree", "trees"]

TREE = "the model does not predict what its tree says: a subclass or a patch may be the reason."
TREES = "the model does not predict what its trees say: a subclass or a patch may be the reason."
ROWS = 2**13  # of a chunk, which walk a tree in milliseconds
PREDICTIONS = 2000  # default budget: 99 % of Adult's rows are proven, but for LightGBM in L2
DONORS = 128  # rows to start from, where single moves flip nothing
LOOKS = 110  # in L2: lower bounds of forests of depth 8 on Adult come to 0.99 times the distance


def tree(problem: Problem, results: ResultWriter, options: DistanceOptions) -> None:
    """Compute the distances of a decision tree."""
    in_chunks(_tree, problem, results, options.n_jobs, ROWS)


def _tree(problem: Problem, results: ResultWriter) -> None:
    kept, X, model = predict_and_skip(problem, results)
    assert results.predicted is not None
    own = results.predicted[kept]
    _hold_tree(model, X, own)
    distance, points = tree_distance(
        model.estimator,
        X,
        norm=problem.norm,
        box=sides(problem),
        mask=problem.threat_model.mask(problem.shape),
        progress=results.advance,
    )
    near = np.isfinite(distance)
    results.n_forward[kept[near]] += 1
    if near.any() and np.any(FlatModel(model, problem.shape)(points[near]) == own[near]):
        raise ReadingDiffers(TREE)
    with results.muted():
        results.write_found(kept, distance, points, exact=True)
    results.write_lower(kept, distance)


def _hold_tree(model: LabelModel, X: NDArray[np.float64], predicted: NDArray[Any]) -> None:
    """Raise ReadingDiffers unless the leaves of a tree have the labels that it predicts."""
    estimator = model.estimator
    leaf = estimator.tree_.apply(X.astype(np.float32))
    read = estimator.classes_[estimator.tree_.value[leaf, 0].argmax(axis=1)]
    if np.any(read != predicted):
        raise ReadingDiffers(TREE)


def trees(problem: Problem, results: ResultWriter, options: DistanceOptions) -> None:
    """Search an ensemble of trees until the nearest point is proven, or a bound of the work."""
    kept, X, model = predict_and_skip(problem, results)
    assert results.predicted is not None
    labels = results.predicted[kept]
    ensemble = _read(model, X, labels)
    if len(kept) == 0:
        results.write_lower(kept, np.nan)
        return
    nearest = ensemble_distance(
        ensemble,
        _space(problem, problem.X[kept]),
        np.argmax(labels[:, None] == ensemble.classes, axis=1),
        _Flips(FlatModel(model, problem.shape), labels),
        budget=_budget(problem, options),
        donors=_donors(problem, options, model, ensemble),
        n_jobs=options.n_jobs,
        progress=results.advance,
    )
    results.n_forward[kept] += nearest.n_predicted
    if nearest.is_wrong.any():
        raise ReadingDiffers(TREES)
    with results.muted():
        proven = nearest.lower >= nearest.distance
        results.write_found(kept, nearest.distance, nearest.points, exact=proven)
    results.write_lower(kept, nearest.lower)


def _donors(
    problem: Problem, options: DistanceOptions, model: LabelModel, ensemble: Ensemble
) -> Donors:
    """Return some rows of all X, or of the background: which follows from their content."""
    X = other_rows(problem, options)
    order = np.lexsort(X.reshape(len(X), -1).T)
    X = X[order[:: -(-len(X) // DONORS)]]
    labels = FlatModel(model, problem.shape)(X.reshape(len(X), -1).astype(np.float64))
    own = np.argmax(labels[:, None] == ensemble.classes, axis=1)
    return Donors(_space(problem, X), own)


def _space(problem: Problem, X: NDArray[Any]) -> TableSpace:
    dtype = torch.empty(0, dtype=problem.model.dtype).numpy().dtype
    return TableSpace(problem.threat_model, X, dtype, written=True)


def _budget(problem: Problem, options: DistanceOptions) -> EnsembleBudget:
    if options.budget is not None:
        return EnsembleBudget(options.budget, options.time_limit)
    return EnsembleBudget(PREDICTIONS, options.time_limit, LOOKS if problem.norm == 2 else 0)


def _read(model: LabelModel, X: NDArray[np.float64], labels: NDArray[Any]) -> Ensemble:
    """Read the trees of a model, or raise ReadingDiffers if they do not predict what it does."""
    try:
        ensemble = read_trees(model.estimator, model.categories)
    except UnreadableTrees as error:
        name = type(getattr(model.estimator, "last", model.estimator)).__name__
        raise ReadingDiffers(f"the trees of this {name} cannot be read: {error}.") from None
    if ensemble.n_features != X.shape[1] or ensemble.differs(X, labels).any():
        raise ReadingDiffers(TREES)
    return ensemble


@dataclass(frozen=True)
class _Flips:
    """Tells whether points are predicted differently from rows; other processes can have it."""

    predict: FlatModel
    labels: NDArray[Any]

    def __call__(self, rows: NDArray[np.intp], points: NDArray[Any]) -> NDArray[np.bool_]:
        differs: NDArray[np.bool_] = self.predict(points) != self.labels[rows]
        return differs
