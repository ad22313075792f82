"""Best-first search over boxes of bins, all rows at once, to the optimum or a budget.

A box holds an interval of bins of each group; its cost is that of its nearest point. The margin in
a box is at most the sum over trees of the best leaf that meets the box and is, together with it,
nearer than the best point so far. A box of which that bound is negative is done, and so is one
whose nearest point is flipped. Others are split between their nearest point and a condition of the
leaves that the bound rests on. When no box is left that costs less than the best point, it is the
nearest; until then the least cost of the boxes left is a lower bound. Rows that take long climb
again in smaller balls, and in L2 they get prices of the margin, which bound the cost of a box from
below much better than its nearest point. What is found for a row does not depend on the others.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from robfair.distance._arrays import Array, Flags, Indices, first_of_each
from robfair.distance.trees._bounds import BoxBounds, BoxView
from robfair.distance.trees._frontier import Frontier
from robfair.distance.trees._greedy import Incumbents, climb_again
from robfair.distance.trees._lagrange import INSIDE, WHOLE, lagrange_bounds
from robfair.distance.trees._pool import Pool

__all__ = ["SearchLimits", "search_boxes"]

WIDTH = 16  # cheapest boxes of a row that are looked at together
AT_ONCE = 10**5  # entries and terms that are looked at together; bounds the memory
# Times all entries of a row after which it gets prices in L2, and climbs again.
SLOW, SLOWER = 50, 800
OVERHEAD = 50  # entries that a box without any counts for
CLIMB = 20  # times its entries and bins: what it takes to climb again
PRICED = 2  # so many times its entries a box counts where its prices are improved


@dataclass(frozen=True)
class SearchLimits:
    """Limits of the work of a search: entries for each row, and a point in time for all.

    Each row gets `looks` times its own entries where that is more.
    """

    entries: float
    looks: float = 0.0
    deadline: float = np.inf  # of time.monotonic()


def search_boxes(pool: Pool, best: Incumbents, limits: SearchLimits) -> Array:
    """Improve the best points of the rows of a pool, and return lower bounds of their distances.

    The rows of the pool are those of `best`. A lower bound equal to the cost of the best is a proof
    that nothing is nearer.
    """
    n, bounds = len(pool), BoxBounds(pool)
    frontier = Frontier(bounds.whole(), best.cost)
    used, lower, going = np.zeros(n), np.zeros(n), np.ones(n, dtype=bool)
    entries = frontier.boxes.size
    most = np.maximum(limits.entries, limits.looks * entries)
    slow_at = np.minimum(SLOW * entries, limits.entries / 4)
    slower_at = np.minimum(SLOWER * entries, limits.entries / 2)
    slower_at[CLIMB * (entries + bounds.layout.width) > most / 4] = np.inf
    while len(frontier):
        frontier.drop((frontier.cost >= best.cost[frontier.row]) | ~going[frontier.row])
        boxes = frontier.pop(WIDTH)
        size = (boxes.size + OVERHEAD) * np.where(boxes.are_priced, PRICED, 1)
        for part in _parts(boxes.row, size + bounds.n_terms[boxes.row]):
            _look(bounds.view(boxes[part], best.cost), best, frontier)
        used += np.bincount(boxes.row, size, n)
        slower = _due(slower_at, used, frontier)
        if slower.any():
            climb_again(pool, np.flatnonzero(slower), best)
        slow = _due(slow_at, used, frontier)
        if slow.any() and pool.is_l2:
            lower[slow] = _set_prices(bounds, slow, best, frontier)
        is_late = time.monotonic() > limits.deadline
        over = going & ((used > most) | is_late)
        if over.any():
            least = frontier.least()
            over &= least < best.cost
            lower[over] = np.maximum(lower, least)[over]
            going &= ~over
    return np.where(going, best.cost, lower)


def _set_prices(bounds: BoxBounds, slow: Flags, best: Incumbents, frontier: Frontier) -> Array:
    """Price the margin in the balls of some rows, and return lower bounds of their distances."""
    rows = np.flatnonzero(slow)
    nearest = np.minimum(best.cost, bounds.pool.radius)  # where nothing is found yet, all is nearer
    view = bounds.view(bounds.whole()[rows], nearest)
    every = np.full(len(rows), True)
    lower = np.minimum(lagrange_bounds(view, every, best.sure, WHOLE), nearest[rows])
    prices = np.full(len(slow), None)
    prices[rows] = view.boxes.prices
    known = slow[frontier.row]
    frontier.boxes.prices[frontier.slot[known]] = prices[frontier.row[known]]
    return lower


def _due(at: Array, used: Array, frontier: Frontier) -> Flags:
    """Return the rows that are not done and have used so much for the first time."""
    due = used > at
    at[due] = np.inf
    due[due] = np.isin(np.flatnonzero(due), frontier.row)
    return due


def _parts(row: Indices, size: Indices) -> list[Indices]:
    """Divide boxes, ordered by row, so that few entries are looked at together.

    What is found in a part spares work in later ones. So which boxes of a row come before which is
    a matter of that row alone.
    """
    start = first_of_each(row)
    before = np.cumsum(size) - size
    turn = (before - np.repeat(before[start], np.diff(np.append(start, len(row))))) // AT_ONCE
    order = np.argsort(turn, kind="stable")
    part = turn[order] * len(row) + np.cumsum(size[order]) // AT_ONCE
    return np.split(order, first_of_each(part)[1:])


def _look(view: BoxView, best: Incumbents, frontier: Frontier) -> None:
    """Bound boxes, offer their nearest points, and split what is left."""
    boxes = view.boxes
    live = best.may_flip(boxes.row, view.bound)
    near = np.flatnonzero(live & best.may_flip(boxes.row, view.margin))
    if len(near):
        flips = best.flips(boxes.row[near], view.bins[near], view.margin[near])
        done = near[flips]
        best.offer(boxes.row[done], view.cost[done], view.bins[done])
        live[done] = False
    if not len(view.pair):
        return
    least = np.maximum(view.cost, boxes.cost)
    live &= least < best.cost[boxes.row]
    priced = live & boxes.are_priced
    if priced.any():
        least = np.maximum(least, lagrange_bounds(view, priced, best.sure, INSIDE))
        live &= least < best.cost[boxes.row]
    if not live.any():
        return
    box, group, cut = _choose_cuts(view, live)
    unsplit = live & (view.bound > view.margin)
    unsplit[box] = False
    if unsplit.any():  # forgotten, they would make a false proof
        raise RuntimeError(
            "a box that may flip was not split. That is a fault of robfair, not yours: please "
            "report it, with the model's type and the options."
        )
    view.inherit(live)
    for side in (0, 1):
        child = boxes.bins[box]
        child[np.arange(len(box)), 1 - side, group] = cut - (1 - side)
        inside = view.inside(box, child, least)
        frontier.push(inside[inside.cost < best.cost[inside.row]])


def _choose_cuts(view: BoxView, live: Flags) -> tuple[Indices, Indices, Indices]:
    """Return the boxes to split, the group of each and the first bin of the upper part.

    A box is split where most of what its bound promises beyond its nearest point is decided; in L2
    times what it costs to go there, so that both parts gain something.
    """
    layout = view.bounds.layout
    at, weight = view.shortfall(live)
    group, cut = view.cuts(at)
    key = view.term_box[at] * layout.width + layout.start[group] + cut
    distinct, number = np.unique(key, return_inverse=True)
    promised = np.bincount(number.ravel(), weight, len(distinct))
    total = promised * view.step(distinct // layout.width, distinct % layout.width)
    order = np.lexsort((total, distinct // layout.width))
    start = first_of_each(distinct[order] // layout.width)
    # The last of each box has the greatest weight.
    chosen = distinct[order[np.append(start[1:], len(order)) - 1]] if len(order) else distinct
    item = chosen % layout.width
    return chosen // layout.width, layout.group[item], layout.bin[item]
