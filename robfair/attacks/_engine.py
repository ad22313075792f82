"""The engine of all attacks: projected gradient ascent on those samples that are not fooled yet."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robfair._confirm import rounding
from robfair._problem import Problem, finite
from robfair.adapters import ForwardVjp
from robfair.attacks._active_pgd import Aim, Climbers, climb, into_ball
from robfair.attacks._pgd import Ball
from robfair.attacks._starts import in_ball, near_centre

__all__ = ["METHODS", "Options", "Search", "Tries"]

METHODS = ("pgd", "fgsm", "kl")
# Madry's rule: all steps together could cross the ball.
CROSSING = 2.5


@dataclass(frozen=True)
class Options:
    """What the caller has set; see `attack`."""

    method: str
    n_steps: int
    step_size: float | None
    n_restarts: int
    random_start: bool
    seed: int

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}; got {self.method!r}.")
        if operator.index(self.n_steps) < 1 or operator.index(self.n_restarts) < 1:
            raise ValueError(
                "n_steps and n_restarts must be at least 1; got "
                f"{self.n_steps} and {self.n_restarts}."
            )
        if self.step_size is not None and not 0 < self.step_size < np.inf:
            raise ValueError(f"step_size must be a positive number or None; got {self.step_size}.")
        if self.method == "fgsm" and (self.step_size is not None or self.n_restarts > 1):
            raise ValueError(
                'method="fgsm" is one step of length eps from the sample itself: step_size and '
                'n_restarts are for "pgd" and "kl".'
            )
        if self.method == "kl" and not self.random_start:
            raise ValueError(
                'method="kl" needs random_start=True: the divergence has no gradient at the sample.'
            )

    @property
    def steps(self) -> int:
        """Number of steps that the method makes."""
        return 1 if self.method == "fgsm" else self.n_steps


@dataclass
class Tries:
    """What an attack ends with, a row for each sample that was attacked."""

    points: Tensor  # (n, d), inside the ball and the box
    size: Tensor  # (n,), float64, their distances from the samples
    codes: Tensor  # (n,) classes that are predicted there
    gap: Tensor  # (n,) margin to the decision that is wanted; negative once it is made
    fooled: Tensor  # (n,) whether it is made, by the predicted class
    still: Tensor  # (n,) whether no step has moved it, although it is not fooled


class Search:
    """Attacks on the samples of a problem.

    Parameters
    ----------
    problem : Problem
        Samples, model and threat model.
    options : Options
        What attack.
    target : ndarray of int, of shape (n,), or None
        Classes to be reached; None to get away from the true classes of the problem, or from the
        predicted ones if it has none.
    """

    def __init__(
        self, problem: Problem, options: Options, target: NDArray[np.intp] | None = None
    ) -> None:
        self.problem = problem
        self.options = options
        self.targeted = target is not None
        self.aim = Aim(options.method, self.targeted)
        n = len(problem.X)
        self.n_forward = np.zeros(n, dtype=np.int32)
        self.n_backward = np.zeros(n, dtype=np.int32)
        self.clean = self._clean()
        self.codes = self.clean.argmax(dim=1).cpu().numpy()
        label = target if target is not None else problem.true_codes
        self.label = self.codes if label is None else label
        # Where there is nothing to do.
        self.done = (self.codes == self.label) == self.targeted

    def run(
        self,
        index: NDArray[np.intp],
        eps: NDArray[np.float64],
        *,
        start: Tensor | None = None,
        restart: int = 0,
        whole: bool = False,
        progress: Callable[[Tries], None] = lambda tries: None,
    ) -> Tries:
        """Attack some samples once.

        Parameters
        ----------
        index : ndarray of int, of shape (m,), increasing
            Their positions in X.
        eps : ndarray of float64, of shape (m,)
            Their budgets.
        start : Tensor of shape (m, d), default=None
            First points. None: as the options say.
        restart : int, default=0
            Number of the restart, for its random numbers.
        whole : bool, default=False
            Whether to make all steps, also with samples that are fooled.
        progress : callable, default=lambda tries: None
            Called with each batch that is finished.
        """
        parts, size = [], self.problem.batch_size
        with self.problem.network.forward_vjp(self.problem.shape) as forward_vjp:
            for first in range(0, len(index), size):
                rows = slice(first, first + size)
                first_points = None if start is None else start[rows]
                tries = self._batch(
                    forward_vjp, index[rows], eps[rows], first_points, restart, whole
                )
                parts.append(tries)
                progress(tries)
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return Tries(*(torch.cat(column) for column in columns))

    def _batch(
        self,
        forward_vjp: ForwardVjp,
        index: NDArray[np.intp],
        budget: NDArray[np.float64],
        start: Tensor | None,
        restart: int,
        whole: bool,
    ) -> Tries:
        """Attack a batch: climb, take the points exactly into the balls, and predict them again."""
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
        sure = -rounding(clean, clean.dtype)
        if whole:
            sure = torch.full_like(sure, -torch.inf)
        rows = torch.arange(len(x), device=x.device)
        first = ball.project(start.reshape(images.shape))
        climbers = Climbers(ball, rows, label, self._step(eps), sure, clean)
        points, n_forward, n_backward = climb(
            forward_vjp, self.aim, climbers, first, self.options.steps
        )
        still = (points == first).flatten(1).all(dim=1)
        points, size = into_ball(points, images, radius, problem.norm)
        with torch.no_grad():
            logits = finite(forward_vjp(points)[0])
        self.n_forward[index] += n_forward.cpu().numpy() + 1
        self.n_backward[index] += n_backward.cpu().numpy()
        codes = logits.argmax(dim=1)
        fooled = (codes == label) == self.targeted
        return Tries(
            points=points.flatten(1),
            size=size,
            codes=codes,
            gap=self.aim.gap(logits, label),
            fooled=fooled,
            still=still & ~fooled,
        )

    def _start(self, x: Tensor, eps: Tensor, index: NDArray[np.intp], restart: int) -> Tensor:
        options, key = self.options, (self.options.seed, restart)
        if options.method == "kl":
            return near_centre(x, eps, index, key)
        if options.method == "fgsm" or (restart == 0 and not options.random_start):
            return x
        return in_ball(x, eps, self.problem.norm, index, key)

    def _step(self, eps: Tensor) -> Tensor:
        if self.options.step_size is not None:
            return torch.full_like(eps, self.options.step_size)
        return eps * (1 if self.options.method == "fgsm" else CROSSING / self.options.n_steps)

    def _clean(self) -> Tensor:
        problem, parts = self.problem, []
        with torch.no_grad(), problem.network.forward(problem.shape) as forward:
            for first in range(0, len(problem.X), problem.batch_size):
                parts.append(finite(forward(problem.rows(first, first + problem.batch_size))))
        self.n_forward += 1
        return torch.cat(parts)
