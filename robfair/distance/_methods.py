"""The methods behind `boundary_distance`: which fits a model, and how each is run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeClassifier

from robfair._problem import Problem
from robfair.adapters import (
    LabelModel,
    LogitModel,
    NotDifferentiable,
    affine_map,
    as_labels,
    as_logits,
)
from robfair.certify import UnsupportedLayer, certified_radius
from robfair.distance._writer import ResultWriter
from robfair.distance.exact import TOLERANCE, linear_distance, relu_distance, relu_layers
from robfair.distance.gradient import AUTO, STRONG, deepfool_distance, minimum_norm_distance
from robfair.distance.labels import decision_distance
from robfair.distance.tabular import table_decision, table_distance
from robfair.distance.trees import tree_distance

__all__ = ["METHODS", "Options", "add_lower_bounds", "choose", "run"]

METHODS = ("auto", "strong", "linear", "exact", "decision", "deepfool", "paper")
QUERIES = 1000  # default budget of "decision"


@dataclass(frozen=True)
class Options:
    """What the caller has set beside the method; see `boundary_distance`."""

    budget: int | None
    time_limit: float | None
    background: Any
    max_iter: int
    overshoot: float
    n_candidates: int
    seed: int
    n_jobs: int | None


def choose(model: Any, method: str, mixed: bool = False) -> tuple[LogitModel | LabelModel, str]:
    """Adapt a model, and say which method "auto" or "exact" means for it.

    Where the threat model is `mixed`, "auto" and "strong" are searches of their own for all models
    with logits.
    """
    if method == "decision":
        return as_labels(model), method
    try:
        logits = as_logits(model)
    except NotDifferentiable:
        if method not in ("auto", "exact"):
            raise
        labels = as_labels(model)
        if isinstance(labels.estimator, DecisionTreeClassifier) and not mixed:
            return labels, "exact"
        if method == "auto":
            return labels, "decision"
        raise ValueError(
            'method="exact" takes affine models, decision trees and ReLU networks; got a '
            f'{type(model).__name__}. Use method="decision".'
        ) from None
    if mixed:
        return logits, method
    affine = logits.to_logits is None and affine_map(logits.module) is not None
    if affine and method in ("auto", "strong", "exact"):
        return logits, "linear"
    if method == "linear" and not affine:
        raise ValueError(
            'method="linear" needs an affine model, and this one is not: use method="auto".'
        )
    if method == "exact":
        if logits.to_logits is not None:
            raise ValueError(
                'method="exact" needs a module that returns logits, and this one does not: use '
                'method="strong".'
            )
        relu_layers(logits.module)  # raises unless it is a ReLU network
    return logits, method


def run(method: str, problem: Problem, results: ResultWriter, options: Options) -> None:
    """Fill `results` by a method that fits the model."""
    if problem.threat_model.is_mixed:
        _table(method, problem, results, options)
    elif method == "linear":
        affine = affine_map(problem.network.module)
        assert affine is not None  # `choose` has seen to that
        linear_distance(problem, results, affine)
    elif method in ("auto", "strong"):
        plan = (AUTO if method == "auto" else STRONG).within(options.budget, problem.n_classes - 1)
        minimum_norm_distance(problem, results, plan, options.seed)
    elif method == "decision":
        _decision(problem, results, options)
    elif method == "exact" and isinstance(problem.model, LabelModel):
        _exact_tree(problem, results)
    elif method == "exact":
        _exact_relu(problem, results, options)
    else:
        deepfool_distance(
            problem,
            results,
            max_iter=options.max_iter,
            overshoot=options.overshoot,
            n_candidates=options.n_candidates,
            bisect=method == "deepfool",
        )


def add_lower_bounds(
    problem: Problem, results: ResultWriter, progress: Callable[[int], Any]
) -> None:
    """Fill `results.lower`; NaN, and a warning that names it, where a layer is not supported."""
    index = (~results.skipped).nonzero()[0]
    results.lower = np.full(len(results.distance), np.nan)
    if len(index) == 0:
        return
    try:
        lower = certified_radius(
            problem.network,
            torch.from_numpy(problem.X[index].reshape(len(index), -1)).double(),
            torch.from_numpy(results.codes[index]),
            torch.from_numpy(results.distance[index]),
            norm=problem.norm,
            shape=problem.shape,
            box=problem.box(torch.float64),
            mask=problem.mask(),
            batch_size=problem.batch_size,
            progress=progress,
        )
    except UnsupportedLayer as error:
        results.warnings.append(f"no distance is certified: {error}")
        return
    results.lower[index] = lower.cpu().numpy()


def _sides(problem: Problem) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    return problem.threat_model.box(problem.shape)


def _labels(
    problem: Problem, results: ResultWriter
) -> tuple[NDArray[Any], NDArray[Any], LabelModel]:
    """Predict all samples, skip those that are wrong; return the others, flattened, their index."""
    model = problem.model
    assert isinstance(model, LabelModel)
    results.predicted = model.predict(problem.X)
    results.n_forward += 1
    kept = np.arange(len(problem.X))
    if problem.y is not None:
        wrong = np.asarray(results.predicted != problem.y)
        results.skip(kept[wrong])
        kept = kept[~wrong]
    X = problem.X[kept].reshape(len(kept), math.prod(problem.shape)).astype(np.float64)
    return kept, X, model


def _background(problem: Problem, options: Options) -> NDArray[Any] | None:
    if options.background is None:
        return None
    given = problem.model.inputs(options.background)
    if given.shape[1:] != problem.shape:
        raise ValueError(
            f"background has samples of shape {given.shape[1:]}, X of {problem.shape}."
        )
    return given


def _decision(problem: Problem, results: ResultWriter, options: Options) -> None:
    given = _background(problem, options)
    kept, X, model = _labels(problem, results)
    assert results.predicted is not None
    if given is None:
        background, labels = problem.X, results.predicted
    else:
        background, labels = given, model.predict(given)
    found = decision_distance(
        _Flat(model, problem.shape),
        X,
        results.predicted[kept],
        norm=problem.norm,
        box=_sides(problem),
        mask=problem.threat_model.mask(problem.shape),
        background=background.reshape(len(background), -1).astype(np.float64),
        background_labels=labels,
        budget=QUERIES if options.budget is None else options.budget,
        random_state=options.seed,
        n_jobs=options.n_jobs,
        progress=results.progress,
    )
    results.n_forward[kept] += found.n_queries.astype(np.int32)
    _write(results, kept, found.distance, found.points)


def _table(method: str, problem: Problem, results: ResultWriter, options: Options) -> None:
    background = _background(problem, options)
    if background is not None:
        try:
            for block in problem.threat_model.blocks:
                block.find(background.reshape(len(background), -1))
        except ValueError as error:
            raise ValueError(f"background: {error}") from None
    if method == "decision":
        kept, _, _ = _labels(problem, results)
        table_decision(
            problem,
            results,
            kept,
            background,
            budget=QUERIES if options.budget is None else options.budget,
            seed=options.seed,
            n_jobs=options.n_jobs,
        )
    else:
        table_distance(problem, results, background, strong=method == "strong")


@dataclass(frozen=True)
class _Flat:
    """Predicts flattened points; a class so that other processes can have it."""

    model: LabelModel
    shape: tuple[int, ...]

    def __call__(self, points: NDArray[np.float64]) -> NDArray[Any]:
        return self.model.predict(points.reshape(-1, *self.shape))


def _exact_tree(problem: Problem, results: ResultWriter) -> None:
    kept, X, model = _labels(problem, results)
    distance, points = tree_distance(
        model.estimator,
        X,
        norm=problem.norm,
        box=_sides(problem),
        mask=problem.threat_model.mask(problem.shape),
        progress=results.progress,
    )
    _write(results, kept, distance, points)
    results.exact[kept] = True
    results.lower = results.distance.copy()


def _write(
    results: ResultWriter,
    index: NDArray[np.intp],
    distance: NDArray[np.float64],
    points: NDArray[np.float64],
) -> None:
    """Record distances whose progress has been shown."""
    results.distance[index] = distance
    if results.adversarial is not None:
        results.adversarial[index] = points.reshape(-1, *results.problem.shape)


def _exact_relu(problem: Problem, results: ResultWriter, options: Options) -> None:
    """Search from above, then close the interval sample by sample."""
    progress, results.progress = results.progress, lambda n: None
    minimum_norm_distance(problem, results, AUTO.within(None, problem.n_classes - 1), options.seed)
    index = (~results.skipped).nonzero()[0]
    progress(len(problem.X) - len(index))
    results.lower = np.full(len(problem.X), np.nan)
    box, mask = _sides(problem), problem.threat_model.mask(problem.shape)
    solve = delayed(relu_distance)
    solved = Parallel(n_jobs=options.n_jobs, return_as="generator")(
        solve(
            problem.network.module,
            problem.X[i].ravel().astype(np.float64),
            int(results.codes[i]),
            norm=problem.norm,
            shape=problem.shape,
            box=box,
            mask=mask,
            upper=float(results.distance[i]),
            time_limit=options.time_limit,
        )
        for i in index
    )
    for i, (low, high, point) in zip(index, solved, strict=True):
        results.distance[i], results.lower[i] = high, min(low, high)
        results.exact[i] = low >= high * (1 - TOLERANCE)
        if point is not None and results.adversarial is not None:
            results.adversarial[i] = point.reshape(problem.shape)
        progress(1)
