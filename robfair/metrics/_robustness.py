"""Rob(P) of a group and Rob(f) of a classifier."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair._group_means import GroupMeans, mean_intervals
from robfair._warnings import each_once
from robfair.metrics._estimate import Estimate, check_level, estimate
from robfair.metrics._intervals import average
from robfair.metrics._samples import Measured, robustness_samples, robustness_values


@each_once()
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
    values = robustness_values(y_true, y_pred, distance, tau_max, one_group=True)
    return float(values.mean())


@each_once()
def group_robustness(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    sensitive_features: ArrayLike,
    control_features: ArrayLike | None = None,
    standardize_by: ArrayLike | None = None,
    tau_max: float | None = None,
    confidence_level: float | None = None,
) -> pd.Series | pd.DataFrame:
    r"""Measure how far each group's samples are from being fooled: Rob(P) for every group P.

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
    control_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Values within which groups are compared, such as another column; several columns are
        crossed. "y_true" stands for the true labels.
    standardize_by : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Strata, such as the true labels, for which "y_true" stands: every group counts as if it had
        the mix of strata of all rows.
    tau_max : float, default=None
        Cap on the distances: a larger one counts as `tau_max`. It keeps Rob(P) finite where a
        distance is infinite.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    pandas Series or DataFrame
        Rob(P) by group, in the units of the distance; with `control_features` by their values and
        group, with `confidence_level` in the columns robustness, lower and upper. NaN, with a
        warning, where a distance is infinite and `tau_max` is None, or a group has no samples
        within some value or stratum; the ends of a group of one sample are NaN.

    Raises
    ------
    TypeError
        If distance or sensitive_features is None, or distance is not numeric, or the labels cannot
        be compared.
    ValueError
        If an argument has a wrong shape, length or value.

    Notes
    -----
    Rob(P) mixes two things: how far the rows of each label are from the boundary, and how many rows
    of each label the group has. `control_features` and `standardize_by` part them. With the strata
    s and :math:`\pi_s`, the share of s in all rows, the standardised Rob(P) is

    .. math:: \mathrm{Rob}_\mathrm{std}(P) = \sum_s \pi_s \mathrm{Rob}(P \cap s),

    as epidemiology compares the mortality of towns of different age (direct standardisation) [2]_.
    It is Rob(P) itself where every group has the mix of all rows. Intervals take :math:`\pi_s` as
    known.

    References
    ----------
    .. [1] Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair Adversarial Retraining to Mitigate
       Unfairness in Robustness", ADBIS 2023, Definition 2 (Eq. 2 and 3).
    .. [2] Kitagawa, "Components of a Difference Between Two Rates", JASA 50, 1955.

    Examples
    --------
    >>> from robfair.metrics import group_robustness
    >>> group_robustness([0, 0, 1, 1], [0, 0, 1, 0], distance=[1.0, 3.0, 2.0, 0.5],
    ...                  sensitive_features=["a", "a", "b", "b"])
    a    2.0
    b    1.0
    Name: robustness, dtype: float64

    Men have more of the label that is far from the boundary. Within each label they are nearer:

    >>> income = [0, 0, 0, 1, 0, 1, 1, 1]
    >>> d = [3.0, 3.0, 3.0, 1.0, 4.0, 1.5, 1.5, 1.5]
    >>> rows = {"distance": d, "sensitive_features": ["m"] * 4 + ["f"] * 4}
    >>> group_robustness(income, income, **rows)
    f    2.125
    m    2.500
    Name: robustness, dtype: float64
    >>> group_robustness(income, income, **rows, standardize_by="y_true")
    f    2.75
    m    2.00
    Name: robustness, dtype: float64
    >>> group_robustness(income, income, **rows, control_features="y_true")
    y_true
    0       f    4.0
            m    3.0
    1       f    1.5
            m    1.0
    Name: robustness, dtype: float64
    """
    check_level(confidence_level)
    samples = robustness_samples(
        y_true, y_pred, distance, tau_max, sensitive_features, control_features, standardize_by
    )

    def measure(sample: GroupMeans) -> list[NDArray[np.float64]]:
        if confidence_level is None:
            return [sample.mean]
        return [sample.mean, *mean_intervals(sample, confidence_level, tau_max)]

    table = samples.each_group(measure, ["robustness", "lower", "upper"])
    return table["robustness"] if confidence_level is None else table


@each_once()
def classifier_robustness(
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
    control_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Values within which groups are compared, such as another column; several columns are
        crossed. "y_true" stands for the true labels.
    standardize_by : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Strata, such as the true labels, for which "y_true" stands: every group counts as if it had
        the mix of strata of all rows. See ``group_robustness`` for the formula.
    tau_max : float, default=None
        Cap on the distances: a larger one counts as `tau_max`. It keeps Rob(f) finite where a
        distance is infinite.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    Estimate, pandas Series or DataFrame
        Rob(f), in the units of the distance. NaN, with a warning, if a distance is infinite and
        `tau_max` is None.
        With `control_features` a Series by their values; with `confidence_level` too, a DataFrame
        with the columns value, lower and upper.

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
    samples = robustness_samples(
        y_true, y_pred, distance, tau_max, sensitive_features, control_features, standardize_by
    )

    def measure(sample: GroupMeans) -> Estimate:
        # A mean is defined even of one group.
        return estimate(
            "Rob(f)", np.mean, sample, confidence_level, average, min_groups=1, limit=tau_max
        )

    return samples.each("Rob(f)", measure, confidence_level)
