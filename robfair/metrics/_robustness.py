"""Rob(P) of a group and Rob(f) of a classifier."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair._group_means import GroupMeans, group_means
from robfair._groups import encode_groups
from robfair._validation import check_robustness_inputs
from robfair._warnings import warn
from robfair.exceptions import CensoredDistanceWarning
from robfair.metrics._estimate import (
    Estimate,
    check_level,
    estimate,
    inside,
)
from robfair.metrics._intervals import average, each_mean


def robustness_score(
    y_true: ArrayLike, y_pred: ArrayLike, *, distance: ArrayLike, tau_max: float | None = None
) -> float:
    """Measure how far a group's samples are from being fooled: Rob(P).

    Rob(P) is the area under I_P. As I_P is a step function, this is the mean over P of the
    distance where the prediction is right, and of 0 where it is wrong [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels of the samples of one group.
    y_pred : array-like of shape (n_samples,)
        Predicted labels, in the same coding.
    distance : array-like of shape (n_samples,)
        Distance of each sample to the decision boundary, in the units of its norm; inf where no
        adversarial was found. NaN is allowed where the prediction is wrong.
    tau_max : float, default=None
        Cap on the distances: a larger one counts as `tau_max`. It keeps Rob(P) finite where a
        distance is infinite. The result is not divided by it.

    Returns
    -------
    float
        Rob(P), in the units of the distance. NaN, with a CensoredDistanceWarning, where a distance
        is infinite and `tau_max` is None.

    Raises
    ------
    TypeError
        If distance is None or not numeric, or the labels cannot be compared.
    ValueError
        If an argument has a wrong shape, length or value.

    Notes
    -----
    fairlearn's MetricFrame takes it with ``sample_params={"distance": d}``. Rob(P) is the product
    of the group's accuracy and the mean distance of its correctly classified samples.

    References
    ----------
    .. [1] Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair Adversarial Retraining to Mitigate
       Unfairness in Robustness", ADBIS 2023, Definition 2 (Eq. 2 and 3).

    Examples
    --------
    >>> from robfair.metrics import robustness_score
    >>> robustness_score([0, 0, 1, 1], [0, 0, 1, 0], distance=[1.0, 3.0, 2.0, 0.5])
    1.5
    """
    values = _values(y_true, y_pred, distance, tau_max, one_group=True)
    return float(values.mean())


def group_robustness(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    sensitive_features: ArrayLike,
    tau_max: float | None = None,
    confidence_level: float | None = None,
) -> pd.Series | pd.DataFrame:
    """Measure how far each group's samples are from being fooled: Rob(P) for every group P.

    See ``robustness_score`` for the definition [1]_.

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
        Cap on the distances: a larger one counts as `tau_max`. It keeps Rob(P) finite where a
        distance is infinite.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    pandas Series or DataFrame
        Rob(P) by group, in the units of the distance; with `confidence_level` the columns
        robustness, lower and upper. NaN, with a warning, where a distance is infinite and `tau_max`
        is None; the ends of a group of one sample are NaN.

    Raises
    ------
    TypeError
        If distance or sensitive_features is None, or distance is not numeric, or the labels cannot
        be compared.
    ValueError
        If an argument has a wrong shape, length or value.

    References
    ----------
    .. [1] Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair Adversarial Retraining to Mitigate
       Unfairness in Robustness", ADBIS 2023, Definition 2 (Eq. 2 and 3).

    Examples
    --------
    >>> from robfair.metrics import group_robustness
    >>> group_robustness([0, 0, 1, 1], [0, 0, 1, 0], distance=[1.0, 3.0, 2.0, 0.5],
    ...                  sensitive_features=["a", "a", "b", "b"])
    a    2.0
    b    1.0
    Name: robustness, dtype: float64
    """
    check_level(confidence_level)
    sample = robustness_sample(y_true, y_pred, distance, sensitive_features, tau_max)
    if confidence_level is None:
        return pd.Series(sample.mean, index=sample.labels, name="robustness")
    ends = each_mean(sample.summary, 1 - confidence_level)
    low, high = inside(*ends, sample.mean, tau_max)
    return pd.DataFrame(
        {"robustness": sample.mean, "lower": low, "upper": high}, index=sample.labels
    )


def classifier_robustness(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    sensitive_features: ArrayLike,
    tau_max: float | None = None,
    confidence_level: float | None = None,
) -> Estimate:
    """Measure the robustness of a classifier as the mean over groups of their robustness: Rob(f).

    Rob(f) is the area under I_f, the mean of the groups' curves. As the integral is linear, this
    is the mean of Rob(P), in which every group weighs the same whatever its size [1]_. It depends
    on the partition.

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
        Cap on the distances: a larger one counts as `tau_max`. It keeps Rob(f) finite where a
        distance is infinite.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    Estimate
        Rob(f), in the units of the distance. NaN, with a warning, if a distance is infinite and
        `tau_max` is None.

    Raises
    ------
    TypeError
        If distance or sensitive_features is None, or distance is not numeric, or the labels cannot
        be compared.
    ValueError
        If an argument has a wrong shape, length or value.

    References
    ----------
    .. [1] Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair Adversarial Retraining to Mitigate
       Unfairness in Robustness", ADBIS 2023, Definition 3 (Eq. 4 and 5).

    Examples
    --------
    >>> from robfair.metrics import classifier_robustness
    >>> classifier_robustness([0, 0, 1, 1], [0, 0, 1, 0], distance=[1.0, 3.0, 2.0, 0.5],
    ...                       sensitive_features=["a", "a", "b", "b"])
    1.5
    """
    check_level(confidence_level)
    sample = robustness_sample(y_true, y_pred, distance, sensitive_features, tau_max)
    # A mean is defined even of one group.
    return estimate(
        "Rob(f)", np.mean, sample, confidence_level, average, min_groups=1, limit=tau_max
    )


def robustness_sample(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    distance: ArrayLike,
    sensitive_features: ArrayLike,
    tau_max: float | None,
) -> GroupMeans:
    """Return the group means that are Rob(P)."""
    values = _values(y_true, y_pred, distance, tau_max, sensitive_features=sensitive_features)
    return group_means(values, encode_groups(sensitive_features, len(values)))


def _values(
    y_true: ArrayLike, y_pred: ArrayLike, distance: ArrayLike, tau_max: float | None, **others: Any
) -> NDArray[np.float64]:
    """Return the value of each sample whose mean is Rob(P); NaN where it is censored.

    `others` are as for `check_robustness_inputs`.
    """
    correct, values = check_robustness_inputs(y_true, y_pred, distance, tau_max, **others)
    censored = np.isinf(values)  # only among correct samples: the others are 0
    if censored.any():
        warn(
            f"The distance is infinite for {int(censored.sum())} of {int(correct.sum())} "
            "correctly classified samples: no adversarial was found for them (they are censored). "
            "The robustness of their groups, and every measure across groups, is NaN. Pass "
            "tau_max= to cap the distances at a value that matters.",
            CensoredDistanceWarning,
        )
    return np.where(censored, np.nan, values)  # not inf, whose differences are undefined
