"""Exact distances of affine models in tables, whose costs and margins are sums over features."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robfair._confirm import beyond_rounding, confirm, rounding
from robfair._problem import Forward, Problem, finite, margins
from robfair.distance._arrays import Array, Flags, Indices
from robfair.distance._writer import ResultWriter
from robfair.distance.exact import Reading
from robfair.distance.tabular._gains import Gains
from robfair.distance.tabular._least_cost import Least, least_cost
from robfair.distance.tabular._least_radius import least_radius
from robfair.distance.tabular._space import TableRows, TableSpace, valid_costs

__all__ = ["table_linear"]

# By how many roundings a row must go beyond the boundary, and how many times as far where the model
# is not flipped then; and how close its cost must be to that on the boundary, and to its bound.
ROUNDINGS, TIMES = 2, (1, 8, 64, 1e4, 1e6)
CLOSE = 1e-3
EXACT_ARITHMETIC = 1 - 1e-12  # what float64 loses in a cost


def table_linear(problem: Problem, results: ResultWriter, reading: Reading) -> None:
    """Fill `results` with the least costs of valid rows that an affine model predicts differently.

    A cost is exact if the search is complete and the model itself flips there, up to a relative
    `CLOSE` that its rounding may need; the lower bounds allow for this rounding.

    Parameters
    ----------
    problem : Problem
        The samples, the affine model and the threat model.
    results : ResultWriter
        Receives the distances.
    reading : Reading
        The model, affine.
    """
    search = _TableLinear(problem, results, reading)
    index = np.arange(len(problem.X))
    results.write_lower(index, np.nan)
    with torch.no_grad(), problem.network.forward(problem.shape) as forward:
        for first in range(0, len(index), problem.batch_size):
            part = index[first : first + problem.batch_size]
            logits = finite(forward(problem.tensor(part)))
            label = logits.argmax(dim=1).cpu().numpy()
            results.predicted_codes[part] = label
            results.n_forward[part] += 1
            if problem.true_codes is not None:
                right = label == problem.true_codes[part]
                results.skip(part[~right])
                part, label, logits = part[right], label[right], logits[torch.from_numpy(right)]
            if len(part):
                search.batch(forward, part, label, logits)


@dataclass(frozen=True)
class _Best:
    """The cheapest rows towards any target class, their sizes and bounds."""

    rows: TableRows
    size: Array  # the cost of reaching the boundary by such a row; inf where there is none
    lower: Array
    closed: Flags


class _TableLinear:
    """The boundary of an affine model within a table."""

    def __init__(self, problem: Problem, results: ResultWriter, reading: Reading) -> None:
        self.problem, self.results, self.reading = problem, results, reading
        ((weight, bias),) = reading.maps()
        self.weight, self.bias = weight.cpu().numpy(), bias.cpu().numpy()
        dtype = torch.empty(0, dtype=problem.model.dtype).numpy().dtype
        self.space = TableSpace(problem.threat_model, problem.X, dtype)
        self.least = least_cost if problem.norm == 2 else least_radius

    def batch(self, forward: Forward, index: Indices, label: Indices, logits: Tensor) -> None:
        """Write the distances of some samples, whose labels and logits these are."""
        x = self.problem.X[index].reshape(len(index), -1).astype(np.float64)
        z = x @ self.weight.T + self.bias
        # To be beyond the boundary for the module, whose features are rounded, too.
        info = torch.finfo(self.problem.model.dtype)
        more = ROUNDINGS * rounding(logits, self.problem.model.dtype).double().cpu().numpy()
        steepest = np.abs(self.weight).sum(axis=1).max()
        more += 2 * steepest * (ROUNDINGS * info.eps * np.abs(x).max(axis=1) + info.tiny**0.5)
        farthest = self._farthest(index, label, z, more)
        best = self._nearest(index, label, z, more, self._error(x, farthest))
        found = np.flatnonzero(np.isfinite(best.size))
        points, sure = self._confirm(forward, (index, label, z, more), best, found)
        found = found[~np.isnan(points).any(axis=1)]
        points = points[~np.isnan(points).any(axis=1)]
        size, rows = best.size[found], index[found]
        end = valid_costs(self.problem, rows, points)
        exact = sure[found] & best.closed[found] & (np.abs(end - size) <= CLOSE * size)
        exact &= best.lower[found] >= (1 - CLOSE) * size
        distance = np.where(exact, size, end)
        lower = best.lower * EXACT_ARITHMETIC
        if np.isinf([self.space.low, self.space.high])[:, self.space.numeric].any():
            lower = np.minimum(lower, farthest)  # beyond it rounding is not bounded
        lower[found] = np.minimum(lower[found], distance)
        self.results.write_lower(index, lower)
        self.results.write_found(rows, distance, points, exact=exact)
        self.results.give_up(np.setdiff1d(index, rows))

    def _towards(
        self, index: Indices, label: Indices, z: Array, more: Array
    ) -> Iterator[tuple[int, Indices, Gains, Array, Array]]:
        """Yield each target class, the samples that are not of it, their gains and gaps.

        The last gap is that to beyond the boundary, by `more`.
        """
        own = z[np.arange(len(label)), label]
        for target in range(len(self.weight)):
            at = np.flatnonzero(label != target)
            gains = Gains.of(self.space, index[at], self.weight[target] - self.weight[label[at]])
            gap = own[at] - z[at, target]
            yield target, at, gains, gap, gap.clip(min=0) + more[at]

    def _nearest(
        self, index: Indices, label: Indices, z: Array, more: Array, error: Array
    ) -> _Best:
        """Search the cheapest rows that go beyond the boundary by `more`.

        `error` (n, n_classes) is how far the logits of the module may be from those read.
        """
        n = len(index)
        rows, lower = self.space.unperturbed(index), np.full(n, np.inf)
        upper, size, closed = np.full(n, np.inf), np.full(n, np.inf), np.full(n, True)
        for target, at, gains, gap, far in self._towards(index, label, z, more):
            near = gap - error[at, target] - error[at, label[at]]
            least = self.least(gains, near, far, upper[at])
            lower[at] = np.minimum(lower[at], least.lower)
            better = np.flatnonzero(np.isfinite(least.cost))
            closed[at] &= least.closed
            new, length = self._rows(gains, least, better, gap, far)
            upper[at[better]], size[at[better]] = least.cost[better], length
            for stored, array in zip(rows.arrays(), new.arrays(), strict=True):
                stored[at[better]] = array
        return _Best(rows, size, lower, closed)

    def _rows(
        self, gains: Gains, least: Least, better: Indices, gap: Array, far: Array
    ) -> tuple[TableRows, Array]:
        """Build the rows that were found, and compute what they cost on the boundary itself."""
        switches, steps = least.switches[better], least.steps[better]
        cost, gained = gains.discrete(better, switches, steps)
        moves, _ = gains.relaxed(better, far[better] - gained, gains.n_integers)
        exactly, _ = gains.relaxed(better, gap[better] - gained, gains.n_integers)
        moved = np.linalg.norm(np.pad(exactly, [(0, 0), (0, 1)]), self.space.norm, axis=1)
        return gains.build(better, switches, steps, moves), self.space.combine(cost, moved)

    def _confirm(
        self,
        forward: Forward,
        predicted: tuple[Indices, Indices, Array, Array],
        best: _Best,
        found: Indices,
    ) -> tuple[Array, Flags]:
        """Return rows (m, d) that the model itself predicts differently, NaN where there is none.

        Also whether it does so beyond rounding, for all samples.
        """
        index, label, z, more = predicted
        sure = np.zeros(len(index), dtype=bool)
        own = torch.from_numpy(label).to(self.problem.model.device)

        def attempt(rows: Tensor, times: float) -> tuple[Tensor, Tensor, Tensor]:
            at = found[rows.numpy()]
            tried = best.rows.points[at]
            if times > 1:
                zero = np.zeros((len(at), z.shape[1]))
                further = self._nearest(index[at], label[at], z[at], times * more[at], zero)
                tried = further.rows.points
            after = forward(self.problem.model.tensor(tried))
            flipped = after.argmax(dim=1) != own[at]
            certain = beyond_rounding(margins(after, own[at]), after, self.problem.model.dtype)
            sure[at] = certain.cpu().numpy()
            self.results.n_forward[index[at]] += 1
            return torch.from_numpy(tried), flipped.cpu(), certain.cpu()

        start = torch.from_numpy(best.rows.points[found])
        return confirm(start, TIMES, attempt).numpy(), sure

    def _farthest(self, index: Indices, label: Indices, z: Array, more: Array) -> Array:
        """Return costs (n,) that the least ones do not exceed, where there are any rows."""
        farthest = np.full(len(index), np.inf)
        for _, at, gains, _, far in self._towards(index, label, z, more):
            farthest[at] = np.minimum(farthest[at], gains.affordable(far))
        return farthest

    def _error(self, x: Array, farthest: Array) -> Array:
        """Bound how far the logits of the module are from those read, wherever rows may go.

        On an open side that is as far as a cost allows.
        """
        space = self.space
        reach = np.zeros(x.shape[1])
        slack = np.maximum(space.high - x, x - space.low)
        slack = np.where(np.isinf(slack), farthest[:, None] * space.unit, slack)
        reach[space.numeric] = slack[:, space.numeric].max(axis=0).clip(min=0)
        for block, columns in zip(space.blocks, space.columns, strict=True):
            reach[columns] = np.abs(block.codes[:, None] - x[:, columns]).max(axis=(0, 1))
        moves = reach > 0
        unit = torch.from_numpy(np.where(moves, reach, 1))
        bound = self.reading.in_units(unit).rounding(
            torch.from_numpy(x) / unit,
            np.inf,
            torch.from_numpy(moves),
            self.problem.model.dtype,
        )
        return (bound.still + bound.growth).numpy()
