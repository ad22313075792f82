"""The robustness curves I_P and I_f, as exact step functions."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair._group_means import GroupMeans
from robfair._groups import Groups
from robfair._standardize import StandardizedMeans
from robfair._validation import check_vector
from robfair.metrics._estimate import warn_empty
from robfair.metrics._samples import Samples, robustness_samples


@dataclass(frozen=True, eq=False)
class RobustnessCurve:
    """Fraction I(tau) of samples that are correct and farther than tau from the boundary.

    A right-continuous step function on [0, inf) that never rises.

    Parameters
    ----------
    tau : ndarray of shape (n_steps,)
        The breakpoints in increasing order, in the units of the distances. The first one is 0.
    fraction : ndarray of shape (n_steps,)
        The value from each breakpoint (included) up to the next one (excluded).

    Raises
    ------
    ValueError
        If the arrays differ in length, or `tau` does not increase from 0.

    Examples
    --------
    >>> from robfair.metrics import RobustnessCurve
    >>> curve = RobustnessCurve(tau=[0.0, 1.0, 3.0], fraction=[1.0, 0.5, 0.0])
    >>> curve(0.99), curve(1.0)
    (1.0, 0.5)
    >>> curve.area()
    2.0
    """

    tau: NDArray[np.float64]
    fraction: NDArray[np.float64]

    def __post_init__(self) -> None:
        # Copies, which are frozen below.
        tau, fraction = np.array(self.tau, dtype=float), np.array(self.fraction, dtype=float)
        if tau.ndim != 1 or len(tau) == 0 or tau.shape != fraction.shape:
            raise ValueError(
                "tau and fraction must be 1-D and of one length, at least 1; got shapes "
                f"{tau.shape} and {fraction.shape}."
            )
        if tau[0] != 0 or not (np.diff(tau) > 0).all():
            raise ValueError(f"tau must start at 0 and increase; got {tau}.")
        for name, array in (("tau", tau), ("fraction", fraction)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    @overload
    def __call__(self, tau: float) -> float: ...
    @overload
    def __call__(self, tau: ArrayLike) -> float | NDArray[np.float64]: ...
    def __call__(self, tau: ArrayLike) -> float | NDArray[np.float64]:
        """Evaluate the curve.

        Parameters
        ----------
        tau : float or array-like
            Finite distances of at least 0.

        Returns
        -------
        float or ndarray of the shape of tau
            The fraction at each distance.

        Raises
        ------
        ValueError
            If a distance is negative or not finite.
        """
        at = np.asarray(tau, dtype=float)
        if not (np.isfinite(at).all() and (at >= 0).all()):
            raise ValueError(f"tau must be finite and not negative; got {tau!r}.")
        # The last breakpoint at or below tau: the curve is right-continuous.
        values = self.fraction[np.searchsorted(self.tau, at, side="right") - 1]
        return float(values) if at.ndim == 0 else np.asarray(values)

    def area(self) -> float:
        """Integrate the curve over [0, inf), exactly.

        Returns
        -------
        float
            The area, in the units of tau; inf where the curve does not end at 0, NaN where it is
            NaN.
        """
        if self.fraction[-1] > 0:
            return np.inf
        if np.isnan(self.fraction).any():  # of no samples
            return np.nan
        return float(self.fraction[:-1] @ np.diff(self.tau))


@overload
def robustness_curve(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    sensitive_features: ArrayLike | None = ...,
    control_features: None = ...,
    standardize_by: ArrayLike | None = ...,
    tau_max: float | None = ...,
) -> RobustnessCurve: ...
@overload
def robustness_curve(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    sensitive_features: ArrayLike | None = ...,
    control_features: ArrayLike,
    standardize_by: ArrayLike | None = ...,
    tau_max: float | None = ...,
) -> dict[Hashable, RobustnessCurve]: ...
def robustness_curve(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    sensitive_features: ArrayLike | None = None,
    control_features: ArrayLike | None = None,
    standardize_by: ArrayLike | None = None,
    tau_max: float | None = None,
) -> RobustnessCurve | dict[Hashable, RobustnessCurve]:
    """Measure the fraction of samples still correct beyond each distance: I_P, or I_f with groups.

    I_P(tau) is the number of samples of P that are classified correctly and lie farther than tau
    from the decision boundary, divided by the number of samples of P [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Predicted labels, in the same coding.
    distance : array-like of shape (n_samples,)
        Distance of each sample to the decision boundary, in the units of its norm; inf where no
        adversarial was found. NaN is allowed where the prediction is wrong. The curve never drops
        for a sample whose distance is inf.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Group of each sample, matched by position; several columns are crossed. Categories that no
        sample has are left out, with a warning. None: all samples are one group.
    control_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Values within which groups are compared, such as another column; several columns are
        crossed. "y_true" stands for the true labels.
    standardize_by : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Strata, such as the true labels, for which "y_true" stands: every group counts as if it had
        the mix of strata of all rows. See ``group_robustness`` for the formula.
    tau_max : float, default=None
        Cap on the distances: a larger one counts as `tau_max`. The curve is 0 from there on.

    Returns
    -------
    RobustnessCurve or dict of value to RobustnessCurve
        I_P of all samples; with groups I_f, the mean of the groups' curves, in which every group
        weighs the same. With `control_features` one for each of their values. NaN, with a warning,
        where a group has no samples within some value or stratum.

    Raises
    ------
    TypeError
        If distance is None or not numeric, or the labels cannot be compared.
    ValueError
        If an argument has a wrong shape, length or value.

    References
    ----------
    .. [1] Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair Adversarial Retraining to Mitigate
       Unfairness in Robustness", ADBIS 2023, Definition 1 (Eq. 1) and Definition 3 (Eq. 4).

    Examples
    --------
    >>> from robfair.metrics import robustness_curve
    >>> curve = robustness_curve([0, 0, 1, 1], [0, 0, 1, 0], distance=[1.0, 3.0, 2.0, 0.5])
    >>> curve.tau
    array([0., 1., 2., 3.])
    >>> curve.fraction
    array([0.75, 0.5 , 0.25, 0.  ])
    >>> curve.area()
    1.5
    """
    groups: Any = sensitive_features
    if groups is None:
        one = np.zeros(len(check_vector(y_true, "y_true")), dtype=np.intp)
        groups = Groups(one, pd.RangeIndex(1))
    samples = _samples(y_true, y_pred, distance, tau_max, groups, control_features, standardize_by)
    means = [_mixture(_curves(part), np.ones(len(part.labels))) for part in samples.parts]
    return means[0] if samples.control is None else dict(zip(samples.control, means, strict=True))


def group_robustness_curves(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    sensitive_features: ArrayLike,
    control_features: ArrayLike | None = None,
    standardize_by: ArrayLike | None = None,
    tau_max: float | None = None,
) -> dict[Hashable, RobustnessCurve]:
    """Measure, for each group P, the fraction of samples still correct beyond each distance: I_P.

    These are the lines of figure 2 of [1]_. Their mean is ``robustness_curve`` with groups.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Predicted labels, in the same coding.
    distance : array-like of shape (n_samples,)
        Distance of each sample to the decision boundary, in the units of its norm; inf where no
        adversarial was found. NaN is allowed where the prediction is wrong.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
        Group of each sample, matched by position; several columns are crossed. Categories that no
        sample has are left out, with a warning. Tuples name the groups of several
        columns.
    control_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Values within which groups are compared, such as another column; several columns are
        crossed. "y_true" stands for the true labels.
    standardize_by : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Strata, such as the true labels, for which "y_true" stands: every group counts as if it had
        the mix of strata of all rows. See ``group_robustness`` for the formula.
    tau_max : float, default=None
        Cap on the distances: a larger one counts as `tau_max`. The curves are 0 from there on.

    Returns
    -------
    dict of group label to RobustnessCurve
        The curve of each group; with `control_features` that of each value and group, under tuples
        of both. NaN, with a warning, where a group has no samples within some value or stratum.

    Raises
    ------
    TypeError
        If distance is None or not numeric, or the labels cannot be compared.
    ValueError
        If an argument has a wrong shape, length or value.

    References
    ----------
    .. [1] Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair Adversarial Retraining to Mitigate
       Unfairness in Robustness", ADBIS 2023, Definition 1 (Eq. 1).

    Examples
    --------
    >>> from robfair.metrics import group_robustness_curves
    >>> curves = group_robustness_curves(
    ...     [0, 0, 1, 1], [0, 0, 1, 0], distance=[1.0, 3.0, 2.0, 0.5],
    ...     sensitive_features=["a", "a", "b", "b"])
    >>> curves["a"](1.0), curves["b"](1.0)
    (0.5, 0.5)
    """
    samples = _samples(
        y_true, y_pred, distance, tau_max, sensitive_features, control_features, standardize_by
    )
    curves = [curve for part in samples.parts for curve in _curves(part)]
    return dict(zip(samples.index(samples.parts[0].labels), curves, strict=True))


def _samples(
    y_true: Any,
    y_pred: Any,
    distance: Any,
    tau_max: float | None,
    sensitive_features: Any,
    control_features: Any,
    standardize_by: Any,
) -> Samples:
    """Sort what Rob(P) is the mean of, inf where censored, into groups; warn of empty ones."""
    samples = robustness_samples(
        y_true, y_pred, distance, tau_max, sensitive_features, control_features, standardize_by,
        infinite=True,
    )  # fmt: skip
    warn_empty("I_P of the groups concerned", samples.parts)
    return samples


def _curves(sample: GroupMeans) -> list[RobustnessCurve]:
    """Return the curve of each group, NaN of one that is empty or has an empty stratum."""
    curves = [_curve(block) for block in sample.blocks]
    if not isinstance(sample, StandardizedMeans):
        return curves
    n = len(sample.strata)
    return [_mixture(curves[i : i + n], sample.weights) for i in range(0, len(curves), n)]


def _mixture(curves: list[RobustnessCurve], weights: NDArray[np.float64]) -> RobustnessCurve:
    """Return the weighted mean of curves."""
    tau = np.unique(np.concatenate([curve.tau for curve in curves]))
    total, mass = np.zeros(len(tau)), 0.0
    for curve, weight in zip(curves, weights, strict=True):
        total += weight * curve(tau)
        mass += weight
    return RobustnessCurve(tau, total / mass)


def _curve(values: NDArray[np.float64]) -> RobustnessCurve:
    if len(values) == 0:
        return RobustnessCurve(np.array([0.0]), np.array([np.nan]))
    ordered = np.sort(values)
    # The curve never drops for an infinite distance.
    tau = np.unique(np.append(ordered[np.isfinite(ordered)], 0.0))
    beyond = len(ordered) - np.searchsorted(ordered, tau, side="right")
    return RobustnessCurve(tau, beyond / len(values))
