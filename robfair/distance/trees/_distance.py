"""Distances to the boundary of tree ensembles: the chunks of rows, and the check of every point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair._parallel import in_order
from robfair.adapters.trees import Ensemble
from robfair.distance._arrays import Flags, Indices
from robfair.distance.tabular import TableSpace
from robfair.distance.trees._compile import Compiled, compile_ensemble
from robfair.distance.trees._groups import find_groups
from robfair.distance.trees._search import Donors, Nearest, TreeSearch

__all__ = ["EnsembleBudget", "ensemble_distance"]

CHUNK = 256  # so that each of a few processes has several; 150 to 512 take as long on Adult
TABLE = 2**24  # most numbers in a table of costs
STRICTER = 1e3  # factor of the margin for rows whose point the model does not flip


@dataclass(frozen=True)
class EnsembleBudget:
    """Limits of the search of each row; where one is met, the result is an interval.

    Parameters
    ----------
    predictions : float
        The work of so many predictions, counted in conditions of leaves, for each target class.
    time_limit : float, default=None
        Seconds for each row, which the rows of a chunk share. None: no limit.
    looks : float, default=0
        Boxes of the size of its whole ball that each row may look at, where that is more work: the
        balls of deep forests hold so many leaves that `predictions` are few boxes. In L2 a box with
        prices counts twice.
    """

    predictions: float
    time_limit: float | None = None
    looks: float = 0.0


def ensemble_distance(
    ensemble: Ensemble,
    space: TableSpace,
    own: Indices,
    flips: Callable[[Indices, NDArray[Any]], Flags],
    *,
    budget: EnsembleBudget,
    donors: Donors | None = None,
    n_jobs: int | None = None,
    progress: Callable[[int], Any] = lambda n: None,
) -> Nearest:
    """Return the nearest points that the model predicts differently from the rows of a space.

    Parameters
    ----------
    ensemble : Ensemble
        The trees of the model, which have been held against its predictions of the rows.
    space : TableSpace
        The rows, and what may become of them.
    own : ndarray of int, of shape (n_rows,)
        The class of each row, as an index into the classes of the ensemble.
    flips : callable
        Tells for indices of rows and points whether the model predicts the points differently.
    budget : EnsembleBudget
        Limits of the work.
    donors : Donors, default=None
        Where rows that single moves do not flip start. None: at rows of the space.
    n_jobs : int, default=None
        Workers, as in joblib. The result does not depend on it.
    progress : callable
        Told the number of rows done, now and then.

    Returns
    -------
    Nearest
        The points. Where a lower bound is equal to the distance, it is proven that nothing is
        nearer.
    """
    rows = np.arange(len(space.X))
    groups = find_groups(ensemble, space)
    if not groups or len(rows) == 0:  # a constant
        n, d = len(rows), space.X.shape[1]
        never = np.full(n, np.inf)
        none = np.zeros(n, dtype=np.int32)
        return Nearest(never, never.copy(), np.full((n, d), np.nan), none, none.astype(bool))
    distinct, number = _distinct_rows(space.X, own)
    has_gaps = np.isnan(space.X[distinct]).any(axis=1)
    parts = []
    for gaps in (False, True):  # rows with gaps make no work for the others
        part = distinct[has_gaps == gaps]
        if len(part):
            compiled = compile_ensemble(ensemble, groups, gaps)
            search = _tree_search(ensemble, compiled, space, own, flips, budget, donors)
            parts.append(_search_rows(search, part, _greatest_sum(ensemble), n_jobs, progress))
    place = np.argsort(np.argsort(has_gaps, kind="stable"))[number]
    progress(len(rows) - len(distinct))
    return Nearest(*(values[place] for values in vars(Nearest.join(parts)).values()))


def _tree_search(
    ensemble: Ensemble,
    compiled: Compiled,
    space: TableSpace,
    own: Indices,
    flips: Callable[[Indices, NDArray[Any]], Flags],
    budget: EnsembleBudget,
    donors: Donors | None,
) -> TreeSearch:
    per_prediction = len(compiled.roots) * max(1.0, _mean(compiled.n_leaf[compiled.left < 0]))
    return TreeSearch(
        compiled,
        space,
        ensemble.base,
        own,
        ensemble.scores(space.X) if len(ensemble.base) > 1 else np.zeros((0, 1)),
        ensemble.ties_to,
        _sure(ensemble),
        flips,
        budget.predictions * per_prediction,
        budget.looks,
        np.inf if budget.time_limit is None else budget.time_limit,
        Donors(space, own) if donors is None else donors,
    )


def _distinct_rows(X: NDArray[Any], own: Indices) -> tuple[Indices, Indices]:
    """Return the first of rows of the same class and bits, in their order, and each row's place."""
    content = np.concatenate(
        [np.ascontiguousarray(part).view(np.uint8) for part in (X, own[:, None])], axis=1
    )
    _, first, number = np.unique(
        content.view(f"V{content.shape[1]}").ravel(), return_index=True, return_inverse=True
    )
    order = np.argsort(first)
    return first[order], np.argsort(order)[number]


def _search_rows(
    search: TreeSearch,
    rows: Indices,
    greatest_sum: float,
    n_jobs: int | None,
    progress: Callable[[int], Any],
) -> Nearest:
    """Search rows in chunks, and those that the model does not flip with a greater margin."""
    compiled = search.compiled
    size = min(CHUNK, max(1, TABLE // (compiled.layout.width + len(compiled.conditions.group))))
    chunks = [rows[start : start + size] for start in range(0, len(rows), size)]
    parts = []
    for part in in_order(search, chunks.__getitem__, len(chunks), n_jobs):
        progress(len(part.distance))
        parts.append(part)
    nearest = Nearest.join(parts)
    wrong = np.flatnonzero(nearest.is_wrong)
    if len(wrong):
        again = replace(search, sure=max(search.sure * STRICTER, 1e-9 * greatest_sum))(rows[wrong])
        for name, values in vars(again).items():
            getattr(nearest, name)[wrong] = values
    return nearest


def _mean(counts: Indices) -> float:
    return float(counts.mean()) if len(counts) else 0.0


def _greatest_sum(ensemble: Ensemble) -> float:
    """Return the greatest sum of absolute leaf values."""
    size = np.abs(ensemble.value).max(axis=1)
    most = np.maximum.reduceat(size, ensemble.roots)  # trees lie one after the other
    return float(most.sum() + np.abs(ensemble.base).max())


def _sure(ensemble: Ensemble) -> float:
    """Return how far a margin has to be from 0 to be certain of its sign."""
    whole = all((part == np.round(part)).all() for part in (ensemble.value, ensemble.base))
    if whole and ensemble.rounding < 0.25:
        return 0.0  # sums of whole numbers are exact in any order
    n_scores = min(2, len(ensemble.base))  # a margin is a difference of two scores, if not one
    return n_scores * (ensemble.rounding + 1e-12 * _greatest_sum(ensemble))
