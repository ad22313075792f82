"""Gains of each change of a row on an affine margin, and their costs.

The margin of an affine model is a sum over features, and so are the costs of a table (in L-inf the
greatest of them). All switches cost the same, so that of a number of switches those of the
greatest gains are the best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from robfair._geometry import step_to_hyperplane
from robfair.distance._arrays import Array, Flags, Indices
from robfair.distance.tabular._space import TableRows, TableSpace


@dataclass(frozen=True)
class Gains:
    """Gains of some samples towards a target class: a row each.

    Numbers are measured by their cost and point to the side where they gain. Integers come first,
    those of the most costly step before others.
    """

    space: TableSpace
    samples: Indices  # (n,)
    switches: Array  # (n, n_blocks + 1): the gain of the best 0, 1, ... switches together
    order: Indices  # (n, n_blocks): the blocks, that of the greatest gain first
    category: Indices  # (n, n_blocks): the category of each block that gains most
    columns: Indices  # (n_numbers,): the features of the numbers
    side: Array  # (n, n_numbers): 1 or -1
    weight: Array  # (n, n_numbers): gain per unit of the cost, 0 or greater
    room: Array  # (n, n_numbers): the cost of the farthest move; 0 where nothing is gained
    step: Array  # (n_integers,): the cost of a step

    @classmethod
    def of(cls, space: TableSpace, samples: Indices, normal: Array) -> Gains:
        """Compute the gains of samples whose margins fall along the rows of `normal` (n, d)."""
        rows, n_blocks = np.arange(len(samples)), space.n_blocks
        gain = np.zeros((len(samples), n_blocks))
        category = space.own_categories[samples]
        for b, (block, columns) in enumerate(zip(space.blocks, space.columns, strict=True)):
            held = space.X[np.ix_(samples, columns)].astype(np.float64)
            gained = normal[:, columns] @ block.codes.T
            gained -= (normal[:, columns] * held).sum(axis=1, keepdims=True)
            gained[rows, category[:, b]] = 0  # it stays as it is
            category[:, b] = gained.argmax(axis=1)
            gain[:, b] = gained.max(axis=1)
        order = np.argsort(-gain, axis=1, kind="stable")
        sums = np.cumsum(np.take_along_axis(gain, order, axis=1), axis=1)

        coarse = np.argsort(-space.step_cost, kind="stable")
        columns = np.concatenate([space.integers[coarse], np.flatnonzero(space.continuous)])
        side = np.where(normal[:, columns] < 0, -1.0, 1.0)
        weight = np.abs(normal[:, columns]) * space.unit[columns]
        up, down = space.most_steps[samples][:, coarse], -space.least_steps[samples][:, coarse]
        free = columns[len(coarse) :]
        x = space.X[np.ix_(samples, free)].astype(np.float64)
        up = np.hstack([up * space.step_cost[coarse], (space.high[free] - x) / space.unit[free]])
        down = np.hstack([down * space.step_cost[coarse], (x - space.low[free]) / space.unit[free]])
        room = np.where(weight > 0, np.where(side > 0, up, down).clip(min=0), 0)
        return cls(
            space,
            samples,
            np.hstack([np.zeros((len(samples), 1)), sums]),
            order,
            category,
            columns,
            side,
            weight,
            room,
            space.step_cost[coarse],
        )

    @property
    def n_integers(self) -> int:
        """The number of integers."""
        return len(self.step)

    def relaxed(self, rows: Indices, gap: Array, first: int) -> tuple[Array, Flags]:
        """Return the least moves that gain `gap` if numbers from `first` on move freely.

        They have shape (m, n_numbers - first); whether they gain as much, (m,).
        """
        weight, room = self.weight[rows, first:], self.room[rows, first:]
        if weight.shape[1] == 0 or len(rows) == 0:
            return weight, gap <= 0
        wanted = torch.from_numpy(gap.clip(min=0))
        sides = (torch.zeros(room.shape, dtype=torch.float64), torch.from_numpy(room))
        moves, reached = step_to_hyperplane(
            torch.from_numpy(weight), wanted, self.space.norm, sides
        )
        return moves.numpy(), reached.numpy() | (gap <= 0)

    def affordable(self, gap: Array) -> Array:
        """Return costs (n,) that are enough to gain a gap, if anything is."""
        rows, space = np.arange(len(gap)), self.space
        moves, reached = self.relaxed(rows, gap, 0)
        # Whole steps may take one more each; with a side that is open, numbers alone are enough.
        parts = [np.where(reached[:, None], moves, self.room), np.tile(self.step, (len(gap), 1))]
        parts += [np.full((len(gap), space.n_blocks), space.category_cost)]
        return np.asarray(np.abs(np.hstack(parts)).sum(axis=1))

    def discrete(self, rows: Indices, switches: Indices, steps: Array) -> tuple[Array, Array]:
        """Return the cost and the gain of the discrete part of rows."""
        parts = np.hstack(
            [
                self.space.category_cost * (np.arange(self.space.n_blocks) < switches[:, None]),
                steps * self.step,
            ]
        )
        moved = self.weight[rows, : self.n_integers] * steps * self.step
        cost = np.linalg.norm(parts, self.space.norm, axis=1) if parts.shape[1] else 0.0
        return np.broadcast_to(cost, rows.shape), self.switches[rows, switches] + moved.sum(axis=1)

    def build(self, rows: Indices, switches: Indices, steps: Array, moves: Array) -> TableRows:
        """Build rows from the number of switches, the steps and the moves of continuous features.

        Steps are whole and not negative, (m, n_integers); moves are costs.
        """
        space, sample, n = self.space, self.samples[rows], self.n_integers
        categories = space.own_categories[sample]
        for place in range(space.n_blocks):
            on = np.flatnonzero(place < switches)
            block = self.order[rows[on], place]
            categories[on, block] = self.category[rows[on], block]
        signed = np.empty_like(steps)
        signed[:, np.argsort(-space.step_cost, kind="stable")] = steps * self.side[rows, :n]
        free, points = self.columns[n:], space.X[sample]
        moved = points[:, free] + self.side[rows, n:] * moves * space.unit[free]
        points[:, free] = np.clip(moved.astype(points.dtype), space.low[free], space.high[free])
        return space.build(TableRows(sample, categories, signed, points))
