"""One run of an attack by gradient steps, on those samples that are not fooled yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from joblib import effective_n_jobs
from numpy.typing import NDArray
from torch import Tensor

from robfair._batches import batches
from robfair._confirm import rounding
from robfair._parallel import in_order
from robfair._problem import Problem, distances, finite
from robfair.adapters import ForwardVjp
from robfair.attacks._active_pgd import ActiveSamples, AttackGoal, active_pgd, into_ball
from robfair.attacks._options import AttackOptions
from robfair.attacks._pgd import Ball
from robfair.attacks._starts import in_ball, near_centre

__all__ = ["Attempt", "GradientAttack"]

# Madry's rule: all steps together could cross the ball.
CROSSING = 2.5


@dataclass
class Attempt:
    """The end of one run, a row for each sample that was attacked."""

    points: Tensor  # (n, d), inside the ball and the box
    size: Tensor  # (n,), float64, their distances from the samples
    codes: Tensor  # (n,) classes that are predicted there
    margin: Tensor  # (n,) margin to the decision that is wanted; negative once it is made
    fooled: Tensor  # (n,) whether it is made, by the predicted class
    unmoved: Tensor  # (n,) whether no step has moved it, although it is not fooled


# What a run ends with, and the passes that each sample went forwards and backwards.
Run = tuple[Attempt, NDArray[np.int64], NDArray[np.int64]]


@dataclass(frozen=True)
class Batch:
    """The samples of a batch, with all that a run on them needs: another process may do it."""

    problem: Problem  # of these samples
    goal: AttackGoal
    options: AttackOptions
    seed: int
    restart: int
    every_step: bool  # whether fooled samples make all steps, too
    index: NDArray[np.intp]  # (n,) places in X, on which random starts depend
    label: NDArray[np.intp]  # (n,) classes to be left or reached
    clean: Tensor  # (n, n_classes) logits of the samples
    budget: NDArray[np.float64]  # (n,)
    start: Tensor | None  # (n, d); None: as the options say

    def run(self, forward_vjp: ForwardVjp) -> Run:
        """Attack them, move the points exactly into the balls, and predict them again."""
        problem, norm = self.problem, self.problem.norm
        x = problem.rows(0, len(problem.X))
        radius = torch.from_numpy(self.budget).to(x.device)
        label = torch.from_numpy(self.label).to(x.device)
        eps = radius.to(x.dtype)
        start = self._start(x, eps) if self.start is None else self.start
        images = x.reshape(-1, *problem.shape)
        ball = Ball(images, eps, norm, problem.threat_model)
        # Beyond what rounding in another batch can take back.
        sure_margin = -rounding(self.clean, self.clean.dtype)
        if self.every_step:
            sure_margin = torch.full_like(sure_margin, -torch.inf)
        rows = torch.arange(len(x), device=x.device)
        first = ball.project(start.reshape(images.shape))
        active = ActiveSamples(ball, rows, label, self._step(eps), sure_margin, self.clean)
        n_steps = 1 if self.options.entry.is_one_step else self.options.n_steps
        points, n_forward, n_backward = active_pgd(forward_vjp, self.goal, active, first, n_steps)
        unmoved = (points == first).flatten(1).all(dim=1)
        # A step in the model's dtype may end a rounding error outside.
        points, size = into_ball(points, images, radius, norm)
        with torch.no_grad():
            logits = finite(forward_vjp(points)[0])
        codes = logits.argmax(dim=1)
        fooled = (codes == label) == self.goal.targeted
        margin = self.goal.margin(logits, label)
        attempt = Attempt(points.flatten(1), size, codes, margin, fooled, unmoved & ~fooled)
        # With the pass that confirms.
        return attempt, n_forward.cpu().numpy() + 1, n_backward.cpu().numpy()

    def _start(self, x: Tensor, eps: Tensor) -> Tensor:
        options, key = self.options, (self.seed, self.restart)
        if options.entry.starts_nearby:
            return near_centre(x, eps, self.index, key)
        if options.entry.is_one_step or (self.restart == 0 and not options.random_start):
            return x
        return in_ball(x, eps, self.problem.norm, self.index, key)

    def _step(self, eps: Tensor) -> Tensor:
        if self.options.step_size is not None:
            return torch.full_like(eps, self.options.step_size)
        return eps * (1 if self.options.entry.is_one_step else CROSSING / self.options.n_steps)


def run_batch(batch: Batch) -> Run:
    """Attack a batch, in any process."""
    with batch.problem.network.forward_vjp(batch.problem.shape) as forward_vjp:
        return batch.run(forward_vjp)


class GradientAttack:
    """Runs of an attack on some samples of a problem at a time.

    Its targets are classes to be reached. None: it gets away from the true classes of the problem,
    or from the predicted ones if that has none.
    """

    def __init__(
        self,
        problem: Problem,
        options: AttackOptions,
        seed: int,
        target: NDArray[np.intp] | None = None,
    ) -> None:
        self.problem, self.options, self.seed = problem, options, seed
        self.targeted = target is not None
        self.goal = AttackGoal(options.entry.weights, self.targeted)
        self.n_forward, self.n_backward = np.zeros((2, len(problem.X)), dtype=np.int32)
        self.clean = self._clean()
        self.predicted_codes = self.clean.argmax(dim=1).cpu().numpy()
        label = target if target is not None else problem.true_codes
        self.label = self.predicted_codes if label is None else label
        # Where a sample needs no perturbation.
        self.succeeds_clean = (self.predicted_codes == self.label) == self.targeted

    def run(
        self,
        index: NDArray[np.intp],
        eps: NDArray[np.float64],
        start: Tensor | None = None,
        restart: int = 0,
        every_step: bool = False,
        progress: Callable[[Attempt], None] = lambda attempt: None,
    ) -> Attempt:
        """Attack m samples once, at increasing positions `index` and with budgets `eps` (m,).

        They start from `start` (m, d), or as the options say; the number of the restart is for the
        random starts. With `every_step` also fooled samples make all steps. `progress` gets each
        batch that is finished.
        """
        chunks = [index[rows] for rows in batches(len(index), self.problem.batch_size)]
        ends = np.cumsum([len(chunk) for chunk in chunks])

        def batch(i: int) -> Batch:
            rows = slice(int(ends[i]) - len(chunks[i]), int(ends[i]))
            return Batch(
                self.problem.part(chunks[i]),
                self.goal,
                replace(self.options, target=None, transfer_from=None),  # which steps do not need
                self.seed,
                restart,
                every_step,
                chunks[i],
                self.label[chunks[i]],
                self.clean[torch.from_numpy(chunks[i])],
                eps[rows],
                None if start is None else start[rows],
            )

        parts = []
        for chunk, run in zip(chunks, self._runs(batch, len(chunks)), strict=True):
            part, n_forward, n_backward = run
            self.n_forward[chunk] += n_forward
            self.n_backward[chunk] += n_backward
            parts.append(part)
            progress(part)
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return Attempt(*(torch.cat(column) for column in columns))

    def _runs(self, batch: Callable[[int], Batch], n: int) -> Iterator[Run]:
        """Yield the runs of n batches in their order, here or by other processes."""
        n_jobs = self.options.n_jobs
        if n > 1 and effective_n_jobs(n_jobs) != 1:
            yield from in_order(run_batch, batch, n, n_jobs, None)
            return
        with self.problem.network.forward_vjp(self.problem.shape) as forward_vjp:
            for i in range(n):
                yield batch(i).run(forward_vjp)

    def judge(self, index: NDArray[np.intp], points: Tensor) -> Attempt:
        """Predict points (m, d) that were found elsewhere, for samples at positions `index`."""
        problem, parts = self.problem, []
        with torch.no_grad(), problem.network.forward(problem.shape) as forward:
            for rows in batches(len(index), problem.batch_size):
                parts.append(finite(forward(points[rows])))
        self.n_forward[index] += 1
        logits, label = torch.cat(parts), torch.from_numpy(self.label[index]).to(points.device)
        codes = logits.argmax(dim=1)
        fooled = (codes == label) == self.targeted
        size = distances(points, problem.tensor(index), problem.norm)
        margin = self.goal.margin(logits, label)
        return Attempt(points, size, codes, margin, fooled, torch.zeros_like(fooled))

    def _clean(self) -> Tensor:
        problem, parts = self.problem, []
        with torch.no_grad(), problem.network.forward(problem.shape) as forward:
            for rows in batches(len(problem.X), problem.batch_size):
                parts.append(finite(forward(problem.rows(rows.start, rows.stop))))
        self.n_forward += 1
        return torch.cat(parts)
