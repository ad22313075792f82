"""Distances in tables, whose rows are to stay rows: categories, integers, units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robfair._problem import Problem
from robfair.adapters import LabelModel
from robfair.distance._writer import ResultWriter
from robfair.distance.labels import decision_distance
from robfair.distance.tabular._gradient_search import TABLE_AUTO, TABLE_STRONG, TableSearch
from robfair.distance.tabular._label_search import LabelSearch
from robfair.distance.tabular._oracle import Judge
from robfair.distance.tabular._space import Array, Best, Flags, Moves, Rows, Space

__all__ = ["table_decision", "table_distance"]

CHUNK = 1024  # samples
ROWS_SHARE = 0.4  # of a budget of labels, the rest being for the continuous features
# Predictions for a sample where gradients have found nothing, and in "strong" for all; as many, at
# most, for going back from the best row.
RESCUE = 300


def table_distance(
    problem: Problem, results: ResultWriter, background: NDArray[Any] | None, *, strong: bool
) -> None:
    """Fill `results` by the search of rows with the help of gradients.

    Parameters
    ----------
    problem, results : Problem, ResultWriter
        What to compute and where to write it.
    background : ndarray of shape (n_background, ...), or None
        Rows to start from where gradients find nothing. None: the samples.
    strong : bool
        Whether to spend more.
    """
    dtype = torch.empty(0, dtype=problem.model.dtype).numpy().dtype
    space = Space(problem.threat_model, problem.X, dtype)
    best = Best(space)
    with problem.network.forward(problem.shape) as forward:
        judge = Judge(problem, results, space, forward)
        index = np.arange(len(problem.X))
        results.codes[:] = judge.predict(space.X)
        results.n_forward += 1
        if problem.codes is not None:
            wrong = results.codes != problem.codes
            results.skip(index[wrong])
            index = index[~wrong]
        rows, codes = space.X, results.codes
        if background is not None:
            rows = background.reshape(len(background), -1).astype(dtype)
            codes = judge.predict(rows)

        def flips(moves: Moves) -> Flags:
            margin, _ = judge.margin(moves.owner, moves.points)
            return margin < 0

        search = TableSearch(space, judge, best, TABLE_STRONG if strong else TABLE_AUTO)
        by_labels = LabelSearch(space, best, flips, RESCUE)
        for part in _chunks(index):
            search.run(part)
            others = part if strong else part[np.isinf(best.cost[part])]
            by_labels.run(others, results.codes, rows, codes)
            for _ in range(2 if strong else 1):
                search.improve(part)
                by_labels.shorten(part, RESCUE)
            found = part[np.isfinite(best.cost[part])]
            _write(problem, results, judge.confirm(best.moves[found]))
            results.progress(len(part))


def table_decision(
    problem: Problem,
    results: ResultWriter,
    index: Rows,
    background: NDArray[Any] | None,
    *,
    budget: int,
    seed: int,
    n_jobs: int | None,
) -> None:
    """Fill `results` by the search of rows by labels alone.

    Parameters
    ----------
    problem, results : Problem, ResultWriter
        What to compute and where to write it; the samples have been predicted.
    index : ndarray of int
        The samples to search.
    background : ndarray of shape (n_background, ...), or None
        Rows to start from. None: the samples.
    budget : int
        Rows that may be predicted for each sample.
    seed : int
        Seed of the search of the continuous features.
    n_jobs : int or None
        Processes of the same.
    """
    model, labels = problem.model, results.predicted
    assert isinstance(model, LabelModel)
    assert labels is not None
    space = Space(problem.threat_model, problem.X, np.float64)
    best, predict = Best(space), _Rescaled(model, problem.shape, np.ones_like(space.unit))

    def flips(moves: Moves) -> Flags:
        results.n_forward += np.bincount(moves.owner, minlength=len(labels)).astype(np.int32)
        return np.asarray(predict(moves.points) != labels[moves.owner])

    rows, their_labels = space.X, labels
    if background is not None:
        rows = background.reshape(len(background), -1).astype(np.float64)
        their_labels = predict(rows)
    spent = int(ROWS_SHARE * budget) if space.continuous.any() else budget
    search = LabelSearch(space, best, flips, max(1, spent))
    for part in _chunks(index):
        search.run(part, labels, rows, their_labels)
        results.progress(len(part))
    found = index[np.isfinite(best.cost[index])]
    left = (budget - spent) // 2
    if left > 0 and len(found):
        # The continuous features alone: in the best row, and in the sample's own.
        others = best.moves[found].points / space.unit
        scaled = replace(predict, unit=space.unit)
        for start in (best.moves[found], space.start(found)):
            start = space.build(start, continuous=False)
            nearest = decision_distance(
                scaled,
                start.points / space.unit,
                labels[found],
                norm=space.norm,
                box=(space.low / space.unit, space.high / space.unit),
                mask=space.continuous,
                background=others,
                background_labels=predict(best.moves[found].points),
                budget=left - 1,
                random_state=seed,
                n_jobs=n_jobs,
                progress=lambda n: None,
            )
            results.n_forward[found] += nearest.n_queries.astype(np.int32)
            hit = np.isfinite(nearest.distance)
            points = np.clip(nearest.points * space.unit, space.low, space.high)
            moves = space.build(replace(start, points=points)[hit])
            best.offer(moves, flips(moves))
    _write(problem, results, best.moves[np.isfinite(best.cost)])


@dataclass(frozen=True)
class _Rescaled:
    """Predicts flattened points that are given in units; a class so that processes can have it."""

    model: LabelModel
    shape: tuple[int, ...]
    unit: Array

    def __call__(self, points: NDArray[Any]) -> NDArray[Any]:
        return self.model.predict((points * self.unit).reshape(-1, *self.shape))


def _chunks(index: Rows) -> list[Rows]:
    """Part the samples, which are searched by themselves, so that the memory is bounded."""
    return [index[first : first + CHUNK] for first in range(0, len(index), CHUNK)]


def _write(problem: Problem, results: ResultWriter, moves: Moves) -> None:
    """Record flipped rows, if they are rows that an attacker may make."""
    if len(moves) == 0:
        return
    points = moves.points.reshape(-1, *problem.shape)
    start = problem.X[moves.owner]
    valid = problem.threat_model.valid(start, points)
    if not valid.all():  # a bug, and a wrong number would hide it
        raise RuntimeError(f"{int((~valid).sum())} rows that were found break the threat model.")
    results.distance[moves.owner] = problem.threat_model.cost(start, points)
    if results.adversarial is not None:
        results.adversarial[moves.owner] = points
