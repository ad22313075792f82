"""Attacks by gradient steps at one eps after another, and the best example of each sample."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair._problem import Problem, progress_bar
from robfair.attacks._gradient_attack import Attempt, GradientAttack
from robfair.attacks._nearest import NearestPoints
from robfair.attacks._options import AttackOptions
from robfair.attacks._result import AttackResult

__all__ = ["GradientSteps", "unmoved_warning"]


@dataclass
class GradientSteps:
    """Gradient steps, with restarts, at one eps after another.

    If the examples are for another model, all samples take all steps, and examples are made anew
    for each eps: the model at hand has no say in which of them succeed.
    """

    problem: Problem
    options: AttackOptions
    seed: int
    target: NDArray[np.intp] | None  # classes to be reached
    transfers: bool  # whether the examples are for another model

    @cached_property
    def attack(self) -> GradientAttack:
        """The attack; making it costs a pass of all samples."""
        return GradientAttack(self.problem, self.options, self.seed, self.target)

    @cached_property
    def best(self) -> BestExamples:
        """The best examples so far."""
        return BestExamples(self.attack)

    @cached_property
    def nearest(self) -> NearestPoints:
        """The nearest points found, for samples that steps have not fooled."""
        return NearestPoints(self.attack)

    @property
    def may_be_nearer(self) -> bool:
        """Tell whether the attack is any that gets away from labels, and not steps of one kind."""
        wanted = self.options.nearest and self.options.entry.takes_nearest
        return wanted and not (self.targeted or self.transfers)

    @property
    def targeted(self) -> bool:
        """True where labels are to be reached, not left."""
        return self.target is not None

    @property
    def label(self) -> NDArray[Any]:
        """The labels to be left or reached, of shape (n,)."""
        return self.problem.model.labels(self.attack.label)

    def bar(self, title: str) -> Any:
        """Return a progress bar over the samples."""
        return progress_bar(self.problem, f"{title} ({self.options.method})", self.options.verbose)

    def run(self, eps: NDArray[np.float64]) -> AttackResult:
        """Attack the samples that have not been fooled yet, at budgets not below the last ones."""
        if self.transfers:
            self.best = BestExamples(self.attack)
        best = self.best
        pending = eps > 0 if self.transfers else (eps > 0) & ~best.fooled
        with self.bar("attack") as bar:

            def count(attempt: Attempt) -> None:  # the fooled; after the last restart all
                last = restart == self.options.n_restarts - 1
                bar.update(len(attempt.codes) if last else int(attempt.fooled.sum()))

            bar.update(len(eps) - int(pending.sum()))
            for restart in range(self.options.n_restarts):
                index = pending.nonzero()[0]
                if len(index) == 0:
                    break
                attempt = self.attack.run(index, eps[index], None, restart, self.transfers, count)
                best.take(index, attempt, keep_fooled=not self.transfers)
                if not self.transfers:
                    pending[index] = ~best.fooled[index]
            if self.may_be_nearer and pending.any():
                rows, closer = self.nearest.within(pending.nonzero()[0], eps[pending])
                if closer is not None:
                    best.take(rows, closer, keep_fooled=True)
        attack, labels = self.attack, self.problem.model.labels
        return AttackResult(  # copies: the next eps goes on in these arrays
            adversarial=best.points.copy(),
            success=best.fooled.copy(),
            predicted=labels(attack.predicted_codes),
            predicted_adversarial=labels(best.predicted_codes),
            size=best.size.copy(),
            eps=eps,
            method=self.options.method,
            threat_model=self.problem.threat_model,
            n_forward=attack.n_forward.copy(),
            n_backward=attack.n_backward.copy(),
            warnings_=unmoved_warning((eps > 0) & ~best.moved),
        )


class BestExamples:
    """The best example of each sample: one that is fooled, else that of the least margin."""

    def __init__(self, attack: GradientAttack) -> None:
        problem = attack.problem
        points: NDArray[Any] = problem.model.tensor(problem.X).cpu().numpy()
        self.points = points.reshape(problem.X.shape)
        self.size = np.zeros(len(points))
        self.predicted_codes = attack.predicted_codes.copy()
        self.margin = np.full(len(points), np.inf)
        self.fooled = attack.succeeds_clean.copy()
        self.moved = attack.succeeds_clean.copy()

    def take(self, index: NDArray[np.intp], attempt: Attempt, *, keep_fooled: bool) -> None:
        """Take over better examples; with `keep_fooled` all that are fooled, as they are new."""
        margin, fooled = attempt.margin.double().cpu().numpy(), attempt.fooled.cpu().numpy()
        better = (margin < self.margin[index]) | (fooled & keep_fooled)
        rows = index[better]
        points = attempt.points.cpu().numpy()[better]
        self.points[rows] = points.reshape(-1, *self.points.shape[1:])
        self.size[rows] = attempt.size.cpu().numpy()[better]
        self.predicted_codes[rows] = attempt.codes.cpu().numpy()[better]
        self.margin[rows], self.fooled[rows] = margin[better], fooled[better]
        self.moved[index] |= ~attempt.unmoved.cpu().numpy()


def unmoved_warning(unmoved: NDArray[np.bool_]) -> tuple[str, ...]:
    """Return a warning if there are samples that no step has moved."""
    n = int(unmoved.sum())
    if n == 0:
        return ()
    return (
        f"no step moved {n} of {len(unmoved)} samples: the gradient is zero there, and a search "
        'that follows gradients is blind. Compare boundary_distance(method="decision").',
    )
