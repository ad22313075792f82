"""The minimum-norm search of "auto" and "strong".

Each row is searched from its own gradients. Where adversarial training has made the network flat
around the rows, these end in the wrong minimum, so that there are starts from other rows, too: on
the way to rows of other classes, and along what has flipped similar rows. The other rows are those
of a pool, which is searched first and shows whether such starts pay on this network.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from robfair._batches import batches
from robfair._geometry import norms
from robfair._problem import Problem
from robfair.distance._arrays import Indices
from robfair.distance._writer import ResultWriter
from robfair.distance.gradient._budget import SearchBudget
from robfair.distance.gradient._descent import DescentSchedule, Nearest
from robfair.distance.gradient._noise import NoiseSource
from robfair.distance.gradient._own_search import Batch, OwnSearch, own_search
from robfair.distance.gradient._pool import (
    Pool,
    content_order,
    contents,
    feature_scale,
    pool_rows,
)
from robfair.distance.gradient._suggestions import follow_others, follow_similar, look_around

__all__ = ["SearchedPool", "minimum_norm_distance", "minimum_norm_fallback", "search_pool"]

# Samples of another class that are tried as starts where all else fails; bounds the passes.
MOST_OTHERS = 100


@dataclass(frozen=True)
class SearchedPool:
    """The pool, and all that its search has written."""

    pool: Pool
    results: ResultWriter
    noise: NoiseSource

    def take(self, results: ResultWriter, index: Indices) -> Indices:
        """Write what is known of rows that are in the pool; return the others."""
        places = {content: place for place, content in enumerate(contents(self.pool.x))}
        x = results.problem.tensor(index)
        place = np.array([places.get(content, -1) for content in contents(x)], dtype=np.intp)
        known, place = index[place >= 0], place[place >= 0]
        for name in ("predicted_codes", "flat", "failed", "n_forward", "n_backward"):
            getattr(results, name)[known] = getattr(self.results, name)[place]
        truth = results.problem.true_codes
        right = np.ones(len(known), dtype=bool)
        if truth is not None:
            right = truth[known] == results.predicted_codes[known]
            results.skip(known[~right])
            results.failed[known[~right]] = False
        found = right & np.isfinite(self.results.distance[place])
        assert self.results.adversarial is not None
        results.write_found(
            known[found],
            self.results.distance[place[found]],
            self.results.adversarial[place[found]],
        )
        results.give_up(known[right & ~found & ~results.failed[known]])
        return np.setdiff1d(index, known)


def search_pool(
    problem: Problem, others: NDArray[np.generic], budget: SearchBudget, seed: int
) -> SearchedPool:
    """Search the pool.

    Parameters
    ----------
    problem : Problem
        All samples.
    others : ndarray of shape (m, ...)
        The rows, of which some are the pool.
    budget, seed : SearchBudget, int
        As of :func:`minimum_norm_distance`.

    Returns
    -------
    SearchedPool
        The pool, and what its search has written.
    """
    scale = feature_scale(problem, others)
    rows = pool_rows(problem, others, scale)
    problem = replace(problem, X=rows, y=None, true_codes=None)
    noise = NoiseSource.drawn(seed, scale, problem.mask())
    results = ResultWriter(problem, keep_adversarial=True)
    with own_search(problem, results, budget.own) as own:
        places = np.arange(len(rows))
        parts = [own.begin(places[each]) for each in batches(len(rows), problem.batch_size)]
        x, label = (torch.cat([getattr(each, name) for each in parts]) for name in ("x", "label"))
        pool = Pool(x, label, _snapshot(parts), problem.mask())
        search = _Search(own, budget, pool, noise)
        if budget.pays > 0:  # what a row would have by itself
            for part in parts:
                own.converge(part, budget.own.finish, n_again=0)
        alone = search.with_pool(parts)
        for part in parts:
            alone.others(part, range(budget.n_others))
        helped = search.with_pool(parts)
        gain = _gain(alone.pool, helped.pool)
        if gain > budget.flat:
            for part in parts:
                alone.others(part, range(budget.n_others, budget.n_others + 1))
            helped = search.with_pool(parts)
        shared = helped
        for turn in range(budget.n_rounds):
            for part in parts:
                shared.share(part, turn)
            shared = search.with_pool(parts)
        for part in parts:
            search.around(part)
            own.converge(part, search.last(budget.n_others + budget.n_rounds > 0))
            own.write(part)
        pool = replace(
            search.with_pool(parts).pool,
            own_pays=gain <= budget.flat,
            others_pay=budget.n_others > 0 and gain >= budget.pays,
            sharing_pays=budget.n_rounds > 0 and _gain(helped.pool, shared.pool) >= budget.pays,
        )
    return SearchedPool(pool, results, noise)


def _snapshot(parts: Iterable[Batch]) -> Nearest:
    """Copy what is known of all rows at some time."""
    nearest = [part.nearest for part in parts]
    points = torch.cat([each.points for each in nearest])
    return Nearest(points, torch.cat([each.distance for each in nearest]))


def _gain(before: Pool, after: Pool) -> float:
    """Return by which share distances have shrunk; a row that is newly flipped counts as one."""
    shrunk = 1 - after.nearest.distance / before.nearest.distance
    newly = before.nearest.distance.isinf() & after.nearest.distance.isfinite()
    shrunk = torch.where(newly, 1.0, shrunk.nan_to_num(0.0))
    return float(shrunk.mean())


def minimum_norm_distance(
    problem: Problem, results: ResultWriter, budget: SearchBudget, known: SearchedPool
) -> None:
    """Fill `results` by the minimum-norm search; flag the samples that no start flips as failed.

    Parameters
    ----------
    problem, results : Problem, ResultWriter
        The samples, and the arrays to fill.
    budget : SearchBudget
        Starts, steps and rounds.
    known : SearchedPool
        Of :func:`search_pool`.
    """
    rest = known.take(results, np.arange(len(problem.X)))
    pool = known.pool
    with own_search(problem, results, budget.own) as own:
        search = _Search(own, budget, pool, known.noise)
        for each in batches(len(rest), problem.batch_size):
            batch = own.begin(rest[each], race=pool.own_pays)
            if len(batch) == 0:  # all of them are wrong
                continue
            if pool.others_pay:
                search.others(batch, range(budget.n_others + (not pool.own_pays)))
            if pool.sharing_pays:
                for turn in range(budget.n_rounds):
                    search.share(batch, turn)
            search.around(batch)
            own.converge(batch, search.last(pool.others_pay or pool.sharing_pays))
            own.write(batch)


@dataclass(frozen=True)
class _Search:
    """The search of a batch with the help of a pool."""

    own: OwnSearch
    budget: SearchBudget
    pool: Pool
    noise: NoiseSource

    def with_pool(self, parts: Iterable[Batch]) -> _Search:
        """Return the search with what is known of the pool now."""
        return replace(self, pool=replace(self.pool, nearest=_snapshot(parts)))

    def others(self, batch: Batch, ranks: range) -> None:
        """Start on the ways to rows of other classes, those of some ranks, the nearest first."""
        if len(ranks):
            follow_others(self.own, batch, self.pool, self.budget, self.noise.of(batch.x), ranks)

    def share(self, batch: Batch, turn: int) -> None:
        """Start along what has flipped similar rows."""
        follow_similar(self.own, batch, self.pool, self.budget, self.noise.of(batch.x), turn)

    def around(self, batch: Batch) -> None:
        """Start around the best points."""
        look_around(self.own, batch, self.budget, self.noise.of(batch.x))

    def last(self, helped: bool) -> DescentSchedule:
        """Return the last descent: a long one where only starts have raced."""
        return self.budget.polish if helped else self.budget.own.finish


def minimum_norm_fallback(
    problem: Problem, results: ResultWriter, budget: SearchBudget, known: SearchedPool
) -> None:
    """Try more where no start has flipped a sample: DeepFool, and other samples.

    Parameters
    ----------
    problem, results : Problem, ResultWriter
        All samples, and what :func:`minimum_norm_distance` has written of them.
    budget, known : SearchBudget, SearchedPool
        As there.
    """
    # DeepFool's steps grow until one flips the sample, so it takes what no start has flipped.
    rest = np.flatnonzero(results.failed)
    if len(rest) == 0:
        return
    order = content_order(problem, problem.X, known.noise.scale)
    with own_search(problem, results, budget.own) as search:
        for each in batches(len(rest), problem.batch_size):
            batch = search.deepfool(rest[each])
            _start_at_others(search, batch, order)
            search.converge(batch, budget.own.finish)
            search.write(batch)
            search.results.give_up(batch.index[results.failed[batch.index]])


def _start_at_others(search: OwnSearch, batch: Batch, order: Indices) -> None:
    """Start rows that are not flipped at other samples: flat logits give no direction."""
    problem, results, objective = search.problem, search.results, search.objective
    for row in batch.nearest.distance.isinf().nonzero()[:, 0].tolist():
        i = batch.index[row]
        # Some of them where there are many, so that the passes stay few.
        other = order[results.predicted_codes[order] != results.predicted_codes[i]][:MOST_OTHERS]
        points = problem.tensor(other)
        if objective.mask is not None:
            points = torch.where(objective.mask, points, batch.x[row])
        margin = objective.margin(points, batch.label[row].expand(len(points)))
        size = norms(points - batch.x[row], problem.norm)
        size = torch.where(margin < 0, size, torch.inf)
        results.n_forward[i] += len(points)
        if len(size) and bool(size.amin().isfinite()):
            best = int(size.argmin())
            found = Nearest(points[best : best + 1].clone(), size[best : best + 1].clone())
            batch.nearest.update(torch.tensor([row], device=size.device), found)
