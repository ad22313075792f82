"""Attacks on tables, under a threat model with categories, integers or units.

A row is fooled within eps if and only if the least cost found of a row that is predicted
differently is at most eps: the search for that row is the attack, whatever eps.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from robfair._problem import Problem
from robfair.adapters import as_labels
from robfair.attacks._result import AttackResult
from robfair.distance import BoundaryDistance, boundary_distance

__all__ = ["PreparedTable", "check_table"]


def check_table(method: str, target: Any, **options: Any) -> None:
    """Refuse what an attack on a table cannot do, or has no use for.

    Parameters
    ----------
    method : str
        The attack.
    target : object
        Labels to be reached.
    **options : Any
        Options of an attack by steps, each with a pair of its value and its default.
    """
    why = "under a threat model with categories, integer or unit, valid rows are searched"
    if target is not None:
        raise ValueError(f"{why} that leave a label: target must be None; got {target!r}.")
    if method not in ("pgd", "distance"):
        raise ValueError(f"{why} instead of steps: leave out method; got {method!r}.")
    useless = [name for name, (value, default) in options.items() if value != default]
    if useless:
        raise ValueError(f"{why} instead of steps: leave out {', '.join(useless)}.")


class Judge(Protocol):
    """The model that rows made for another one are shown to."""

    @property
    def made_for(self) -> str:
        """Name of the other model."""

    @property
    def X(self) -> NDArray[Any]:
        """The samples."""

    def predict(self, points: NDArray[Any]) -> NDArray[Any]:
        """Labels of rows."""


@dataclass
class PreparedTable:
    """An attack on the rows of a table that is ready to run, at one eps or at one after another."""

    problem: Problem
    X: Any
    judge: Judge | None  # if the rows are made for another model
    seed: int
    verbose: int

    def __len__(self) -> int:
        return len(self.problem.X)

    @property
    def transfer_from(self) -> str | None:
        """Name of the model that rows are made for, if another one judges them."""
        return None if self.judge is None else self.judge.made_for

    @cached_property
    def found(self) -> BoundaryDistance:
        """The least costs and the rows behind them: of all eps."""
        problem = self.problem
        return boundary_distance(
            problem.model,
            self.X,
            y=problem.y,
            threat_model=problem.threat_model,
            batch_size=problem.batch_size,
            random_state=self.seed,
            verbose=self.verbose,
        )

    def run(self, eps: NDArray[np.float64]) -> AttackResult:
        """Tell which samples are fooled at these budgets."""
        found, problem = self.found, self.problem
        assert found.adversarial is not None
        near = found.distance <= eps  # not where the model is wrong: its distance is NaN
        points = problem.model.tensor(problem.X).cpu().numpy().reshape(problem.X.shape)
        points[near] = found.adversarial[near]
        if self.judge is None:
            predicted, after = found.predicted, found.predicted.copy()
            if near.any():
                after[near] = as_labels(problem.model).predict(points[near])
            success, n_forward = near | (found.status == "skipped"), found.n_forward + near
        else:
            predicted, after = self.judge.predict(self.judge.X), self.judge.predict(points)
            success, n_forward = after != problem.y, found.n_forward + 2
        return AttackResult(
            adversarial=points,
            success=success,
            predicted=predicted,
            predicted_adversarial=after,
            size=np.where(near, found.distance, 0),
            eps=eps,
            method=found.method,
            threat_model=found.threat_model,
            transfer_from=self.transfer_from,
            n_forward=n_forward,
            n_backward=found.n_backward,
            warnings_=found.warnings_,
        )
