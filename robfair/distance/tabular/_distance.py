"""Distances in tables, whose adversarial rows are valid rows: categories, integers, units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robfair._problem import Problem
from robfair.adapters import LabelModel
from robfair.distance._arrays import Array, Flags, Indices
from robfair.distance._writer import ResultWriter
from robfair.distance.labels import decision_distance
from robfair.distance.tabular._best import BestRows
from robfair.distance.tabular._budget import TABLE_AUTO, TABLE_STRONG
from robfair.distance.tabular._gaps import FlaggedRows
from robfair.distance.tabular._gradient_search import GradientSearch
from robfair.distance.tabular._label_search import LabelSearch
from robfair.distance.tabular._oracle import TableOracle
from robfair.distance.tabular._space import TableRows, TableSpace, valid_costs

TABLE_ROWS = 1024  # samples that are searched together, so that the memory is bounded
MOST_OTHERS = 4000  # rows that are looked at as starts
# Of a budget of labels, the rest being for the continuous features. In bench_table_constants.py 0.2
# gives distances that are 1 % longer, 0.8 such that are 0.2 % longer with a third fewer passes.
ROWS_SHARE = 0.4
# Predictions for a sample where gradients have flipped nothing, and in "strong" for all; as many,
# at most, for reducing the best row. Half and twice give the same in bench_table_constants.py.
FALLBACK = 300


def some_rows(others: NDArray[Any]) -> NDArray[Any]:
    """Return every k-th row, so that sorted data give rows of all classes, and few of them.

    Parameters
    ----------
    others : ndarray of shape (n_others, ...)
        Rows that a search may start from.

    Returns
    -------
    ndarray
        Rows of `others`.
    """
    return others[:: max(1, -(-len(others) // MOST_OTHERS))]


def table_distance(
    problem: Problem, results: ResultWriter, others: NDArray[Any], *, strong: bool
) -> None:
    """Search rows with the help of gradients, and fill `results`.

    Parameters
    ----------
    problem, results : Problem, ResultWriter
        What to compute and where to write it.
    others : ndarray of shape (n_others, ...)
        Rows to start from where gradients flip nothing.
    strong : bool
        Whether to spend more.
    """
    dtype = torch.empty(0, dtype=problem.model.dtype).numpy().dtype
    space = TableSpace(problem.threat_model, problem.X, dtype)
    best = BestRows(space)
    with problem.network.forward(problem.shape) as forward:
        oracle = TableOracle(problem, results, space, forward)
        index = np.arange(len(problem.X))
        results.predicted_codes[:] = oracle.predict(space.X)
        results.n_forward += 1
        if problem.true_codes is not None:
            wrong = results.predicted_codes != problem.true_codes
            results.skip(index[wrong])
            index = index[~wrong]
        others = others.reshape(len(others), -1).astype(dtype)

        def flips(rows: TableRows) -> Flags:
            return oracle.margin(rows) < 0

        by_gradients = GradientSearch(oracle, best, TABLE_STRONG if strong else TABLE_AUTO)
        by_labels = LabelSearch(space, best, flips, FALLBACK)
        by_gradients.run(index)
        if strong:  # before labels offer other rows, whose edits lead elsewhere
            by_gradients.improve(index)
            by_labels.shorten(index, FALLBACK)
        left = index if strong else index[np.isinf(best.cost[index])]
        if len(left):
            by_labels.run(left, results.predicted_codes, others, oracle.predict(others))
        by_gradients.improve(index)
        by_labels.shorten(index, FALLBACK)
        _write(problem, results, oracle.confirm(best.rows[best.known(index)]))
        results.advance(len(index))


def table_decision(
    problem: Problem,
    results: ResultWriter,
    index: Indices,
    *,
    others: NDArray[Any],
    other_labels: NDArray[Any],
    budget: int,
    seed: int,
) -> None:
    """Search rows by labels alone, and fill `results`.

    Parameters
    ----------
    problem, results : Problem, ResultWriter
        What to compute and where to write it; the samples have been predicted.
    index : ndarray of int
        The samples to search.
    others, other_labels : ndarray of shape (n_others, ...), and of shape (n_others,)
        Rows to start from, and their labels.
    budget : int
        Rows that may be predicted for each sample.
    seed : int
        Seed of the search of the continuous features.
    """
    model, labels = problem.model, results.predicted
    assert isinstance(model, LabelModel)
    assert labels is not None
    space = TableSpace(problem.threat_model, problem.X, np.float64, written=True)
    best, predict = BestRows(space), partial(_predict, model, problem.shape, None)

    def flips(rows: TableRows) -> Flags:
        if len(rows) == 0:  # not every model predicts no rows
            return np.zeros(0, dtype=bool)
        results.n_forward += np.bincount(rows.sample, minlength=len(labels)).astype(np.int32)
        return np.asarray(predict(rows.points) != labels[rows.sample])

    others = others.reshape(len(others), -1).astype(np.float64)
    spent = int(ROWS_SHARE * budget) if space.continuous.any() else budget
    search = LabelSearch(space, best, flips, max(1, spent))
    search.run(index, labels, others, other_labels)
    flipped = best.known(index)
    left = (budget - spent) // 2
    if left > 0 and len(flipped):
        # The continuous features alone: in the best row, and in the sample's own.
        ends = best.rows[flipped].points
        flagged = FlaggedRows(space, ends)
        for start in (best.rows[flipped], space.unperturbed(flipped)):
            start = space.build(start, continuous=False)
            nearest = decision_distance(
                partial(_predict, model, problem.shape, flagged.read),
                flagged.write(start.points),
                labels[flipped],
                norm=space.norm,
                box=flagged.box,
                mask=flagged.mask,
                background=flagged.write(ends),
                background_labels=predict(best.rows[flipped].points),
                budget=left - 1,
                random_state=seed,
                n_jobs=1,  # the chunks of rows are the parallel work
                progress=lambda n: None,
            )
            results.n_forward[flipped] += nearest.n_queries.astype(np.int32)
            hit = np.isfinite(nearest.distance)
            points = np.clip(flagged.read(nearest.points), space.low, space.high)
            rows = space.build(replace(start, points=points)[hit])
            best.offer(rows, flips(rows))
    _write(problem, results, best.rows[np.isfinite(best.cost)])
    results.advance(len(index))


def _predict(
    model: LabelModel,
    shape: tuple[int, ...],
    read: Callable[[Array], Array] | None,
    points: NDArray[Any],
) -> NDArray[Any]:
    """Predict the labels of flattened points, once they are read."""
    points = points if read is None else read(points)
    return model.predict(points.reshape(-1, *shape))


def _write(problem: Problem, results: ResultWriter, rows: TableRows) -> None:
    """Record flipped rows."""
    if len(rows) == 0:
        return
    cost = valid_costs(problem, rows.sample, rows.points)
    with results.muted():  # the samples are counted as they are searched
        results.write_found(rows.sample, cost, rows.points)
