"""`least_eps`: bisection on eps, each sample by itself and all of them at once."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from robfair.adapters import as_model, leaves_as_found
from robfair.attacks._gradient_attack import Attempt, GradientAttack
from robfair.attacks._gradient_steps import GradientSteps, unmoved_warning
from robfair.attacks._nearest import NearestPoints
from robfair.attacks._options import METHODS, AttackOptions, as_threat_model, searches_rows
from robfair.attacks._prepared import check_eps, prepare_steps
from robfair.attacks._result import CENSORED, FOUND, WRONG, LeastEps
from robfair.distance import DistanceOptions, measure_distance
from robfair.threat import ThreatModel

__all__ = ["least_eps"]

# Far from a sample the gradient may lead nowhere, where a shorter step would have met the boundary.
LADDER = (1, 1 / 2, 1 / 4, 1 / 8)


@leaves_as_found
def least_eps(
    model: Any,
    X: Any,
    y: ArrayLike | None = None,
    *,
    eps_max: float,
    method: Literal["pgd", "fgsm", "kl", "distance"] = "pgd",
    threat_model: ThreatModel | None = None,
    tolerance: float = 0.01,
    n_bisections: int = 16,
    n_steps: int = 20,
    n_restarts: int = 1,
    random_start: bool = True,
    target: Any = None,
    batch_size: int | None = None,
    random_state: Any = 0,
    n_jobs: int | None = None,
    verbose: int | None = None,
) -> LeastEps:
    """Least eps at which an attack succeeds, for each sample.

    The default begins with the nearest points that :func:`robfair.boundary_distance` finds, so that
    the result is never more than its distance, and is exact for affine models. The attack runs at
    `eps_max` where there is none, and where it fails at a half, a quarter and an eighth of that,
    since shorter steps may find what long ones overlook. Where it succeeds, the interval between
    the size of the smallest perturbation found and the greatest eps that failed is halved, each
    sample's own, again and again. An attack at a new eps starts from the last success, shrunk to
    that eps.

    Parameters
    ----------
    model, X : object
        As for :func:`attack`; with ``method="distance"`` any model that
        :func:`robfair.boundary_distance` takes.
    y : array-like of shape (n_samples,), default=None
        True labels. Where the model is wrong the least eps is 0. None: the labels that the model
        predicts.
    eps_max : float
        The greatest eps to try. Samples that are still right there are censored.
    method : {"pgd", "fgsm", "kl", "distance"}, default="pgd"
        The attack; see :func:`attack`. "distance" takes the distance to the decision boundary
        instead, by :func:`robfair.boundary_distance`: in the same norm the two are the same
        quantity, and its search for the least distance is faster than repeated attacks. It uses
        none of the options from `tolerance` to `random_start`. "pgd" begins with its points, unless
        there is a `target`, and goes on; "fgsm" and "kl" take their own steps alone.
    threat_model : ThreatModel, default=None
        Norm, box and mutable features. None: L-inf, no box, everything mutable; for a table, rows
        that could exist, as for :func:`robfair.boundary_distance`.
    tolerance : float, default=0.01
        A sample is finished when its interval is no longer than this share of its least eps.
    n_bisections : int, default=16
        The greatest number of halvings.
    n_steps : int, default=20
        The greatest number of steps of each attack.
    n_restarts : int, default=1
        Number of searches, independent of each other, each from another random start; the least eps
        of all is returned.
    random_start : bool, default=True
        Whether the first search starts at a random point of the ball, as all others do, or at the
        sample.
    target, batch_size, random_state, n_jobs, verbose : Any
        As for :func:`attack`.

    Returns
    -------
    LeastEps
        The least eps of each sample, and how it was found.

    Raises
    ------
    TypeError, ValueError
        As :func:`attack`.

    See Also
    --------
    robfair.boundary_distance : The tightest bounds of the same quantity, from above and from below.

    Notes
    -----
    The least eps is the size of a perturbation that was predicted again and succeeds: an upper
    bound of the true one. A greater `n_bisections` or `n_restarts` never makes it larger. A failed
    attack proves nothing: the other end of the interval, `eps` minus `resolution`, does not bound
    the least eps from below.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair.attacks import least_eps
    >>> X, y = [[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 0]
    >>> result = least_eps(LogisticRegression().fit(X, [0, 0, 1, 1]), X, y, eps_max=1.5)
    >>> result.status
    array(['censored', 'found', 'found', 'wrong'], dtype='<U8')
    >>> result.eps.round(1).tolist()
    [inf, 1.0, 1.0, 0.0]
    """
    threat_model = as_threat_model(threat_model, model, X)
    bisection = _Bisection(eps_max, tolerance, n_bisections)
    if method not in (*METHODS, "distance"):
        names = ", ".join((*METHODS, "distance"))
        raise ValueError(f"method must be one of {names}; got {method!r}.")
    by_distance = method == "distance"
    options = AttackOptions(
        method="pgd" if by_distance else method,
        n_steps=n_steps,
        n_restarts=n_restarts,
        random_start=random_start,
        target=target,
        batch_size=batch_size,
        random_state=random_state,
        n_jobs=n_jobs,
        verbose=verbose,
    )
    if searches_rows(threat_model, options, *bisection.changed()) or by_distance:
        if target is not None:
            raise ValueError('method="distance" has no target; use method="pgd".')
        return _by_distance(model, X, y, bisection.eps_max, threat_model, options)
    return _by_bisection(prepare_steps(model, X, y, threat_model, options), bisection)


@dataclass(frozen=True)
class _Bisection:
    """Options of the bisection, checked."""

    eps_max: Any
    tolerance: float = 0.01
    n_bisections: int = 16

    def __post_init__(self) -> None:
        top = check_eps(self.eps_max, "eps_max")
        if top.ndim or top == 0:
            raise ValueError(f"eps_max must be a positive number; got {self.eps_max!r}.")
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance must be a share, between 0 and 1; got {self.tolerance!r}.")
        if operator.index(self.n_bisections) < 1:
            raise ValueError(f"n_bisections must be at least 1; got {self.n_bisections}.")
        object.__setattr__(self, "eps_max", float(top))

    def changed(self) -> list[str]:
        """Return the names of options that are not at their defaults."""
        default = _Bisection(self.eps_max)
        return [name for name, value in vars(self).items() if value != getattr(default, name)]


def _by_bisection(steps: GradientSteps, bisection: _Bisection) -> LeastEps:
    attack, problem = steps.attack, steps.problem
    best = _Brackets(attack)
    n = len(problem.X)
    for restart in range(steps.options.n_restarts):
        brackets = _Brackets(attack)
        with steps.bar("least eps") as bar:
            if restart == 0 and steps.may_be_nearer:
                brackets.narrow(steps.nearest, bisection.eps_max)
            brackets.first(bisection.eps_max, restart)
            for _ in range(bisection.n_bisections):
                n_wide = brackets.halve(bisection.tolerance)
                bar.update(n - n_wide - bar.n)
                if n_wide == 0:
                    break
            bar.update(n - bar.n)
        best.take(brackets)
    status = np.where(np.isfinite(best.high), FOUND, CENSORED)
    status[attack.succeeds_clean] = WRONG
    return LeastEps(
        eps=best.high,
        status=status,
        resolution=np.where(status == CENSORED, np.nan, best.high - best.low),
        adversarial=best.points.reshape(problem.X.shape),
        predicted=problem.model.labels(attack.predicted_codes),
        eps_max=bisection.eps_max,
        method=steps.options.method,
        threat_model=problem.threat_model,
        n_forward=attack.n_forward,
        n_backward=attack.n_backward,
        warnings_=_warnings(status, unmoved_warning(~best.moved)),
    )


class _Brackets:
    """Intervals that hold the least eps: the attack fails at `low` and succeeds at `high`."""

    def __init__(self, attack: GradientAttack) -> None:
        self.attack = attack
        done = attack.succeeds_clean
        self.low, self.proven = np.zeros((2, len(done)))
        self.high = np.where(done, 0, np.inf)
        points: NDArray[Any] = attack.problem.model.tensor(attack.problem.X).cpu().numpy()
        points[~done] = np.nan
        self.points = points
        self.moved = done.copy()

    def narrow(self, nearest: NearestPoints, eps_max: float) -> None:
        """Begin with the nearest points, and with what is proven of smaller perturbations."""
        index = np.isinf(self.high).nonzero()[0]
        rows, attempt = nearest.within(index, np.full(len(index), eps_max))
        self.proven[index] = self.low[index] = nearest.lower[index]
        self.moved[rows] = True
        self.moved[index[nearest.lower[index] >= eps_max]] = True  # proven: no step is tried
        if attempt is not None:
            self._take(rows, attempt)

    def first(self, eps_max: float, restart: int) -> None:
        """Attack all samples at the greatest eps, and what fails there at a few smaller ones."""
        for share in LADDER:
            index = (np.isinf(self.high) & (self.proven < share * eps_max)).nonzero()[0]
            if len(index):
                self._try(index, np.full(len(index), share * eps_max), restart=restart)

    def halve(self, tolerance: float) -> int:
        """Attack in the middle of the intervals that are too long; return how many were."""
        with np.errstate(invalid="ignore"):  # proven to be out of reach: inf - inf
            wide = np.isfinite(self.high) & (self.high - self.low > tolerance * self.high)
        index = wide.nonzero()[0]
        if len(index) == 0:
            return 0
        middle = (self.low[index] + self.high[index]) / 2
        start = None
        if not self.attack.options.entry.is_one_step:  # which starts at the sample itself
            problem = self.attack.problem
            x, last = problem.tensor(index), problem.model.tensor(self.points[index])
            share = torch.from_numpy(middle / self.high[index]).to(x)
            start = x + share[:, None] * (last - x)
        self._try(index, middle, start)
        return len(index)

    def _try(
        self,
        index: NDArray[np.intp],
        eps: NDArray[np.float64],
        start: torch.Tensor | None = None,
        restart: int = 0,
    ) -> None:
        attempt = self.attack.run(index, eps, start, restart)
        fooled = attempt.fooled.cpu().numpy()
        self.low[index[~fooled]] = eps[~fooled]
        self._take(index, attempt)
        self.moved[index] |= ~attempt.unmoved.cpu().numpy()

    def _take(self, index: NDArray[np.intp], attempt: Attempt) -> None:
        """Take over the points that are fooled."""
        fooled = attempt.fooled.cpu().numpy()
        rows = index[fooled]
        self.high[rows] = attempt.size.cpu().numpy()[fooled]
        self.points[rows] = attempt.points.cpu().numpy()[fooled]
        # A success at or below an eps that failed: that failure no longer bounds anything.
        self.low[rows[self.high[rows] <= self.low[rows]]] = 0

    def take(self, other: _Brackets) -> None:
        """Take over what is less; a failure counts whichever search has met it."""
        low = np.maximum(self.low, other.low)
        rows = other.high < self.high
        self.high[rows], self.points[rows] = other.high[rows], other.points[rows]
        self.low = np.where(low < self.high, low, 0)
        self.moved |= other.moved


def _by_distance(
    model: Any,
    X: Any,
    y: ArrayLike | None,
    eps_max: float,
    threat_model: ThreatModel,
    options: AttackOptions,
) -> LeastEps:
    distances = measure_distance(
        model,
        X,
        y,
        threat_model=threat_model,
        options=DistanceOptions(
            batch_size=options.batch_size,
            random_state=options.random_state,
            n_jobs=options.n_jobs,
        ),
        verbose=options.verbose,
    )
    wrong = distances.status == "skipped"
    near = distances.distance <= eps_max
    status = np.where(near, FOUND, CENSORED)
    status[wrong] = WRONG
    adversarial = distances.adversarial
    assert adversarial is not None
    adversarial[~near] = np.nan
    table = distances.threat_model.table
    inputs = as_model(model).inputs(X) if table is None else table.holding(X).encode(X)
    adversarial[wrong] = inputs[wrong]
    return LeastEps(
        eps=np.where(wrong, 0, np.where(near, distances.distance, np.inf)),
        status=status,
        resolution=np.where(wrong, 0, np.nan),
        adversarial=adversarial,
        predicted=distances.predicted,
        eps_max=eps_max,
        method="distance",
        threat_model=distances.threat_model,
        n_forward=distances.n_forward,
        n_backward=distances.n_backward,
        warnings_=_warnings(status, distances.warnings_),
    )


def _warnings(status: NDArray[np.str_], others: tuple[str, ...]) -> tuple[str, ...]:
    n = int((status == CENSORED).sum())
    if n == 0:
        return others
    return (
        f"{n} of {len(status)} samples are censored: nothing succeeded up to eps_max, which does "
        "not mean that there is nothing.",
        *others,
    )
