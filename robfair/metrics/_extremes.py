"""Robustness of the worst group, and the gap between the best and the worst."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from robfair.metrics._estimate import Estimate, RandomState, check_resampling, estimate
from robfair.metrics._robustness import robustness_sample


def worst_group_robustness(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    sensitive_features: ArrayLike,
    tau_max: float | None = None,
    n_boot: int | None = None,
    ci_quantiles: tuple[float, float] = (0.025, 0.975),
    random_state: RandomState = None,
) -> Estimate:
    """Measure the robustness of the least robust group: the minimum over groups of Rob(P).

    Unlike V_f, it does not improve when the other groups become less robust [1]_.

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
        sample has are left out, with a warning.
    tau_max : float, default=None
        Cap on the distances: a larger one counts as `tau_max`. It keeps the minimum finite where a
        distance is infinite.
    n_boot : int, default=None
        Number of bootstrap samples; None for no interval. They are drawn within each group.
    ci_quantiles : tuple of (float, float), default=(0.025, 0.975)
        Quantiles of the bootstrap samples at the ends of the interval.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the bootstrap. A Generator or RandomState advances with each call.

    Returns
    -------
    Estimate
        The least Rob(P), in the units of the distance. NaN, with a warning, if a distance is
        infinite and `tau_max` is None.

    Raises
    ------
    TypeError
        If distance or sensitive_features is None, or distance is not numeric, or the labels cannot
        be compared.
    ValueError
        If an argument has a wrong shape, length or value.

    Notes
    -----
    The minimum of noisy values tends to lie below the minimum of their means, and that of bootstrap
    samples lower still: where groups are small, the interval lies too low.

    References
    ----------
    .. [1] Rob(P) is Definition 2 (Eq. 3) of Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair
       Adversarial Retraining to Mitigate Unfairness in Robustness", ADBIS 2023; the minimum is
       not in the paper.

    Examples
    --------
    >>> from robfair.metrics import worst_group_robustness
    >>> worst_group_robustness([0, 0, 1, 1], [0, 0, 1, 0], distance=[1.0, 3.0, 2.0, 0.5],
    ...                        sensitive_features=["a", "a", "b", "b"])
    1.0
    """
    resampling = check_resampling(n_boot, ci_quantiles, random_state)
    sample = robustness_sample(y_true, y_pred, distance, sensitive_features, tau_max)
    return estimate("min Rob(P)", lambda rob: rob.min(axis=-1), sample, resampling, min_groups=1)


def robustness_gap(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    sensitive_features: ArrayLike,
    tau_max: float | None = None,
    n_boot: int | None = None,
    ci_quantiles: tuple[float, float] = (0.025, 0.975),
    random_state: RandomState = None,
) -> Estimate:
    """Measure how far apart the most and the least robust group are: max Rob(P) - min Rob(P).

    It has the units of the distance; V_f has their square [1]_.

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
        sample has are left out, with a warning.
    tau_max : float, default=None
        Cap on the distances: a larger one counts as `tau_max`. It keeps the gap finite where a
        distance is infinite.
    n_boot : int, default=None
        Number of bootstrap samples; None for no interval. They are drawn within each group.
    ci_quantiles : tuple of (float, float), default=(0.025, 0.975)
        Quantiles of the bootstrap samples at the ends of the interval.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the bootstrap. A Generator or RandomState advances with each call.

    Returns
    -------
    Estimate
        The gap, in the units of the distance. NaN, with a warning, with fewer than two groups, or
        if a distance is infinite and `tau_max` is None.

    Raises
    ------
    TypeError
        If distance or sensitive_features is None, or distance is not numeric, or the labels cannot
        be compared.
    ValueError
        If an argument has a wrong shape, length or value.

    Notes
    -----
    The gap of noisy values tends to exceed that of their means, and that of bootstrap samples is
    larger still: where groups are small, the interval lies too high.

    References
    ----------
    .. [1] Rob(P) is Definition 2 (Eq. 3) of Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair
       Adversarial Retraining to Mitigate Unfairness in Robustness", ADBIS 2023; the gap is not
       in the paper.

    Examples
    --------
    >>> from robfair.metrics import robustness_gap
    >>> robustness_gap([0, 0, 1, 1], [0, 0, 1, 0], distance=[1.0, 3.0, 2.0, 0.5],
    ...                sensitive_features=["a", "a", "b", "b"])
    1.0
    """
    resampling = check_resampling(n_boot, ci_quantiles, random_state)
    sample = robustness_sample(y_true, y_pred, distance, sensitive_features, tau_max)
    return estimate("The robustness gap", lambda rob: np.ptp(rob, axis=-1), sample, resampling)
