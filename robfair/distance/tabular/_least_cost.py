"""The least cost that gains so much, in L2: a knapsack of switches, whole steps and free moves.

A node fixes the number of switches and the steps of some integers. If all other numbers moved
freely, the rest would be a step to a hyperplane, in closed form, and its cost bounds from below
what the node can lead to. The search goes through the integers, those of the most costly step
first, and keeps for each sample the nodes of the least bounds. The bounds of what it leaves out
tell whether the best row is the optimum; where they do not, it is repeated, with more nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from robfair.distance._arrays import Array, Indices, rank
from robfair.distance.tabular._gains import Gains

__all__ = ["CLOSED", "Least", "least_cost"]

CLOSED = 1e-6  # bounds that are relatively as close as this are one cost
# Nodes of a sample that are kept, and values of an integer that are tried in each. On Adult the
# first width settles all rows, and 96 % if capital gains by the dollar are among the integers.
WIDTHS = (8, 64, 256)
NODES = 2**19  # in memory


@dataclass(frozen=True)
class Least:
    """The cheapest rows found, in the terms of `Gains`, and what bounds their costs from below."""

    cost: Array  # (n,); inf where there is none, or none below the `upper` that was given
    switches: Indices  # (n,)
    steps: Array  # (n, n_integers)
    lower: Array  # (n,): nothing cheaper gains the lesser gap
    closed: Array  # (n,), bool: whether the search has left nothing out that could be cheaper


def least_cost(gains: Gains, near: Array, far: Array, upper: Array) -> Least:
    """Search the cheapest rows that gain `far`, and bound from below the cost of gaining `near`.

    Parameters
    ----------
    gains : Gains
        The changes of n samples.
    near, far : ndarray of shape (n,)
        The lesser gap, for the bounds, and the greater one, for the rows.
    upper : ndarray of shape (n,)
        Costs that a row must be below to count.

    Returns
    -------
    Least
        Rows and bounds.
    """
    search = _Search(gains, near, far, upper)
    left = np.arange(len(near))
    for width in WIDTHS:
        size = max(1, NODES // width**2)
        for first in range(0, len(left), size):
            search.run(left[first : first + size], width)
        left = left[~search.closed[left]]
    cost = np.sqrt(search.best)
    cost[cost >= upper] = np.inf
    return Least(cost, search.switches, search.steps, np.sqrt(search.lower), search.closed)


@dataclass(frozen=True)
class _Nodes:
    """Rows of which the switches and the first few integers are fixed; costs are squares."""

    row: Indices  # in the gains
    switches: Indices
    steps: Array  # (m, n_integers); 0 where not fixed
    near: Array  # what is left of the lesser gap
    cost: Array  # of what is fixed
    moves: Array  # of the numbers that are not fixed, if they moved freely
    bound: Array  # of the cost

    def __getitem__(self, index: Indices) -> _Nodes:
        return _Nodes(*(array[index] for array in vars(self).values()))


class _Search:
    """The best rows and the bounds of all samples; costs are squares."""

    def __init__(self, gains: Gains, near: Array, far: Array, upper: Array) -> None:
        n = len(near)
        self.gains, self.near, self.far = gains, near, far
        self.best = upper**2
        self.switches = np.zeros(n, dtype=np.intp)
        self.steps = np.zeros((n, gains.n_integers))
        self.lower = np.zeros(n)
        self.closed = np.zeros(n, dtype=bool)

    def run(self, rows: Indices, width: int) -> None:
        """Search some samples, keeping so many nodes of each."""
        self.dropped = np.full(len(self.best), np.inf)
        nodes = self._roots(rows)
        # At first, any row that gains enough: whole steps upwards are always possible.
        n = self.gains.n_integers
        self._offer(nodes, np.ceil(nodes.moves[:, :n] / self.gains.step * (1 - 1e-12)))
        nodes = self._keep(nodes, width)
        for j in range(n):
            nodes = self._keep(self._expand(nodes, j, width), width)
        self._offer(nodes, nodes.steps)
        # What is left are rows themselves, whose costs are their bounds.
        least = self.best.copy()
        np.minimum.at(least, nodes.row, nodes.bound)
        self.closed[rows] = self.dropped[rows] >= least[rows] * (1 - 2 * CLOSED)
        lower = np.minimum(self.dropped, least)[rows]
        self.lower[rows] = np.maximum(self.lower[rows], lower)

    def _roots(self, rows: Indices) -> _Nodes:
        """Fix the number of switches."""
        gains, n_switches = self.gains, self.gains.space.n_blocks + 1
        row, switches = np.repeat(rows, n_switches), np.tile(np.arange(n_switches), len(rows))
        cost = gains.space.category_cost**2 * switches.astype(np.float64)
        near = self.near[row] - gains.switches[row, switches]
        steps = np.zeros((len(row), gains.n_integers))
        return self._bounded(row, switches, steps, near, cost, 0)

    def _bounded(
        self, row: Indices, switches: Indices, steps: Array, near: Array, cost: Array, first: int
    ) -> _Nodes:
        """Bound nodes whose integers before `first` are fixed; leave out those without a row."""
        moves, reached = self.gains.relaxed(row, near, first)
        bound = cost + (moves**2).sum(axis=1)
        index = np.flatnonzero(reached)
        return _Nodes(row, switches, steps, near, cost, moves, bound)[index]

    def _keep(self, nodes: _Nodes, width: int) -> _Nodes:
        """Keep the nodes of the least bounds, of those that can lead to a cheaper row."""
        order = np.argsort(nodes.bound, kind="stable")
        row, bound = nodes.row[order], nodes.bound[order]
        hopeless = bound >= self.best[row] * (1 - 2 * CLOSED)
        kept = ~hopeless & (rank(row) < width)
        np.minimum.at(self.dropped, row[~kept], bound[~kept])
        return nodes[order[kept]]

    def _expand(self, nodes: _Nodes, j: int, width: int) -> _Nodes:
        """Fix integer j at each value that can lead to a cheaper row, the nearest few of them."""
        gains, step = self.gains, self.gains.step[j]
        free, most = nodes.moves[:, 0] / step, gains.room[nodes.row, j] / step
        most = np.round(most)  # a whole number, before it was turned into a cost
        if j == gains.n_integers - 1:
            # Convex in the last one, so that of whole numbers the next ones are the least; one
            # more because the row has to gain a little more than the bound.
            low, high = np.floor(free), np.minimum(np.floor(free) + 2, most)
        else:
            # A number this far from where it would move freely costs that much more, at least.
            spare = (self.best[nodes.row] - nodes.bound).clip(min=0)
            far = np.sqrt(spare) / step
            near = np.minimum(far, width // 2)
            low, high = np.ceil(free - near).clip(min=0), np.minimum(np.floor(free + near), most)
            cut = (np.ceil(free - far).clip(min=0) < low) | (
                np.minimum(free + far, most) >= high + 1
            )
            bound = nodes.bound + (step * near) ** 2
            np.minimum.at(self.dropped, nodes.row[cut], bound[cut])
        times = (high - low + 1).clip(min=0).astype(np.intp)
        parent = np.repeat(np.arange(len(times)), times)
        value = low[parent] + rank(parent)
        row, steps = nodes.row[parent], nodes.steps[parent]
        steps[:, j] = value
        cost = nodes.cost[parent] + (step * value) ** 2
        near = nodes.near[parent] - gains.weight[row, j] * step * value
        return self._bounded(row, nodes.switches[parent], steps, near, cost, j + 1)

    def _offer(self, nodes: _Nodes, steps: Array) -> None:
        """Take over the rows of nodes with these steps that gain enough and are cheaper."""
        gains, row = self.gains, nodes.row
        cost, gained = gains.discrete(row, nodes.switches, steps)
        moves, reached = gains.relaxed(row, self.far[row] - gained, gains.n_integers)
        total = np.where(reached, cost**2 + (moves**2).sum(axis=1), np.inf)
        better = np.flatnonzero(total < self.best[row])
        better = better[np.argsort(-total[better], kind="stable")]  # the last one written stays
        row = row[better]
        self.best[row], self.switches[row] = total[better], nodes.switches[better]
        self.steps[row] = steps[better]
