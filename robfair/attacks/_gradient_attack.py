"""One run of an attack by gradient steps, on those samples that are not fooled yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robfair._batches import batches
from robfair._confirm import rounding
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
        parts, size = [], self.problem.batch_size
        with self.problem.network.forward_vjp(self.problem.shape) as forward_vjp:
            for rows in batches(len(index), size):
                first = None if start is None else start[rows]
                parts.append(
                    self._batch(forward_vjp, index[rows], eps[rows], first, restart, every_step)
                )
                progress(parts[-1])
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return Attempt(*(torch.cat(column) for column in columns))

    def _batch(
        self,
        forward_vjp: ForwardVjp,
        index: NDArray[np.intp],
        budget: NDArray[np.float64],
        start: Tensor | None,
        restart: int,
        every_step: bool,
    ) -> Attempt:
        """Attack a batch, move the points exactly into the balls, and predict them again."""
        problem = self.problem
        x, radius = problem.tensor(index), torch.from_numpy(budget).to(problem.model.device)
        label = torch.from_numpy(self.label[index]).to(x.device)
        eps = radius.to(x.dtype)
        if start is None:
            start = self._start(x, eps, index, restart)
        images = x.reshape(-1, *problem.shape)
        ball = Ball(images, eps, problem.norm, problem.threat_model)
        clean = self.clean[torch.from_numpy(index)]
        # Beyond what rounding in another batch can take back.
        sure_margin = -rounding(clean, clean.dtype)
        if every_step:
            sure_margin = torch.full_like(sure_margin, -torch.inf)
        rows = torch.arange(len(x), device=x.device)
        first = ball.project(start.reshape(images.shape))
        active = ActiveSamples(ball, rows, label, self._step(eps), sure_margin, clean)
        n_steps = 1 if self.options.entry.is_one_step else self.options.n_steps
        points, n_forward, n_backward = active_pgd(forward_vjp, self.goal, active, first, n_steps)
        unmoved = (points == first).flatten(1).all(dim=1)
        # A step in the model's dtype may end a rounding error outside.
        points, size = into_ball(points, images, radius, problem.norm)
        with torch.no_grad():
            logits = finite(forward_vjp(points)[0])
        self.n_forward[index] += n_forward.cpu().numpy() + 1  # and the one that confirms
        self.n_backward[index] += n_backward.cpu().numpy()
        codes = logits.argmax(dim=1)
        fooled = (codes == label) == self.targeted
        margin = self.goal.margin(logits, label)
        return Attempt(points.flatten(1), size, codes, margin, fooled, unmoved & ~fooled)

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

    def _start(self, x: Tensor, eps: Tensor, index: NDArray[np.intp], restart: int) -> Tensor:
        options, key = self.options, (self.seed, restart)
        if options.entry.starts_nearby:
            return near_centre(x, eps, index, key)
        if options.entry.is_one_step or (restart == 0 and not options.random_start):
            return x
        return in_ball(x, eps, self.problem.norm, index, key)

    def _step(self, eps: Tensor) -> Tensor:
        if self.options.step_size is not None:
            return torch.full_like(eps, self.options.step_size)
        return eps * (1 if self.options.entry.is_one_step else CROSSING / self.options.n_steps)

    def _clean(self) -> Tensor:
        problem, parts = self.problem, []
        with torch.no_grad(), problem.network.forward(problem.shape) as forward:
            for rows in batches(len(problem.X), problem.batch_size):
                parts.append(finite(forward(problem.rows(rows.start, rows.stop))))
        self.n_forward += 1
        return torch.cat(parts)
