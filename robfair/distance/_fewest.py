"""Rows of tables in L-inf without the moves that cost nothing and change nothing.

The norm counts the longest move alone, so that a search may leave others that the flip does not
need. A reader of a row would take each of them for a part of the reason. Trees leave none in a norm
ball (0 of 267 on random data), and in that of a network all features move.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robfair._confirm import beyond_rounding
from robfair._problem import Problem, margins
from robfair.adapters import LabelModel
from robfair.distance._runners import FlatModel
from robfair.distance._writer import ResultWriter

__all__ = ["undo_free_moves"]

Rows = NDArray[np.intp]
Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


def undo_free_moves(problem: Problem, results: ResultWriter, most: int | None = None) -> None:
    """Return features of the points in L-inf to the samples' own values, one after the other.

    The shortest moves come first, and the longest stays, so that no distance changes. The model is
    asked about each, and that counts as a pass.

    Parameters
    ----------
    problem : Problem
        The samples, the model and the threat model.
    results : ResultWriter
        Holds the points.
    most : int, default=None
        Passes that no sample may exceed. None: any number.
    """
    assert results.adversarial is not None
    points = results.adversarial.reshape(len(problem.X), -1)
    X = problem.X.reshape(points.shape)
    rows = np.flatnonzero(np.isfinite(results.distance) & (results.distance > 0))
    unit = _units(problem, X.shape[1])
    cost = _costs(problem, X[rows], points[rows].astype(np.float64), unit)
    n_moved, order = (cost > 0).sum(axis=1), np.argsort(-cost, axis=1, kind="stable")
    flips = _asks(problem, results)
    for place in range(1, int(n_moved.max(initial=0))):
        at = np.flatnonzero(place < n_moved)
        feature = order[at, n_moved[at] - place]  # the shortest first; the longest has place n
        if most is not None:
            left = results.n_forward[rows[at]] < most
            at, feature = at[left], feature[left]
        if not len(at):
            continue
        i = rows[at]
        tried = np.where(unit == feature[:, None], X[i], points[i]).astype(points.dtype)
        results.n_forward[i] += 1
        flipped = flips(i, tried)
        points[i[flipped]] = tried[flipped]


def _units(problem: Problem, n_features: int) -> Rows:
    """Return the first column of what moves together with each column: its block, or itself."""
    unit = np.arange(n_features)
    for block in problem.threat_model.blocks:
        unit[list(block.columns)] = min(block.columns)
    return unit


def _costs(problem: Problem, X: NDArray[Any], points: Array, unit: Rows) -> Array:
    """Return what the moves of points cost, at the first column of what moves together."""
    threat_model, gap = problem.threat_model, np.isnan(points)
    moves = np.where(gap, 0, np.abs(points - X)) / threat_model.units(problem.shape)
    cost = np.zeros_like(moves)
    np.maximum.at(cost.T, unit, moves.T)
    for block in threat_model.blocks:
        first = min(block.columns)
        cost[:, first] = np.where(cost[:, first] > 0, threat_model.category_cost, 0)
    return cost


def _asks(problem: Problem, results: ResultWriter) -> Callable[[Rows, NDArray[Any]], Flags]:
    """Return what tells whether points are predicted differently from samples, for certain."""
    if isinstance(problem.model, LabelModel):
        predict, labels = FlatModel(problem.model, problem.shape), results.predicted_labels()
        return lambda i, points: np.asarray(predict(points) != labels[i])
    network, codes = problem.network, torch.from_numpy(results.predicted_codes)

    def flips(i: Rows, points: NDArray[Any]) -> Flags:
        sure = np.zeros(len(i), dtype=bool)
        with torch.no_grad(), network.forward(problem.shape) as forward:
            for start in range(0, len(i), problem.batch_size):
                part = slice(start, start + problem.batch_size)
                logits = forward(network.tensor(points[part].reshape(-1, *problem.shape)))
                gap = margins(logits, codes[i[part]].to(network.device))
                sure[part] = beyond_rounding(gap, logits, network.dtype).cpu().numpy()
        return sure

    return flips
