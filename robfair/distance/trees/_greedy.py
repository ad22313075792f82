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


class _Moves:
    """Single moves of rows to bins, ordered by row; each row can stay where it is."""

    def __init__(self, n: int, row: Indices, bin: Indices, price: Array) -> None:
        self.row, self.bin, self.price = row, bin, price
        self.start = np.searchsorted(row, np.arange(n))

    @staticmethod
    def below(price: Array, limit: Array) -> _Moves:
        """Return the moves whose prices, of shape (n, width), are below the limit of each row."""
        row, bin = np.nonzero((price < limit[:, None]) | (price == 0))
        return _Moves(len(price), row, bin, price[row, bin])

    def part(self, kept: Flags) -> _Moves:
        """Return the moves of some of the rows."""
        number, of_kept = np.cumsum(kept) - 1, kept[self.row]
        return _Moves(
            int(kept.sum()), number[self.row[of_kept]], self.bin[of_kept], self.price[of_kept]
        )

    def best(self, score: Array) -> Indices:
        """Return for each row the first of its moves with the greatest score."""
        most = np.maximum.reduceat(score, self.start)
        at = np.flatnonzero(score == most[self.row])[::-1]
        first = self.start.copy()
        first[self.row[at]] = at  # the first of a row is written last
        return first


def climb(pool: Pool, bins: Indices, limit: Array, best: Incumbents, blocked: Flags | None) -> None:
    """Move one group of each row after the other, starting from bins, and offer what flips.

    Upwards by the greatest gain (in L2 per added square), at costs below `limit`; once flipped,
    back by the greatest saving that keeps it flipped. `blocked` bins are not entered.
    """
    layout = pool.compiled.layout
    price = pool.costs.of_bin[pool.rows]
    if blocked is not None:
        price[blocked] = np.inf
    moves = _Moves.below(price, limit)
    radius = np.maximum(pool.radius, TINY)
    # A tie counts as flipped where the model most likely says so; `offer` asks.
    guard = np.where(best.ties_flip[pool.rows], -best.sure, best.sure)
    for _ in range(STEPS):
        if not len(pool):
            return
        row, group = moves.row, layout.group[moves.bin]
        margin, moved = pool.margins(bins, row * layout.width + moves.bin)
        held = np.take_along_axis(price, layout.start + bins, axis=1)
        if pool.is_l2:
            total = (held**2).sum(axis=1)
            new = (total[row] - held[row, group] ** 2) + moves.price**2
            size, most = np.sqrt(total), limit**2
        else:
            total = size = held.max(axis=1)
            new, most = np.maximum(_others(held)[row, group], moves.price), limit
        flipped = (margin > guard) | ((margin == guard) & best.ties_flip[pool.rows])
        nearer = np.flatnonzero(flipped & (size < best.cost[pool.rows]))
        if len(nearer):
            rows = pool.rows[nearer]
            doubtful = margin[nearer] <= best.sure
            flips = best.flips(rows, bins[nearer], margin[nearer])
            best.offer(rows[flips], size[nearer[flips]], bins[nearer[flips]])
            wrong = nearer[doubtful & ~flips]
            guard[wrong], flipped[wrong] = best.sure, False
        aim = guard[row]
        reached = (moved > aim) | ((moved == aim) & best.ties_flip[pool.rows][row])
        allowed = new < most[row]
        saves = allowed & reached & (new < total[row] * (1 - 1e-9))
        saving = np.where(saves, total[row] - new, 0)
        gain = np.minimum(moved - aim, 0) - np.minimum(margin - guard, 0)[row]
        up = allowed & (gain > 1e-12)
        if pool.is_l2:
            rate = gain / np.maximum(new - total[row], (1e-9 * most + TINY)[row])
            # What flips comes before what does not, the cheapest first.
            hits = up & reached
            score = np.where(hits, -new, -np.inf)
            choice, hit = moves.best(score), np.zeros(len(pool), dtype=bool)
            hit[row[hits]] = True
            choice = np.where(hit, choice, moves.best(np.where(up, rate, -1)))
        else:
            rate = gain - 1e-9 * moves.price / radius[row]
            choice = moves.best(np.where(up, rate, -np.inf))
        choice = np.where(flipped, moves.best(saving), choice)
        goes = np.where(flipped, saving[choice] > 0, up[choice])
        bins = bins.copy()
        to = moves.bin[choice[goes]]
        bins[np.flatnonzero(goes), layout.group[to]] = layout.bin[to]
        if goes.mean() < 0.8:
            pool, bins, guard, moves = pool.part(goes), bins[goes], guard[goes], moves.part(goes)
            limit, radius, price = limit[goes], radius[goes], price[goes]


def _others(held: Array) -> Array:
    """Return for each group the greatest cost that the other groups hold."""
    order = np.sort(held, axis=1)
    second = order[:, -2:-1] if held.shape[1] > 1 else np.zeros_like(order)
    return np.where(held == order[:, -1:], second, order[:, -1:])


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
