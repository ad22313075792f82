"""The results of attacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.threat import ThreatModel

__all__ = ["AttackResult", "LeastEps"]

FOUND, WRONG, CENSORED = STATUSES = ("found", "wrong", "censored")


@dataclass(frozen=True, eq=False, repr=False)
class AttackResult:
    """Adversarial examples of a budget eps, and whether they succeed.

    Attributes
    ----------
    adversarial : ndarray of the shape of X
        The examples, in the model's dtype and the space that is perturbed; no farther than `eps`
        from X (rounded to that dtype), in the box, with immutable features unchanged. A sample that
        needs no attack, because the model is wrong there already, is its own example. Where the
        attack failed it is the last point tried; `success` tells.
    success : ndarray of bool, of shape (n_samples,)
        Whether the example is predicted other than the true label, or as the target.
    predicted, predicted_adversarial : ndarray of shape (n_samples,)
        Labels that the model predicts for the samples, and for `adversarial`.
    size : ndarray of shape (n_samples,), float64
        Norm of the perturbation, at most `eps`.
    eps : ndarray of shape (n_samples,), float64
        The budget of each sample.
    method : str
        The attack.
    threat_model : ThreatModel
        Norm, box and mutable features.
    n_forward, n_backward : ndarray of shape (n_samples,), int32
        Times that the sample went through a model, forwards and backwards.
    warnings_ : tuple of str
        What speaks against trusting the attack: a sentence each. Empty if nothing was seen.
    transfer_from : str or None
        The model that the examples were made for, if it is another one.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair.attacks import attack
    >>> X, y = [[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 1]
    >>> attack(LogisticRegression().fit(X, y), X, y, eps=1.5)
    AttackResult(2 of 4 samples fooled; eps=1.5, method='pgd', ThreatModel(norm=inf))
    """

    adversarial: NDArray[Any]
    success: NDArray[np.bool_]
    predicted: NDArray[Any]
    predicted_adversarial: NDArray[Any]
    size: NDArray[np.float64]
    eps: NDArray[np.float64]
    method: str
    threat_model: ThreatModel
    n_forward: NDArray[np.int32]
    n_backward: NDArray[np.int32]
    warnings_: tuple[str, ...] = ()
    transfer_from: str | None = None

    def __len__(self) -> int:
        return len(self.success)

    @property
    def success_rate(self) -> float:
        """Share of the samples for which the attack succeeded, or had nothing to do."""
        return float(self.success.mean())

    def __repr__(self) -> str:
        unmoved = int((self.success & (self.size == 0)).sum())
        already = f", {unmoved} of them unperturbed" if unmoved else ""
        made = f", examples made for {self.transfer_from}" if self.transfer_from else ""
        low, high = self.eps.min(), self.eps.max()
        eps = f"{low:g}" if low == high else f"{low:g} to {high:g}"
        return (
            f"AttackResult({int(self.success.sum())} of {len(self)} samples fooled{already}; "
            f"eps={eps}, method={self.method!r}{made}, {self.threat_model!r})"
        )


@dataclass(frozen=True, eq=False, repr=False)
class LeastEps:
    """The least eps at which an attack succeeded, for each sample.

    Attributes
    ----------
    eps : ndarray of shape (n_samples,), float64
        Size of the smallest perturbation found that succeeds, in `threat_model`'s norm and the
        units of the space that is perturbed: an upper bound of the least eps. 0 where the model is
        wrong already; inf where nothing succeeded up to `eps_max`.
    status : ndarray of shape (n_samples,), str
        "found", "wrong" (already, without a perturbation) or "censored" (not found: `eps` is inf).
    resolution : ndarray of shape (n_samples,), float64
        How far below `eps` the greatest eps lies that was tried and failed. 0 where the model is
        wrong already; NaN where the search was censored, and for ``method="distance"``, which tries
        no eps.
    adversarial : ndarray of the shape of X
        The points behind `eps`, in the model's dtype; NaN where there is none.
    predicted : ndarray of shape (n_samples,)
        Labels that the model predicts for the samples.
    eps_max : float
        The greatest eps tried.
    method : str
        The attack.
    threat_model : ThreatModel
        Norm, box and mutable features.
    n_forward, n_backward : ndarray of shape (n_samples,), int32
        Times that the sample went through the model, forwards and backwards.
    warnings_ : tuple of str
        What speaks against trusting the search: a sentence each. Empty if nothing was seen.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair.attacks import least_eps
    >>> X, y = [[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 1]
    >>> least_eps(LogisticRegression().fit(X, y), X, y, eps_max=1.5, method="distance")
    LeastEps(4 samples: 2 found, 2 censored; mean eps of those found 1; eps_max=1.5,
    method='distance', ThreatModel(norm=inf))
    """

    eps: NDArray[np.float64]
    status: NDArray[np.str_]
    resolution: NDArray[np.float64]
    adversarial: NDArray[Any]
    predicted: NDArray[Any]
    eps_max: float
    method: str
    threat_model: ThreatModel
    n_forward: NDArray[np.int32]
    n_backward: NDArray[np.int32]
    warnings_: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.eps)

    def __repr__(self) -> str:
        finite = self.eps[self.status == "found"]
        mean = f"{finite.mean():.4g}" if len(finite) else "none"
        counts = [(name, int((self.status == name).sum())) for name in STATUSES]
        return (
            f"LeastEps({len(self)} samples: "
            f"{', '.join(f'{n} {name}' for name, n in counts if n)}; "
            f"mean eps of those found {mean}; eps_max={self.eps_max:g}, method={self.method!r}, "
            f"{self.threat_model!r})"
        )
