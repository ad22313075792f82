"""Single moves towards the boundary, and back: a first upper bound of the distance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from robfair.distance._arrays import Array, Flags, Indices
from robfair.distance.trees._pool import Pool

__all__ = ["Incumbents", "climb", "climb_again"]

TINY = np.finfo(float).tiny
STEPS = 25  # more changes no distance on Adult
AGAIN = np.linspace(0.97, 0.64, 12)  # balls, relative to the best; a third as many find less
Ask = Callable[[Indices, Indices], Flags]


@dataclass
class Incumbents:
    """The nearest flipped point of each row so far, by the bins that it lies in.

    A margin above `sure` is flipped and one below ``-sure`` is not, whatever the model's sums round
    to; `ask` tells what the model itself predicts in between, and `ties_flip` (n_rows,) what to
    expect. Where sums of leaves are whole numbers `sure` is 0, and a tie is what it seems.
    """

    cost: Array
    bins: Indices
    sure: float
    ties_flip: Flags
    ask: Ask

    def flips(self, rows: Indices, bins: Indices, margin: Array) -> Flags:
        """Tell which bins flip rows, and ask the model where the margin proves nothing."""
        flips: Flags = margin > self.sure
        if self.sure == 0:
            flips |= (margin == 0) & self.ties_flip[rows]
            return flips
        doubtful = np.flatnonzero(~flips & (margin >= -self.sure))
        if len(doubtful):
            flips[doubtful] = self.ask(rows[doubtful], bins[doubtful])
        return flips

    def may_flip(self, rows: Indices, bound: Array) -> Flags:
        """Tell where margins up to a bound may be flipped."""
        possible: Flags = bound >= -self.sure
        if self.sure == 0:
            possible &= (bound > 0) | self.ties_flip[rows]
        return possible

    def offer(self, rows: Indices, cost: Array, bins: Indices) -> None:
        """Keep flipped points where they are nearer; rows may occur several times."""
        order = np.argsort(-cost, kind="stable")  # the cheapest of a row is written last
        order = order[cost[order] < self.cost[rows[order]]]
        self.cost[rows[order]], self.bins[rows[order]] = cost[order], bins[order]


def climb(pool: Pool, bins: Indices, limit: Array, best: Incumbents, blocked: Flags | None) -> None:
    """Move one group of each row after the other, starting from bins, and offer what flips.

    Upwards by the greatest gain (in L2 per added square), at costs below `limit`; once flipped,
    back by the greatest saving that keeps it flipped. `blocked` bins are not entered.
    """
    layout, n_groups = pool.compiled.layout, len(pool.compiled.groups)
    price = pool.costs.of_bin[pool.rows]
    if blocked is not None:
        price[blocked] = np.inf
    radius = np.maximum(pool.radius, TINY)
    # A tie counts as flipped where the model most likely says so; `offer` asks.
    guard = np.where(best.ties_flip[pool.rows], -best.sure, best.sure)
    for _ in range(STEPS):
        if not len(pool):
            return
        at = np.arange(len(pool))
        margin, moved = pool.margins(bins)
        held = np.take_along_axis(price, layout.start + bins, axis=1)
        if pool.is_l2:
            total = (held**2).sum(axis=1)
            new = (total[:, None] - (held**2)[:, layout.group]) + price**2
            size, most = np.sqrt(total), limit**2
        else:
            total = size = held.max(axis=1)
            order = np.sort(held, axis=1)
            second = order[:, -2:-1] if n_groups > 1 else np.zeros_like(order)
            others = np.where(held == order[:, -1:], second, order[:, -1:])
            new, most = np.maximum(others[:, layout.group], price), limit
        flipped = (margin > guard) | ((margin == guard) & best.ties_flip[pool.rows])
        nearer = np.flatnonzero(flipped & (size < best.cost[pool.rows]))
        if len(nearer):
            rows = pool.rows[nearer]
            doubtful = margin[nearer] <= best.sure
            flips = best.flips(rows, bins[nearer], margin[nearer])
            best.offer(rows[flips], size[nearer[flips]], bins[nearer[flips]])
            wrong = nearer[doubtful & ~flips]
            guard[wrong], flipped[wrong] = best.sure, False
        reached = (moved > guard[:, None]) | (
            (moved == guard[:, None]) & best.ties_flip[pool.rows][:, None]
        )
        allowed = (new < most[:, None]) & np.isfinite(price)
        saving = np.where(
            allowed & reached & (new < total[:, None] * (1 - 1e-9)), total[:, None] - new, 0
        )
        gain = np.minimum(moved - guard[:, None], 0) - np.minimum(margin - guard, 0)[:, None]
        up = allowed & (gain > 1e-12)
        if pool.is_l2:
            rate = gain / np.maximum(new - total[:, None], (1e-9 * most + TINY)[:, None])
            hit = np.where(up & reached, new, np.inf)
            choice = np.where(
                np.isfinite(hit.min(axis=1)),
                hit.argmin(axis=1),
                np.where(up, rate, -1).argmax(axis=1),
            )
        else:
            rate = gain - 1e-9 * price / radius[:, None]
            choice = np.where(up, rate, -np.inf).argmax(axis=1)
        choice = np.where(flipped, saving.argmax(axis=1), choice)
        goes = np.where(flipped, saving[at, choice] > 0, up[at, choice])
        bins = bins.copy()
        bins[at[goes], layout.group[choice[goes]]] = layout.bin[choice[goes]]
        if goes.mean() < 0.8:
            pool, bins, guard = pool.part(goes), bins[goes], guard[goes]
            limit, radius, price = limit[goes], radius[goes], price[goes]


def climb_again(pool: Pool, rows: Indices, best: Incumbents) -> None:
    """Climb from rows of a pool in balls that become smaller, and offer what flips.

    Leaves beyond a ball no longer count in the choice of moves, so that other moves are chosen in
    each. Where the bound of a ball says that nothing flips, smaller ones are left out.
    """
    rows = rows[np.isfinite(best.cost[rows]) & (best.cost[rows] > 0)]
    for share in AGAIN:
        ball = pool.shrunk(rows, best.cost[rows] * share)
        possible = best.may_flip(ball.rows, ball.upper)
        ball, rows = ball.part(possible), rows[possible]
        if not len(rows):
            return
        climb(ball, ball.own, ball.radius * (1 + 1e-9), best, None)
