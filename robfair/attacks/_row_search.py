"""Attacks on tables, under a threat model with categories, integers or units.

A row is fooled within eps if and only if the least cost of a row that is predicted differently is
at most eps. One search for that row serves every eps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from robfair._problem import Problem
from robfair.adapters import as_labels
from robfair.attacks._options import AttackOptions
from robfair.attacks._result import AttackResult
from robfair.distance import BoundaryDistance, DistanceOptions, measure_distance

__all__ = ["RowSearch"]


@dataclass
class RowSearch:
    """A search of the nearest valid rows, at one eps after another."""

    problem: Problem
    X: Any  # as the caller has it
    seed: int
    options: AttackOptions
    transfers: bool  # another model will be asked: this one need not predict the rows again
    targeted: ClassVar[bool] = False  # a row that is predicted differently, no matter how

    @cached_property
    def distances(self) -> BoundaryDistance:
        """The least costs, and the rows behind them."""
        problem = self.problem
        return measure_distance(
            problem.model,
            self.X,
            problem.y,
            threat_model=problem.threat_model,
            options=DistanceOptions(
                batch_size=problem.batch_size,
                random_state=self.seed,
                n_jobs=self.options.n_jobs,
            ),
            verbose=self.options.verbose,
        )

    @property
    def label(self) -> NDArray[Any]:
        """The labels to be left, of shape (n,)."""
        return self.distances.predicted if self.problem.y is None else self.problem.y

    def run(self, eps: NDArray[np.float64]) -> AttackResult:
        """Return the rows within these budgets; elsewhere the samples themselves."""
        distances, problem = self.distances, self.problem
        assert distances.adversarial is not None
        near = distances.distance <= eps  # not where the model is wrong: its distance is NaN
        points = problem.model.tensor(problem.X).cpu().numpy().reshape(problem.X.shape)
        points[near] = distances.adversarial[near]
        after, n_forward = distances.predicted.copy(), distances.n_forward
        if near.any() and not self.transfers:
            n_forward = n_forward + near
            after[near] = as_labels(problem.model).predict(points[near])
        return AttackResult(
            adversarial=points,
            success=near | (distances.status == "skipped"),
            predicted=distances.predicted,
            predicted_adversarial=after,
            size=np.where(near, distances.distance, 0),
            eps=eps,
            method=distances.method,
            threat_model=problem.threat_model,
            n_forward=n_forward,
            n_backward=distances.n_backward,
            warnings_=distances.warnings_,
        )
