"""Attacks that are ready to run: everything is checked before any work starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair._alignment import check_aligned
from robfair._batches import batches, default_batch_size
from robfair._problem import Problem, as_problem, as_seed
from robfair.adapters import LabelModel, Sees, adapt, as_logits, hold
from robfair.attacks._gradient_steps import GradientSteps
from robfair.attacks._options import AttackOptions, as_threat_model, searches_rows
from robfair.attacks._result import AttackResult
from robfair.attacks._row_search import RowSearch
from robfair.threat import ThreatModel

__all__ = ["PreparedAttack", "check_eps", "prepare", "prepare_steps"]


@dataclass
class PreparedAttack:
    """An attack that is ready to run, at one eps or at one after another."""

    strategy: GradientSteps | RowSearch
    other: OtherModel | None  # predicts the examples, where they are made for another model

    def __len__(self) -> int:
        return len(self.strategy.problem.X)

    @property
    def transfer_from(self) -> str | None:
        """Name of the model that examples are made for, if another one predicts them."""
        return None if self.other is None else self.other.made_for

    def run(self, eps: NDArray[np.float64]) -> AttackResult:
        """Attack at budgets that are not below those of the last call."""
        result = self.strategy.run(eps)
        if self.other is None:
            return result
        predicted, after = (self.other.predict(x) for x in (self.other.X, result.adversarial))
        return replace(
            result,
            success=(after == self.strategy.label) == self.strategy.targeted,
            predicted=predicted,
            predicted_adversarial=after,
            n_forward=result.n_forward + 2,
            transfer_from=self.other.made_for,
        )


def prepare(
    model: Any, X: Any, y: Any, threat_model: ThreatModel | None, options: AttackOptions
) -> PreparedAttack:
    """Check everything before any work starts; raise TypeError or ValueError as `attack` does."""
    _check_labels(y, options)
    check_aligned(X=X, y=y, target=options.target)
    threat_model = as_threat_model(threat_model, model, X)
    other = None
    if options.transfer_from is not None:
        name, source = _named(options.transfer_from)
        other = _other_model(model, source, name, X, options)
        model = source
        if y is None and options.target is None:  # the labels of the model that is asked in the end
            y = other.predict(other.X)
    if not searches_rows(threat_model, options):
        steps = prepare_steps(model, X, y, threat_model, options)
        return PreparedAttack(steps, other)
    problem = _as_problem(model, X, y, threat_model, options, "either")
    seed = as_seed(options.random_state)
    return PreparedAttack(RowSearch(problem, X, seed, options, other is not None), other)


def prepare_steps(
    model: Any, X: Any, y: Any, threat_model: ThreatModel | None, options: AttackOptions
) -> GradientSteps:
    """Prepare gradient steps of a model with logits; see :func:`prepare`."""
    _check_labels(y, options)
    seed = as_seed(options.random_state)
    problem = _as_problem(model, X, y, as_threat_model(threat_model, model, X), options, "logits")
    target = None if options.target is None else _target_codes(problem, options.target)
    return GradientSteps(problem, options, seed, target, options.transfer_from is not None)


def check_eps(eps: Any, name: str = "eps") -> NDArray[np.float64]:
    """Return eps as float64, or raise unless all of it is a finite number of at least 0."""
    try:
        array = np.asarray(eps, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number or an array of numbers; got {eps!r}.") from None
    if not (np.isfinite(array) & (array >= 0)).all():
        raise ValueError(f"{name} must be finite and not negative; got {eps!r}.")
    return array


@dataclass(frozen=True)
class OtherModel:
    """The model that predicts examples which were made for another one."""

    model: LabelModel
    made_for: str
    X: NDArray[Any]  # in the space that is perturbed

    def predict(self, points: NDArray[Any]) -> NDArray[Any]:
        """Return the labels of points, of shape (n,)."""
        size = default_batch_size(points.shape[1:])  # all at once may not fit the memory
        parts = [self.model.predict(points[part]) for part in batches(len(points), size)]
        return np.concatenate(parts)


def _check_labels(y: Any, options: AttackOptions) -> None:
    if y is not None and options.target is not None:
        raise ValueError("give y, the labels to be left, or target, the labels to be reached.")


def _named(transfer_from: Any) -> tuple[str, Any]:
    if isinstance(transfer_from, tuple) and len(transfer_from) == 2:
        name, model = transfer_from
        if isinstance(name, str):
            return name, model
    return type(transfer_from).__name__, transfer_from


def _as_problem(
    model: Any, X: Any, y: Any, threat_model: ThreatModel, options: AttackOptions, sees: Sees
) -> Problem:
    """Check everything; raise ValueError also if the logits give other labels than `predict`."""
    problem = as_problem(model, X, y, threat_model, options.batch_size, sees)
    if problem.mismatch is not None:
        raise ValueError(
            f"{problem.mismatch}, and an attack follows what was read. boundary_distance, and "
            'least_eps(method="distance"), ask predict alone.'
        )
    return problem


def _other_model(model: Any, source: Any, name: str, X: Any, options: AttackOptions) -> OtherModel:
    """Adapt the model that predicts; raise ValueError if `source` has another perturbed space."""
    adapted = adapt(model, X, "labels")
    own, others = adapted.inputs(X), as_logits(source).inputs(X)
    if own.shape != others.shape or not np.array_equal(own, others):
        raise ValueError(
            "model and transfer_from transform X differently before their last steps, so an "
            "example for one means nothing to the other. Transform X first, and pass the last "
            "steps."
        )
    labels = hold(model, adapted, X, own, options.batch_size).model
    assert isinstance(labels, LabelModel)
    return OtherModel(labels, name, own)


def _target_codes(problem: Problem, target: Any) -> NDArray[np.intp]:
    """Return the class of each sample's target, or raise ValueError."""
    labels = np.asarray(target)
    if labels.ndim > 1 or (labels.ndim == 1 and len(labels) != len(problem.X)):
        raise ValueError(
            f"target must be a label, or one for each of the {len(problem.X)} samples; got shape "
            f"{labels.shape}."
        )
    try:
        codes = problem.model.codes(np.atleast_1d(labels), problem.n_classes)
    except ValueError as error:
        raise ValueError(str(error).replace("y holds", "target holds", 1)) from None
    return np.broadcast_to(codes, len(problem.X)).copy()
