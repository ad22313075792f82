"""The search of a row from its own gradients: several starts, a race, a long descent.

The distance has many local minima, at least one for each target class. A search errs most by ending
in the wrong one, not by ending imprecisely. So each sample starts towards every target class whose
linearised boundary is near. All starts make a few steps of descent, and only the best continues to
the end.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor

from robfair._batches import batches
from robfair._confirm import beyond_rounding, confirm, outwards
from robfair._geometry import norms, step_to_hyperplane
from robfair._problem import Problem, distances, finite, margins
from robfair.adapters import Vjp
from robfair.distance._arrays import Indices
from robfair.distance._writer import ResultWriter
from robfair.distance.gradient._budget import OwnBudget
from robfair.distance.gradient._deepfool import deepfool_distance
from robfair.distance.gradient._descent import (
    DescentSchedule,
    MarginObjective,
    Nearest,
    against,
    descend,
)
from robfair.distance.gradient._noise import RowNoise

__all__ = ["Batch", "OwnSearch", "own_distance", "own_search"]

# A descent is repeated where it has shortened the distance by more than this share.
GAIN = 0.03  # bench_constants: halved, +4 % passes; doubled, -2 %; the same length
# Steps out, relative to the perturbation, where shorter ones vanish in the rounding of eight bits.
HALF_PRECISION = (0.03, 0.1, 0.3)


def own_distance(problem: Problem, results: ResultWriter, budget: OwnBudget) -> None:
    """Fill `results` by each row's own search; flag the samples that no start flips as failed.

    Parameters
    ----------
    problem, results : Problem, ResultWriter
        The samples, and the arrays to fill.
    budget : OwnBudget
        Starts and steps.
    """
    with own_search(problem, results, budget) as search:
        for rows in batches(len(problem.X), problem.batch_size):
            batch = search.begin(np.arange(len(problem.X))[rows])
            search.converge(batch, budget.finish)
            search.write(batch)


@contextmanager
def own_search(problem: Problem, results: ResultWriter, budget: OwnBudget) -> Iterator[OwnSearch]:
    """Open the network for a search."""
    network, shape = problem.network, problem.shape
    with network.forward(shape) as forward, network.forward_vjp(shape) as forward_vjp:
        objective = MarginObjective(problem, forward, forward_vjp)
        yield OwnSearch(problem, results, budget, objective)


@dataclass(frozen=True)
class Batch:
    """Rows in the course of their search."""

    index: Indices  # places in the X of the problem
    x: Tensor
    label: Tensor
    margin: Tensor  # of the rows themselves
    nearest: Nearest

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, rows: Tensor) -> Batch:
        kept = self.index[rows.cpu().numpy()]
        return Batch(kept, self.x[rows], self.label[rows], self.margin[rows], self.nearest[rows])


@dataclass(frozen=True)
class OwnSearch:
    """Searches a batch of rows at a time."""

    problem: Problem
    results: ResultWriter
    budget: OwnBudget
    objective: MarginObjective

    def begin(self, index: Indices, race: bool = True) -> Batch:
        """Predict some rows, skip those that are wrong, and let the starts of the others race."""
        x = self.problem.tensor(index)
        logits, vjp = self.objective.forward_vjp(x)
        label = finite(logits).argmax(dim=1)
        codes = label.cpu().numpy()
        self.results.predicted_codes[index] = codes
        self.results.n_forward[index] += 1
        nearest = Nearest(x.clone(), x.new_full((len(x),), torch.inf))
        batch = Batch(index, x, label, margins(logits, label).detach(), nearest)
        # One gradient at least: it tells whether the logits are flat.
        n_candidates = self.budget.n_candidates if race else 1
        steps, sizes = self._linearise(batch, logits, vjp, n_candidates)
        if self.problem.true_codes is not None:
            right = self.problem.true_codes[index] == codes
            self.results.skip(index[~right])
            kept = torch.from_numpy(right).to(x.device).nonzero()[:, 0]
            batch, steps = batch[kept], [(target[kept], step[kept]) for target, step in steps]
            sizes = sizes[kept]
        if len(batch) and race:
            self._race(batch, steps, sizes)
        if len(batch) and self.budget.deepfool:
            other = self.deepfool(batch.index).nearest
            rows = other.distance.isfinite().nonzero()[:, 0]
            batch.nearest.update(rows, other[rows])
            self.descend(batch, rows, other.points[rows], self.budget.finish)
        return batch

    def descend(
        self,
        batch: Batch,
        rows: Tensor,
        points: Tensor,
        schedule: DescentSchedule,
        noise: RowNoise | None = None,
    ) -> Nearest:
        """Descend from points of some rows, and return what that has found.

        Each descent has its own best: a longer way to a new minimum is followed, too.
        """
        best = Nearest(points.clone(), points.new_full((len(rows),), torch.inf))
        if len(rows):
            descend(self.objective, batch.x[rows], batch.label[rows], points, best, schedule, noise)
            self.count(batch, rows, schedule.n_steps + 1, schedule.n_steps)
            batch.nearest.update(rows, best)
        return best

    def count(self, batch: Batch, rows: Tensor, n_forward: int, n_backward: int = 0) -> None:
        """Count passes of some rows."""
        index = batch.index[rows.cpu().numpy()]
        self.results.n_forward[index] += n_forward
        self.results.n_backward[index] += n_backward

    def deepfool(self, index: Indices) -> Batch:
        """Return DeepFool's points of some rows, at distance inf where it has found none."""
        part = self.problem.part(index)
        results = ResultWriter(part, keep_adversarial=True)
        deepfool_distance(part, results, max_iter=50, overshoot=1e-3, n_candidates=3, bisect=True)
        self.results.n_forward[index] += results.n_forward
        self.results.n_backward[index] += results.n_backward
        x = self.problem.tensor(index)
        points = self.problem.model.tensor(results.adversarial)  # type: ignore[arg-type]
        distance = torch.from_numpy(results.distance).to(x)
        label = torch.from_numpy(results.predicted_codes).to(x.device)
        points = torch.where(distance.isfinite()[:, None], points, x)
        return Batch(
            index, x, label, torch.full_like(distance, torch.nan), Nearest(points, distance)
        )

    def _linearise(
        self, batch: Batch, logits: Tensor, vjp: Vjp, m: int
    ) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
        """Return target classes, steps to their linearised boundaries, and their sizes (n, m)."""
        x, label, index = batch.x, batch.label, batch.index
        own = label[:, None]
        others = logits.scatter(1, own, -torch.inf)
        targets = others.topk(m, dim=1).indices
        slack, norm = self.objective.slack(x), self.problem.norm
        steps, sizes = [], []
        flat = torch.ones_like(label, dtype=torch.bool)
        for j in range(m):
            target = targets[:, j : j + 1]
            gap = (logits.gather(1, own) - logits.gather(1, target))[:, 0]
            gradient = vjp(against(logits, own, target))
            if self.objective.mask is not None:
                gradient = gradient * self.objective.mask
            step, reached = step_to_hyperplane(-gradient, gap.clamp_min(0), norm, slack)
            size = norms(step, norm)
            steps.append((targets[:, j], step))
            sizes.append(torch.where(reached & (size > 0), size, torch.inf))
            flat &= (gradient == 0).all(dim=1)
        self.results.n_backward[index] += m
        self.results.flat[index] = flat.cpu().numpy()
        return steps, torch.stack(sizes, dim=1)

    def _race(self, batch: Batch, steps: list[tuple[Tensor, Tensor]], sizes: Tensor) -> None:
        """Let the starts of each row descend a little way."""
        least = sizes.amin(dim=1)
        for (j, (target, step)), far in product(enumerate(steps), self.budget.far):
            in_race = (sizes[:, j] <= self.budget.near * least) & sizes[:, j].isfinite()
            rows = in_race.nonzero()[:, 0]
            if len(rows) == 0:
                continue
            start = self._start(batch, rows, target[rows], step[rows], sizes[rows, j], far)
            self.descend(batch, rows, start, self.budget.race)

    def _start(
        self, batch: Batch, rows: Tensor, target: Tensor, step: Tensor, size: Tensor, far: float
    ) -> Tensor:
        """Return the start of a descent, along the gradient far behind the linearised boundary."""
        x, objective = batch.x[rows], self.objective
        _, _, gradient = objective(objective.clip(x + far * step), batch.label[rows], target)
        self.count(batch, rows, 1, 1)
        start = objective.clip(x + size[:, None] * objective.steepest(gradient))
        flat = (start == x).all(dim=1)  # the gradient there is 0, or points out of the box
        return torch.where(flat[:, None], objective.clip(x + step), start)

    def converge(self, batch: Batch, schedule: DescentSchedule, n_again: int | None = None) -> None:
        """Descend from the best points, and again as long as that helps."""
        rows = batch.nearest.distance.isfinite().nonzero()[:, 0]
        for _ in range(1 + (self.budget.n_again if n_again is None else n_again)):
            if len(rows) == 0:
                break
            best = batch.nearest[rows]
            before = best.distance.clone()
            start, label = batch.x[rows], batch.label[rows]
            descend(self.objective, start, label, best.points.clone(), best, schedule)
            self.count(batch, rows, schedule.n_steps + 1, schedule.n_steps)
            batch.nearest.update(rows, best)
            rows = rows[best.distance < (1 - GAIN) * before]
            schedule = self.budget.again

    def write(self, batch: Batch) -> None:
        """Write the results, and flag the rows that are not flipped as failed."""
        found = batch.nearest.distance.isfinite()
        self.results.failed[batch.index] = ~found.cpu().numpy()
        batch = batch[found.nonzero()[:, 0]]
        if len(batch) == 0:
            return
        points, passes = _step_out(self.objective, batch)
        self.results.n_forward[batch.index] += passes.cpu().numpy()
        kept = ~points.isnan().any(dim=1)
        index = batch.index[kept.cpu().numpy()]
        size = distances(points[kept], batch.x[kept], self.problem.norm)
        self.results.write_found(index, size, points[kept])
        self.results.give_up(batch.index[(~kept).cpu().numpy()])


def _step_out(objective: MarginObjective, batch: Batch) -> tuple[Tensor, Tensor]:
    """Step out a little beyond rounding, and predict the points once more."""
    x, label, points = batch.x, batch.label, batch.nearest.points
    passes = torch.zeros_like(label)

    def attempt(rows: Tensor, beyond: float) -> tuple[Tensor, Tensor, Tensor]:
        tried = objective.clip(points[rows] + beyond * (points[rows] - x[rows]))
        passes[rows] += 1
        with torch.no_grad():
            logits = objective.forward(tried)
        margin = margins(logits, label[rows])
        return tried, margin < 0, beyond_rounding(margin, logits, points.dtype)

    steps = (*outwards(points.dtype), 0.0)
    return confirm(points, steps, attempt, last_resort=HALF_PRECISION), passes
