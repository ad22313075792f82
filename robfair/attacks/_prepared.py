"""What all entries share: checks before any work starts, and attacks at one eps after another."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robfair._problem import Problem, as_problem, as_seed, progress_bar
from robfair.adapters import LabelModel, LogitModel, as_labels, as_logits, as_model
from robfair.attacks._engine import Options, Search, Tries
from robfair.attacks._result import AttackResult
from robfair.attacks._tabular import PreparedTable, check_table
from robfair.threat import ThreatModel

__all__ = ["Prepared", "check_eps", "prepare", "unmoved"]


def prepare(
    model: Any,
    X: Any,
    y: ArrayLike | None,
    *,
    method: str = "pgd",
    threat_model: ThreatModel | None = None,
    n_steps: int = 20,
    step_size: float | None = None,
    n_restarts: int = 1,
    random_start: bool = True,
    target: Any = None,
    transfer_from: Any = None,
    batch_size: int | None = None,
    random_state: Any = 0,
    verbose: int = 0,
) -> Prepared | PreparedTable:
    """Check everything that can be checked before any work starts; see `attack`."""
    if y is not None and target is not None:
        raise ValueError("give y, the labels to be left, or target, the labels to be reached.")
    options = Options(method, n_steps, step_size, n_restarts, random_start, as_seed(random_state))
    if method == "kl" and target is not None:
        raise ValueError('method="kl" leaves the prediction; for a target use method="pgd".')
    threat_model = ThreatModel(np.inf) if threat_model is None else threat_model
    if not isinstance(threat_model, ThreatModel):
        raise TypeError(f"threat_model must be a ThreatModel or None; got {threat_model!r}.")
    judge = None
    if transfer_from is not None:
        name, source = _named(transfer_from)
        labels = as_labels(model)
        model = as_logits(source)
        judge = _Judge(labels, name, _same_inputs(labels, model, X))
        if y is None and target is None:
            y = judge.predict(judge.X)
    if threat_model.is_mixed:
        check_table(
            method,
            target,
            n_steps=(n_steps, 20),
            step_size=(step_size, None),
            n_restarts=(n_restarts, 1),
            random_start=(random_start, True),
        )
        problem = as_problem(as_model(model), X, y, threat_model, batch_size)
        return PreparedTable(problem, X, judge, options.seed, verbose)
    problem = as_problem(as_logits(model), X, y, threat_model, batch_size)
    codes = None if target is None else _codes(problem, target)
    return Prepared(problem, options, codes, judge, verbose)


def check_eps(eps: Any, name: str = "eps") -> NDArray[np.float64]:
    """Return eps as float64, or raise unless all of it is finite and not negative."""
    try:
        array = np.asarray(eps, dtype=np.float64)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be a number or an array of numbers; got {eps!r}.") from None
    if not (np.isfinite(array) & (array >= 0)).all():
        raise ValueError(f"{name} must be finite and not negative; got {eps!r}.")
    return array


@dataclass
class Prepared:
    """An attack that is ready to run, at one eps or at one after another."""

    problem: Problem
    options: Options
    target: NDArray[np.intp] | None
    judge: _Judge | None
    verbose: int

    def __len__(self) -> int:
        return len(self.problem.X)

    @property
    def transfer_from(self) -> str | None:
        """Name of the model that examples are made for, if another one judges them."""
        return None if self.judge is None else self.judge.made_for

    @cached_property
    def search(self) -> Search:
        """The engine; making it costs a pass of all samples."""
        return Search(self.problem, self.options, self.target)

    @cached_property
    def best(self) -> Best:
        """The best examples so far."""
        return Best(self.search)

    def bar(self, title: str) -> Any:
        """Return a progress bar over the samples."""
        return progress_bar(self.problem, f"{title} ({self.options.method})", self.verbose)

    def run(self, eps: NDArray[np.float64]) -> AttackResult:
        """Attack the samples that have not been fooled yet, at budgets not below the last ones.

        Examples for another model are made anew: it has no say in which of them succeed.
        """
        search, whole = self.search, self.judge is not None
        if whole:
            self.best = Best(search)
        best = self.best
        pending = eps > 0 if whole else (eps > 0) & ~best.fooled
        with self.bar("attack") as bar:
            bar.update(len(self) - int(pending.sum()))
            for restart in range(self.options.n_restarts):
                index = pending.nonzero()[0]
                if len(index) == 0:
                    break
                last = restart == self.options.n_restarts - 1
                tries = search.run(
                    index, eps[index], restart=restart, whole=whole, progress=_counting(bar, last)
                )
                best.take(index, tries, whole)
                if not whole:
                    pending[index] = ~best.fooled[index]
        return self._result(eps)

    def _result(self, eps: NDArray[np.float64]) -> AttackResult:
        search, best, labels = self.search, self.best, self.problem.model.labels
        n_forward = search.n_forward.copy()
        if self.judge is None:
            predicted, after = labels(search.codes), labels(best.codes)
            success = best.fooled.copy()
        else:
            predicted, after = self.judge.predict(self.judge.X), self.judge.predict(best.points)
            n_forward += 2
            success = (after == labels(search.label)) == search.targeted
        return AttackResult(
            adversarial=best.points.copy(),
            success=success,
            predicted=predicted,
            predicted_adversarial=after,
            size=best.size.copy(),
            eps=eps,
            method=self.options.method,
            threat_model=self.problem.threat_model,
            transfer_from=self.transfer_from,
            n_forward=n_forward,
            n_backward=search.n_backward.copy(),
            warnings_=unmoved((eps > 0) & ~best.moved),
        )


class Best:
    """The best example of each sample: a fooled one, else that of the least margin."""

    def __init__(self, search: Search) -> None:
        problem = search.problem
        points: NDArray[Any] = problem.model.tensor(problem.X).cpu().numpy()
        self.points = points.reshape(problem.X.shape)
        self.size = np.zeros(len(points))
        self.codes = search.codes.copy()
        self.gap = np.full(len(points), np.inf)
        self.fooled = search.done.copy()
        self.moved = search.done.copy()

    def take(self, index: NDArray[np.intp], tries: Tries, whole: bool) -> None:
        """Take over what is better; fooled samples are attacked again only if `whole`."""
        gap, fooled = tries.gap.double().cpu().numpy(), tries.fooled.cpu().numpy()
        better = (gap < self.gap[index]) | (fooled & (not whole))
        rows = index[better]
        self.points[rows] = tries.points.cpu().numpy()[better].reshape(-1, *self.points.shape[1:])
        self.size[rows] = tries.size.cpu().numpy()[better]
        self.codes[rows] = tries.codes.cpu().numpy()[better]
        self.gap[rows], self.fooled[rows] = gap[better], fooled[better]
        self.moved[index] |= ~tries.still.cpu().numpy()


def unmoved(still: NDArray[np.bool_]) -> tuple[str, ...]:
    """Return a warning if there are samples that no step has moved."""
    n = int(still.sum())
    if n == 0:
        return ()
    return (
        f"no step moved {n} of {len(still)} samples: the gradient is zero there, and a search that "
        'follows gradients is blind. Compare boundary_distance(method="decision").',
    )


def _counting(bar: Any, last: bool) -> Callable[[Tries], None]:
    def progress(tries: Tries) -> None:
        bar.update(len(tries.codes) if last else int(tries.fooled.sum()))

    return progress


@dataclass(frozen=True)
class _Judge:
    """The model that examples made for another one are shown to."""

    model: LabelModel
    made_for: str
    X: NDArray[Any]

    def predict(self, points: NDArray[Any]) -> NDArray[Any]:
        size = max(64, 2**18 // math.prod(points.shape[1:]))
        parts = [self.model.predict(points[i : i + size]) for i in range(0, len(points), size)]
        return np.concatenate(parts)


def _named(transfer_from: Any) -> tuple[str, Any]:
    if isinstance(transfer_from, tuple) and len(transfer_from) == 2:
        name, model = transfer_from
        if isinstance(name, str):
            return name, model
    return type(transfer_from).__name__, transfer_from


def _same_inputs(model: LabelModel, source: LogitModel, X: Any) -> NDArray[Any]:
    """Return what `model` perturbs, or raise if `source` perturbs something else."""
    own, others = model.inputs(X), source.inputs(X)
    if own.shape != others.shape or not np.array_equal(own, others):
        raise ValueError(
            "model and transfer_from transform X differently before their last steps, so that an "
            "example for one is none for the other. Transform X first, and pass the last steps."
        )
    return own


def _codes(problem: Problem, target: Any) -> NDArray[np.intp]:
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
