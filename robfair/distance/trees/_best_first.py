"""Best-first search over boxes of bins, all rows at once, to the optimum or a budget.

A box holds an interval of bins of each group; its cost is that of its nearest point. The margin in
a box is at most the sum over trees of the best leaf that meets the box and is, together with it,
nearer than the best point so far. A box of which that bound is negative is done, and so is one
whose nearest point is flipped. Others are split between their nearest point and a condition of the
leaves that the bound rests on. When no box is left that costs less than the best point, it is the
nearest; until then the least cost of the boxes left is a lower bound. In L2 rows that take long get
prices of the margin, which bound the cost of a box from below much better than its nearest point.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from robfair.distance._arrays import Array, Flags, Indices, first_of_each
from robfair.distance.trees._bounds import BoxBounds, BoxView
from robfair.distance.trees._frontier import Frontier
from robfair.distance.trees._greedy import Incumbents
from robfair.distance.trees._lagrange import lagrange_prices
from robfair.distance.trees._pool import Pool

__all__ = ["SearchLimits", "search_boxes"]

WIDTH = 4  # cheapest boxes of a row that are looked at together, at least, ...
MOST_WIDTH = 16  # ... and at most, where few rows are left:
BOXES = 2048  # as many as these share; a step costs much the same for fewer
AT_ONCE = 10**5  # entries and terms that are looked at together; bounds the memory
PRICED = 50  # times all entries of a row after which it gets prices
OVERHEAD = 50  # entries that a box without any counts for


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
    most = np.maximum(limits.entries, limits.looks * frontier.boxes.size)
    waits = np.minimum(PRICED * frontier.boxes.size, limits.entries / 4)
    while len(frontier):
        frontier.drop((frontier.cost >= best.cost[frontier.row]) | ~going[frontier.row])
        n_left = int(np.count_nonzero(np.diff(frontier.row))) + 1
        boxes = frontier.pop(max(WIDTH, min(MOST_WIDTH, BOXES // n_left)))
        size = boxes.size + OVERHEAD
        part = np.cumsum(size + bounds.n_terms[boxes.row]) // AT_ONCE
        for k in np.unique(part):
            _look(bounds.view(boxes[part == k], best.cost), best, frontier)
        used += np.bincount(boxes.row, size, n)
        slow = going & (used > waits) & pool.is_l2
        slow[slow] = np.isin(np.flatnonzero(slow), frontier.row)  # the others are done
        if slow.any():
            prices = lagrange_prices(
                pool.part(slow), np.minimum(best.cost, pool.radius)[slow], best.sure
            )
            bounds.set_prices(slow, prices)
            lower[slow], waits[slow] = prices.bound, np.inf
        is_late = time.monotonic() > limits.deadline
        over = going & ((used > most) | is_late)
        if over.any():
            least = frontier.least()
            over &= least < best.cost
            lower[over] = np.maximum(lower, least)[over]
            going &= ~over
    return np.where(going, best.cost, lower)


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
    least = view.least(live, best.sure)
    live &= least < best.cost[boxes.row]
    if not live.any() or not len(view.pair):
        return
    box, group, cut = _choose_cuts(view, live)
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
