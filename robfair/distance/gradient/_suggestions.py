"""Starts that other rows suggest: the ways to other classes, and what has flipped similar rows.

The gradient at a row says little where adversarial training has made the network flat around it.
Other rows know more: the way to a row of another class crosses the boundary somewhere, and features
that flip a row often flip its neighbours.
"""

from __future__ import annotations

import torch
from torch import Tensor

from robfair._geometry import norms
from robfair.distance.gradient._budget import SearchBudget
from robfair.distance.gradient._descent import MarginObjective
from robfair.distance.gradient._noise import RowNoise
from robfair.distance.gradient._own_search import Batch, OwnSearch
from robfair.distance.gradient._pool import Pool

__all__ = ["follow_others", "follow_similar", "look_around"]

OWN_SHARE = 0.5  # of a row's own direction in a start that a similar row suggests


def follow_others(
    search: OwnSearch,
    batch: Batch,
    pool: Pool,
    budget: SearchBudget,
    noise: RowNoise,
    ranks: range,
) -> None:
    """Descend from points near the boundary on the ways to the nearest rows of other classes."""
    places, shares, sizes = _on_the_way(search, batch, pool, budget)
    for k in (rank for rank in ranks if rank < sizes.shape[1]):
        rows = sizes[:, k].isfinite().nonzero()[:, 0]
        way = pool.ways(batch.x[rows], places[rows, k])
        points = search.objective.clip(batch.x[rows] + shares[rows, k, None] * way)
        search.descend(batch, rows, points, budget.others, noise.of(rows, k))


def _on_the_way(
    search: OwnSearch, batch: Batch, pool: Pool, budget: SearchBudget
) -> tuple[Tensor, Tensor, Tensor]:
    """Return rows of the pool, shares of the ways to them, and sizes of these, each (n, k).

    The shortest come first. A size is infinite where there is no such way.
    """
    objective = search.objective
    apart, places = pool.rivals(batch.x, batch.label, budget.n_rivals)
    shares, sizes = torch.zeros_like(apart), torch.full_like(apart, torch.inf)
    for k in range(apart.shape[1]):
        rows = apart[:, k].isfinite().nonzero()[:, 0]
        if len(rows) == 0:
            continue
        way = pool.ways(batch.x[rows], places[rows, k])
        share = _share_of_way(objective, batch[rows], way, budget.probes)
        search.count(batch, rows, budget.probes)
        points = objective.clip(batch.x[rows] + share[:, None] * way)
        size = norms(points - batch.x[rows], objective.norm)
        shares[rows, k] = share
        sizes[rows, k] = torch.where(size > 0, size, torch.inf)
    sizes, order = sizes.sort(dim=1, stable=True)
    return places.gather(1, order), shares.gather(1, order), sizes


def _share_of_way(objective: MarginObjective, batch: Batch, way: Tensor, n_probes: int) -> Tensor:
    """Return the share of each way up to about the boundary, by regula falsi."""
    low, high = torch.zeros_like(batch.margin), torch.ones_like(batch.margin)
    # A guess for the far end: a row of another class, if all features that differ are mutable.
    at_low, at_high = batch.margin, -batch.margin
    share = torch.full_like(low, 0.5)
    for _ in range(n_probes):
        margin = objective.margin(objective.clip(batch.x + share[:, None] * way), batch.label)
        flipped = margin < 0
        low, at_low = torch.where(flipped, low, share), torch.where(flipped, at_low, margin)
        high, at_high = torch.where(flipped, share, high), torch.where(flipped, margin, at_high)
        secant = (at_low / (at_low - at_high)).nan_to_num(0.5).clamp(0.1, 0.9)
        share = low + (high - low) * secant
    return share


def follow_similar(
    search: OwnSearch, batch: Batch, pool: Pool, budget: SearchBudget, noise: RowNoise, turn: int
) -> None:
    """Try the perturbations of similar rows, and descend from the most promising ones."""
    place = budget.n_rivals + turn * budget.n_kept  # behind those of the rivals
    donors, sizes = _tried(search, batch, pool, budget)
    n_known = sizes.isfinite().sum(dim=1)
    own, objective = batch.nearest.points - batch.x, search.objective
    for k in range(budget.n_kept):
        rows = n_known.nonzero()[:, 0]
        # In later turns those that come next.
        rank = (turn * budget.n_kept + k) % n_known[rows]
        x, reached = batch.x[rows], batch.nearest.distance[rows]
        way = objective.clip(x + pool.moved[donors[rows, rank]]) - x
        mixed = _unit(way, objective.norm) + OWN_SHARE * _unit(own[rows], objective.norm)
        size = torch.where(reached.isfinite(), reached, sizes[rows, rank])
        points = objective.clip(x + _unit(mixed, objective.norm) * size[:, None])
        search.descend(batch, rows, points, budget.share, noise.of(rows, place + k))


def look_around(search: OwnSearch, batch: Batch, budget: SearchBudget, noise: RowNoise) -> None:
    """Descend from random points around the best ones."""
    for k in range(budget.n_around):
        rows = batch.nearest.distance.isfinite().nonzero()[:, 0]
        points = _around(search.objective, batch[rows], noise.of(rows, -1 - 2 * k))
        search.descend(batch, rows, points, budget.share, noise.of(rows, -2 - 2 * k))


def _tried(
    search: OwnSearch, batch: Batch, pool: Pool, budget: SearchBudget
) -> tuple[Tensor, Tensor]:
    """Return similar rows, and the sizes that their perturbations should have here, each (n, k).

    The shortest first: a perturbation should be as long as where the margin would be 0 were it
    linear on the way. Infinite where it does not lower the margin.
    """
    donors = pool.similar(batch.x, batch.label, budget.n_donors)
    sizes = batch.x.new_full(donors.shape, torch.inf)
    objective = search.objective
    for k in range(donors.shape[1]):
        rows = (donors[:, k] >= 0).nonzero()[:, 0]
        if len(rows) == 0:
            continue
        x, label = batch.x[rows], batch.label[rows]
        points = objective.clip(x + pool.moved[donors[rows, k]])
        margin, size = objective.margin(points, label), norms(points - x, objective.norm)
        search.count(batch, rows, 1)
        seen = batch.nearest[rows]
        seen.see(points, size, margin)
        batch.nearest.update(rows, seen)
        fallen = batch.margin[rows] - margin
        promising = (fallen > 0) & (size > 0)
        wanted = size * batch.margin[rows] / torch.where(promising, fallen, 1)
        sizes[rows, k] = torch.where(promising, wanted, torch.inf)
    sizes, order = sizes.sort(dim=1, stable=True)
    return donors.gather(1, order), sizes


def _around(objective: MarginObjective, batch: Batch, noise: RowNoise) -> Tensor:
    """Return random points as far from the best ones as the rows are."""
    radius, d = batch.nearest.distance, batch.x.shape[1]
    # Long before it is scaled, since `scaled` leaves a short L-inf perturbation as it is.
    delta = objective.scaled(noise.at(0) * (d * radius)[:, None], radius)
    points = objective.clip(batch.nearest.points + delta)
    return torch.where((points == batch.x).all(dim=1)[:, None], batch.nearest.points, points)


def _unit(ways: Tensor, norm: float) -> Tensor:
    """Scale rows to norm 1; 0 stays 0."""
    size = norms(ways, norm)
    return ways / torch.where(size > 0, size, 1)[:, None]
