"""Each method of the registry as a function of the problem, the results to fill and the options.

The searches take what they need one by one and know no options of other methods.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robfair._parallel import in_order
from robfair._problem import Problem
from robfair.adapters import LabelModel, LogitModel
from robfair.certify import TracedNetwork, UnsupportedLayer, certified_radius, traced_network
from robfair.distance._chunks import in_chunks
from robfair.distance._options import DistanceOptions
from robfair.distance._writer import ResultWriter
from robfair.distance.exact import (
    TOLERANCE,
    Reading,
    linear_distance,
    relu_distance,
)
from robfair.distance.gradient import (
    AUTO,
    STRONG,
    SearchBudget,
    deepfool_distance,
    minimum_norm_distance,
    minimum_norm_fallback,
    search_pool,
)
from robfair.distance.labels import decision_distance
from robfair.distance.tabular import (
    TABLE_ROWS,
    some_rows,
    table_decision,
    table_distance,
    table_linear,
)

QUERIES = 1000  # default budget of "decision"
BATCHES = 4  # of a quick search that are computed together


def minimum_norm(
    problem: Problem, results: ResultWriter, options: DistanceOptions, *, strong: bool
) -> None:
    """Search along the decision boundary."""
    _least_norm(problem, results, options, STRONG if strong else AUTO)


def _least_norm(
    problem: Problem, results: ResultWriter, options: DistanceOptions, most: SearchBudget
) -> None:
    budget = most.within(options.budget, problem.n_classes - 1)
    known = search_pool(problem, _company(problem, options), budget, options.random_state)
    search = partial(minimum_norm_distance, budget=budget, known=known)
    in_chunks(search, problem, results, options.n_jobs, problem.batch_size)
    minimum_norm_fallback(problem, results, budget, known)


def _company(problem: Problem, options: DistanceOptions) -> NDArray[Any]:
    """Return the rows whose search helps that of others: the background, or all of X."""
    rows = _background(problem, options)
    if rows is None:
        rows = problem.X if problem.others is None else problem.others
    known = ~np.isnan(rows.reshape(len(rows), -1)).any(axis=1)  # gaps are of some rows alone
    return rows if known.all() else rows[known]


def affine(problem: Problem, results: ResultWriter, options: DistanceOptions) -> None:
    """Compute the distances of an affine model."""
    reading = Reading.affine(problem.network.module)
    assert reading is not None  # the registry has seen to that
    reading.hold(problem, results)
    search = table_linear if problem.threat_model.is_mixed else linear_distance
    in_chunks(partial(search, reading=reading), problem, results, options.n_jobs, _several(problem))


def deepfool(
    problem: Problem, results: ResultWriter, options: DistanceOptions, *, bisect: bool
) -> None:
    """Run DeepFool."""
    search = partial(
        deepfool_distance,
        max_iter=options.max_iter,
        overshoot=options.overshoot,
        n_candidates=options.n_candidates,
        bisect=bisect,
    )
    in_chunks(search, problem, results, options.n_jobs, _several(problem))


def _several(problem: Problem) -> int:
    """Return the rows of a chunk of a quick search: several batches."""
    return BATCHES * problem.batch_size


def check_relu(model: LogitModel) -> None:
    """Raise ValueError unless the model is a ReLU network."""
    if model.is_half:
        raise ValueError(
            'method="exact" needs a module in float32 or float64, and part of this one is in half '
            'precision, which rounds too much: use method="strong".'
        )
    if model.to_logits is not None:
        raise ValueError(
            'method="exact" needs a module that returns logits, and this one does not: use '
            'method="strong".'
        )
    Reading.relu(model.module)


def relu(problem: Problem, results: ResultWriter, options: DistanceOptions) -> None:
    """Search from above, then close the interval sample by sample."""
    Reading.relu(problem.network.module).hold(problem, results)
    with results.muted():  # the bar counts the second part, which takes nearly all of the time
        _least_norm(problem, results, options.for_another_method(), AUTO)
    index = (~results.skipped).nonzero()[0]
    results.advance(len(problem.X) - len(index))
    results.write_lower(index, np.nan)
    box, mask = sides(problem), problem.threat_model.mask(problem.shape)
    # Solvers close an interval up to a tolerance, and the module's rounding keeps it open.
    width = min(max(TOLERANCE, 2**13 * torch.finfo(problem.model.dtype).eps), 0.01)
    solve = partial(
        _solve_relu,
        module=problem.network.module,
        norm=problem.norm,
        shape=problem.shape,
        box=box,
        mask=mask,
        time_limit=options.time_limit,
    )

    def sample(k: int) -> tuple[NDArray[np.float64], int, float]:
        i, codes, upper = index[k], results.predicted_codes, results.distance
        return problem.X[i].ravel().astype(np.float64), int(codes[i]), float(upper[i])

    solved = in_order(solve, sample, len(index), options.n_jobs)
    for i, (low, high, point) in zip(index, solved, strict=True):
        exact = low >= high * (1 - width)
        results.write_found(np.array([i]), high, point, exact=exact)
        results.write_lower(np.array([i]), min(low, high))  # rounding may have put it above


def _solve_relu(
    sample: tuple[NDArray[np.float64], int, float], module: nn.Module, **options: Any
) -> tuple[float, float, NDArray[np.float64] | None]:
    x, label, upper = sample
    return relu_distance(module, x, label, upper=upper, **options)


def decision(problem: Problem, results: ResultWriter, options: DistanceOptions) -> None:
    """Search by predicted labels."""
    given = _background(problem, options)
    kept, X, model = predict_and_skip(problem, results)
    assert results.predicted is not None
    if given is None:
        background, labels = problem.X, results.predicted
    else:
        background, labels = given, model.predict(given)
    nearest = decision_distance(
        FlatModel(model, problem.shape),
        X,
        results.predicted[kept],
        norm=problem.norm,
        box=sides(problem),
        mask=problem.threat_model.mask(problem.shape),
        background=background.reshape(len(background), -1).astype(np.float64),
        background_labels=labels,
        budget=QUERIES if options.budget is None else options.budget,
        random_state=options.random_state,
        n_jobs=options.n_jobs,
        progress=results.advance,
    )
    results.n_forward[kept] += nearest.n_queries.astype(np.int32)
    with results.muted():
        results.write_found(kept, nearest.distance, nearest.points)


def rows(
    problem: Problem, results: ResultWriter, options: DistanceOptions, *, strong: bool
) -> None:
    """Search the valid rows of a table with the help of gradients."""
    others = some_rows(other_rows(problem, options))
    search = partial(table_distance, others=others, strong=strong)
    in_chunks(search, problem, results, options.n_jobs, TABLE_ROWS)


def rows_by_labels(problem: Problem, results: ResultWriter, options: DistanceOptions) -> None:
    """Search the valid rows of a table by predicted labels."""
    assert isinstance(problem.model, LabelModel)
    others = some_rows(other_rows(problem, options))
    search = partial(
        _rows_by_labels,
        others=others,
        other_labels=problem.model.predict(others),
        budget=QUERIES if options.budget is None else options.budget,
        seed=options.random_state,
    )
    in_chunks(search, problem, results, options.n_jobs, TABLE_ROWS)


def _rows_by_labels(problem: Problem, results: ResultWriter, **options: Any) -> None:
    kept, _, _ = predict_and_skip(problem, results)
    table_decision(problem, results, kept, **options)


def other_rows(problem: Problem, options: DistanceOptions) -> NDArray[Any]:
    """Return the rows to start from: the background, or all of X and not a chunk."""
    background = _valid_background(problem, options)
    if background is None:
        background = problem.X if problem.others is None else problem.others
    return background


def add_lower_bounds(problem: Problem, results: ResultWriter, options: DistanceOptions) -> None:
    """Write certified bounds; NaN, and a warning that names it, where a layer is not supported."""
    index = (~results.skipped).nonzero()[0]
    results.write_lower(index, np.nan)
    if len(index) == 0:
        return
    try:
        network = traced_network(problem.network, problem.shape, problem.norm)
        search = partial(_lower_bounds, network=network)
        in_chunks(search, problem, results, options.n_jobs, _several(problem))
    except UnsupportedLayer as error:
        results.write_lower(index, np.nan)
        results.warnings.append(f"no distance is certified: {error}")


def _lower_bounds(problem: Problem, results: ResultWriter, network: TracedNetwork) -> None:
    index = (~results.skipped).nonzero()[0]
    lower = certified_radius(
        problem.network,
        torch.from_numpy(problem.X[index].reshape(len(index), -1)).double(),
        torch.from_numpy(results.predicted_codes[index]),
        torch.from_numpy(results.distance[index]),
        norm=problem.norm,
        shape=problem.shape,
        box=problem.box(torch.float64),
        mask=problem.mask(),
        batch_size=problem.batch_size,
        progress=results.advance,
        network=network,
    )
    results.write_lower(index, lower.cpu().numpy())


def sides(problem: Problem) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    return problem.threat_model.box(problem.shape)


def predict_and_skip(
    problem: Problem, results: ResultWriter
) -> tuple[NDArray[np.intp], NDArray[np.float64], LabelModel]:
    """Predict all samples and skip the wrong ones; return the others: their index, and flat."""
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


def _background(problem: Problem, options: DistanceOptions) -> NDArray[Any] | None:
    if options.background is None:
        return None
    given = problem.model.inputs(options.background)
    if given.shape[1:] != problem.shape:
        raise ValueError(
            f"background has samples of shape {given.shape[1:]}, X of {problem.shape}."
        )
    return given


def _valid_background(problem: Problem, options: DistanceOptions) -> NDArray[Any] | None:
    """Return the background, or raise ValueError if its categories are not one-hot."""
    background = _background(problem, options)
    if background is not None and problem.others is None:  # parts of a table may know fewer
        try:
            flat = background.reshape(len(background), -1)
            for block in problem.threat_model.blocks:
                block.find(flat[~np.isnan(flat[:, list(block.columns)]).any(axis=1)])
        except ValueError as error:
            raise ValueError(f"background: {error}") from None
    return background


@dataclass(frozen=True)
class FlatModel:
    """Predicts flattened points; a class so that other processes can have it."""

    model: LabelModel
    shape: tuple[int, ...]

    def __call__(self, points: NDArray[np.float64]) -> NDArray[Any]:
        return self.model.predict(points.reshape(-1, *self.shape))
