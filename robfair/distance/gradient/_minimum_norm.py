"""The minimum-norm search of "auto" and "strong": several starts, a race, a long descent.

The distance has many local minima, at least one for each target class. A search errs most by ending
in the wrong one, not by ending imprecisely. So each sample starts towards every target class whose
linearised boundary is near. All starts make a few steps of descent, and only the best continues to
the end. "strong" then restarts, from DeepFool's point and from random points around the best, until
its budget is spent.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor

from robfair._confirm import beyond_rounding, confirm, outwards
from robfair._geometry import norms, step_to_hyperplane
from robfair._problem import Problem, distances, finite, margins
from robfair.adapters import Vjp
from robfair.distance._arrays import Indices
from robfair.distance._writer import ResultWriter
from robfair.distance.gradient._budget import SearchBudget
from robfair.distance.gradient._deepfool import deepfool_distance
from robfair.distance.gradient._descent import (
    DescentSchedule,
    MarginObjective,
    Nearest,
    against,
    descend,
)

__all__ = ["minimum_norm_distance", "minimum_norm_fallback"]

# A descent is repeated where it has shortened the distance by more than this share.
GAIN = 0.03  # bench_constants: halved, +4 % passes; doubled, -2 %; the same length
# Samples of another class that are tried as starts where all else fails; bounds the passes.
MOST_OTHERS = 100
# Steps out, relative to the perturbation, where shorter ones vanish in the rounding of eight bits.
HALF_PRECISION = (0.03, 0.1, 0.3)


def minimum_norm_distance(
    problem: Problem, results: ResultWriter, budget: SearchBudget, seed: int
) -> None:
    """Fill `results` by the minimum-norm search; flag the samples that no start flips as failed.

    Parameters
    ----------
    problem, results : Problem, ResultWriter
        The samples, and the arrays to fill.
    budget : SearchBudget
        Starts, steps and restarts.
    seed : int
        Seed of the restarts. The random numbers of a sample depend only on the seed and on the
        position of the sample.
    """
    with _search(problem, results, budget, seed) as search:
        for first in range(0, len(problem.X), problem.batch_size):
            search.run(np.arange(first, min(first + problem.batch_size, len(problem.X))))


def minimum_norm_fallback(
    problem: Problem, results: ResultWriter, budget: SearchBudget, seed: int
) -> None:
    """Try more where no start has flipped a sample: DeepFool, and other samples.

    Parameters
    ----------
    problem, results : Problem, ResultWriter
        All samples, and what :func:`minimum_norm_distance` has written of them.
    budget, seed : SearchBudget, int
        As there.
    """
    # DeepFool's steps grow until one flips the sample, so it takes what no start has flipped.
    rest = np.flatnonzero(results.failed)
    with _search(problem, results, budget, seed) as search:
        for first in range(0, len(rest), problem.batch_size):
            search.fallback(rest[first : first + problem.batch_size])


@contextmanager
def _search(
    problem: Problem, results: ResultWriter, budget: SearchBudget, seed: int
) -> Iterator[_Search]:
    network, shape = problem.network, problem.shape
    with network.forward(shape) as forward, network.forward_vjp(shape) as forward_vjp:
        objective = MarginObjective(problem, forward, forward_vjp)
        yield _Search(problem, results, budget, seed, objective)


@dataclass(frozen=True)
class _Search:
    """Searches a batch of samples at a time."""

    problem: Problem
    results: ResultWriter
    budget: SearchBudget
    seed: int
    objective: MarginObjective

    def run(self, index: Indices) -> None:
        """Search some samples; write nothing of those that no start has flipped."""
        x = self.problem.tensor(index)
        logits, vjp = self.objective.forward_vjp(x)
        label = finite(logits).argmax(dim=1)
        codes = label.cpu().numpy()
        self.results.predicted_codes[index] = codes
        self.results.n_forward[index] += 1
        steps, sizes = self._linearise(x, logits, vjp, label, index)
        if self.problem.true_codes is not None:
            right = self.problem.true_codes[index] == codes
            self.results.skip(index[~right])
            kept = torch.from_numpy(right).to(x.device)
            index, x, label = index[right], x[kept], label[kept]
            steps, sizes = [(target[kept], step[kept]) for target, step in steps], sizes[kept]
        if len(index) == 0:
            return
        nearest = self._race(index, x, label, steps, sizes)
        found = nearest.distance.isfinite()
        self._finish(index, x, label, nearest, found, self.budget.deepfool)
        self.results.failed[index] = ~found.cpu().numpy()

    def fallback(self, index: Indices) -> None:
        """Start from DeepFool's points or from other samples; censor what this does not flip."""
        x, label, nearest = self._deepfool(index)
        rows = nearest.distance.isinf().nonzero()[:, 0]
        nearest.update(rows, self._others(index[rows.cpu().numpy()], x[rows], label[rows]))
        found = nearest.distance.isfinite()
        self._finish(index, x, label, nearest, found, deepfool=False)
        self.results.give_up(index[~found.cpu().numpy()])

    def _others(self, index: Indices, x: Tensor, label: Tensor) -> Nearest:
        """Start from samples of another class: flat logits give no direction."""
        nearest = Nearest(x.clone(), x.new_full((len(x),), torch.inf))
        for row, i in enumerate(index):
            other = (self.results.predicted_codes != self.results.predicted_codes[i]).nonzero()[0]
            # Evenly spread over X where there are many, so that the passes stay few.
            other = other[:: max(1, len(other) // MOST_OTHERS)]
            points = self.problem.tensor(other)
            if self.objective.mask is not None:
                points = torch.where(self.objective.mask, points, x[row])
            margin = self.objective.margin(points, label[row].expand(len(points)))
            size = norms(points - x[row], self.problem.norm)
            size = torch.where(margin < 0, size, torch.inf)
            self.results.n_forward[i] += len(points)
            if len(size) and bool(size.amin().isfinite()):
                best = size.argmin()
                nearest.points[row], nearest.distance[row] = points[best], size[best]
        return nearest

    def _deepfool(self, index: Indices) -> tuple[Tensor, Tensor, Nearest]:
        part = self.problem.part(index)
        results = ResultWriter(part, keep_adversarial=True)
        deepfool_distance(part, results, max_iter=50, overshoot=1e-3, n_candidates=3, bisect=True)
        self.results.n_forward[index] += results.n_forward
        self.results.n_backward[index] += results.n_backward
        x = self.problem.tensor(index)
        points = self.problem.model.tensor(results.adversarial)  # type: ignore[arg-type]
        distance = torch.from_numpy(results.distance).to(x)
        label = torch.from_numpy(results.predicted_codes).to(x.device)
        return x, label, Nearest(torch.where(distance.isfinite()[:, None], points, x), distance)

    def _linearise(
        self, x: Tensor, logits: Tensor, vjp: Vjp, label: Tensor, index: Indices
    ) -> tuple[list[tuple[Tensor, Tensor]], Tensor]:
        """Return target classes, steps to their linearised boundaries, and their sizes (n, m)."""
        own = label[:, None]
        others = logits.scatter(1, own, -torch.inf)
        m = self.budget.n_candidates
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

    def _race(
        self,
        index: Indices,
        x: Tensor,
        label: Tensor,
        steps: list[tuple[Tensor, Tensor]],
        sizes: Tensor,
    ) -> Nearest:
        """Let the starts of each sample descend a little way; return the best of each."""
        least = sizes.amin(dim=1)
        nearest = Nearest(x.clone(), torch.full_like(least, torch.inf))
        for (j, (target, step)), far in product(enumerate(steps), self.budget.far):
            in_race = (sizes[:, j] <= self.budget.near * least) & sizes[:, j].isfinite()
            rows = in_race.nonzero()[:, 0]
            if len(rows) == 0:
                continue
            start = self._start(x[rows], label[rows], target[rows], step[rows], sizes[rows, j], far)
            # Each start has its own best: a longer distance to a new target is followed, too.
            best = Nearest(start.clone(), torch.full_like(least[rows], torch.inf))
            descend(self.objective, x[rows], label[rows], start, best, self.budget.race)
            self._count(index[rows.cpu().numpy()], self.budget.race, extra=1)
            nearest.update(rows, best)
        return nearest

    def _start(
        self, x: Tensor, label: Tensor, target: Tensor, step: Tensor, size: Tensor, far: float
    ) -> Tensor:
        """Return the start of a descent, along the gradient far behind the linearised boundary."""
        _, _, gradient = self.objective(self.objective.clip(x + far * step), label, target)
        direction = self.objective.steepest(gradient)
        start = self.objective.clip(x + size[:, None] * direction)
        flat = (start == x).all(dim=1)  # the gradient there is 0, or points out of the box
        return torch.where(flat[:, None], self.objective.clip(x + step), start)

    def _finish(
        self,
        index: Indices,
        x: Tensor,
        label: Tensor,
        nearest: Nearest,
        found: Tensor,
        deepfool: bool,
    ) -> None:
        """Descend from the best points, restart as the budget says, and write the results."""
        rows = found.nonzero()[:, 0]
        if len(rows) == 0:
            return
        index, x, label = index[found.cpu().numpy()], x[rows], label[rows]
        nearest = nearest[rows]
        schedule, rows = self.budget.finish, torch.arange(len(rows), device=x.device)
        for _ in range(1 + self.budget.n_again):
            best = nearest[rows]
            before = best.distance.clone()
            descend(self.objective, x[rows], label[rows], best.points.clone(), best, schedule)
            self._count(index[rows.cpu().numpy()], schedule)
            nearest.update(rows, best)
            rows = rows[best.distance < (1 - GAIN) * before]
            schedule = self.budget.again
            if len(rows) == 0:
                break
        for restart in range(self.budget.n_restarts):
            points = self._restart(index, x, nearest, restart, deepfool and restart == 0)
            descend(self.objective, x, label, points, nearest, self.budget.restart)
            self._count(index, self.budget.restart)
        points, passes = _step_out(self.objective, x, label, nearest.points)
        self.results.n_forward[index] += passes.cpu().numpy()
        kept = ~points.isnan().any(dim=1)
        self.results.write_found(
            index[kept.cpu().numpy()], distances(points, x, self.problem.norm)[kept], points[kept]
        )
        self.results.give_up(index[~kept.cpu().numpy()])

    def _restart(
        self, index: Indices, x: Tensor, nearest: Nearest, restart: int, deepfool: bool
    ) -> Tensor:
        """Return DeepFool's points, or random ones as far from the best as the samples are."""
        if deepfool:
            _, _, other = self._deepfool(index)
            nearest.see(other.points, other.distance, -torch.ones_like(other.distance))
            return torch.where(other.distance.isfinite()[:, None], other.points, nearest.points)
        # A stream per sample and restart: results depend neither on batches nor on other samples.
        place = index + self.problem.first
        streams = (np.random.default_rng((self.seed, restart, int(i))) for i in place)
        noise = np.stack([stream.standard_normal(x.shape[1]) for stream in streams])
        direction = torch.from_numpy(noise).to(x)
        if self.objective.mask is not None:
            direction = direction * self.objective.mask
        # Scaled twice, since `scaled` leaves an L-inf perturbation below the radius as it is.
        radius = nearest.distance
        delta = self.objective.scaled(direction * radius[:, None], radius)
        points = self.objective.clip(nearest.points + delta)
        return torch.where((points == x).all(dim=1)[:, None], nearest.points, points)

    def _count(self, index: Indices, schedule: DescentSchedule, extra: int = 0) -> None:
        self.results.n_forward[index] += schedule.n_steps + 1 + extra
        self.results.n_backward[index] += schedule.n_steps + extra


def _step_out(
    objective: MarginObjective, x: Tensor, label: Tensor, points: Tensor
) -> tuple[Tensor, Tensor]:
    """Step out a little beyond rounding, and predict the points once more."""
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
