"""Robustness of the worst group, and the gap between the best and the worst."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from robfair._group_means import GroupMeans
from robfair._warnings import each_once
from robfair.metrics._estimate import Estimate, check_level, estimate
from robfair.metrics._interval_extremes import worst_interval
from robfair.metrics._intervals import gap
from robfair.metrics._samples import Measured, robustness_samples


@each_once()
def worst_group_robustness(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    sensitive_features: ArrayLike,
    control_features: ArrayLike | None = None,
    standardize_by: ArrayLike | None = None,
    tau_max: float | None = None,
    confidence_level: float | None = None,
) -> Measured:
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
    control_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Values within which groups are compared, such as another column; several columns are
        crossed. "y_true" stands for the true labels.
    standardize_by : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Strata, such as the true labels, for which "y_true" stands: every group counts as if it had
        the mix of strata of all rows. See ``group_robustness`` for the formula.
    tau_max : float, default=None
        Cap on the distances: a larger one counts as `tau_max`. It keeps the minimum finite where a
        distance is infinite.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    Estimate, pandas Series or DataFrame
        The least Rob(P), in the units of the distance. NaN, with a warning, if a distance is
        infinite and `tau_max` is None.
        With `control_features` a Series by their values; with `confidence_level` too, a DataFrame
        with the columns value, lower and upper.

    Raises
    ------
    TypeError
        If distance or sensitive_features is None, or distance is not numeric, or the labels cannot
        be compared.
    ValueError
        If an argument has a wrong shape, length or value.

    Notes
    -----
    The minimum of noisy values tends to lie below the minimum of their means. The interval allows
    for it: no group is taken for the worst one because it was the worst in this sample.

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
    check_level(confidence_level)
    samples = robustness_samples(
        y_true, y_pred, distance, tau_max, sensitive_features, control_features, standardize_by
    )

    def measure(sample: GroupMeans) -> Estimate:
        return estimate(
            "min Rob(P)",
            np.min,
            sample,
            confidence_level,
            worst_interval,
            min_groups=1,
            limit=tau_max,
        )

    return samples.each("min Rob(P)", measure, confidence_level)


@each_once()
def robustness_gap(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    sensitive_features: ArrayLike,
    control_features: ArrayLike | None = None,
    standardize_by: ArrayLike | None = None,
    tau_max: float | None = None,
    confidence_level: float | None = None,
) -> Measured:
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
    control_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Values within which groups are compared, such as another column; several columns are
        crossed. "y_true" stands for the true labels.
    standardize_by : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Strata, such as the true labels, for which "y_true" stands: every group counts as if it had
        the mix of strata of all rows. See ``group_robustness`` for the formula.
    tau_max : float, default=None
        Cap on the distances: a larger one counts as `tau_max`. It keeps the gap finite where a
        distance is infinite.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    Estimate, pandas Series or DataFrame
        The gap, in the units of the distance. NaN, with a warning, with fewer than two groups, or
        if a distance is infinite and `tau_max` is None.
        With `control_features` a Series by their values; with `confidence_level` too, a DataFrame
        with the columns value, lower and upper.

    Raises
    ------
    TypeError
        If distance or sensitive_features is None, or distance is not numeric, or the labels cannot
        be compared.
    ValueError
        If an argument has a wrong shape, length or value.

    Notes
    -----
    The gap of noisy values tends to exceed that of their means, and the interval allows for it: it
    may reach from the value of the data far down, and down to 0 if no difference is certain.

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
    check_level(confidence_level)
    samples = robustness_samples(
        y_true, y_pred, distance, tau_max, sensitive_features, control_features, standardize_by
    )

    def measure(sample: GroupMeans) -> Estimate:
        return estimate("The gap", np.ptp, sample, confidence_level, gap, limit=tau_max)

    return samples.each("The gap", measure, confidence_level)
