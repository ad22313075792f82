"""Robustness of groups relative to each other: ratio of the extremes, and Gini coefficient."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robfair._group_means import GroupMeans
from robfair._warnings import each_once
from robfair.metrics._estimate import Estimate, check_level, estimate, warn_of_zeros
from robfair.metrics._interval_extremes import ratio_interval
from robfair.metrics._interval_gini import gini
from robfair.metrics._intervals import inequality
from robfair.metrics._samples import Measured, robustness_samples


@each_once()
def robustness_ratio(
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
    """Measure the least robustness of a group as a share of the greatest: min Rob(P) / max Rob(P).

    1 if all groups are equal, and 0 if one of them has no robustness. It stays the same if all
    distances are multiplied by a constant.

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
        Cap on the distances: a larger one counts as `tau_max`. It keeps the ratio defined where
        a distance is infinite.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    Estimate, pandas Series or DataFrame
        The ratio, in [0, 1]. NaN, with a warning, with fewer than two groups, if every Rob(P) is 0,
        or if a distance is infinite and `tau_max` is None.
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
    Of selection rates, a ratio below 0.8 is often taken for a sign of adverse impact (the
    four-fifths rule [1]_). No such line has been agreed on for robustness.

    The ratio of noisy values tends to be less than that of their means. The interval allows for it.

    References
    ----------
    .. [1] US Equal Employment Opportunity Commission, "Uniform Guidelines on Employee Selection
       Procedures", 29 CFR 1607.4 D, 1978. Rob(P) is Definition 2 (Eq. 3) of Mousavi, Mousavi,
       Daneshtalab, "FARMUR: Fair Adversarial Retraining to Mitigate Unfairness in Robustness",
       ADBIS 2023; the ratio is not in the paper.

    Examples
    --------
    >>> from robfair.metrics import robustness_ratio
    >>> robustness_ratio([0, 0, 1, 1], [0, 0, 1, 0], distance=[1.0, 3.0, 2.0, 0.5],
    ...                  sensitive_features=["a", "a", "b", "b"])
    0.5
    """
    check_level(confidence_level)
    samples = robustness_samples(
        y_true, y_pred, distance, tau_max, sensitive_features, control_features, standardize_by
    )

    def share(rob: NDArray[np.float64]) -> float:
        return float(rob.min() / rob.max()) if rob.any() else float("nan")

    def measure(sample: GroupMeans) -> Estimate:
        warn_of_zeros("The ratio", sample)
        return estimate("The ratio", share, sample, confidence_level, ratio_interval, limit=1.0)

    return samples.each("The ratio", measure, confidence_level)


@each_once()
def robustness_gini(
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
    """Measure how unequal the robustness of groups is: the Gini coefficient of Rob(P).

    It is the mean difference between two groups drawn at random, with replacement, divided by twice
    the mean Rob(f). 0 if all groups are equal; with G groups it is at most 1 - 1/G, where all but
    one have no robustness. It stays the same if all distances are multiplied by a constant.

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
        Cap on the distances: a larger one counts as `tau_max`. It keeps the coefficient finite
        where a distance is infinite.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    Estimate, pandas Series or DataFrame
        The Gini coefficient, in [0, 1). NaN, with a warning, with fewer than two groups, if every
        Rob(P) is 0, or if a distance is infinite and `tau_max` is None.
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
    Economists know the coefficient from incomes. Of the certified scores of classes, [1]_ reports a
    normalised one. With G groups it lies between CV sqrt(G - 1) / G and CV / sqrt(3), where CV is
    ``robustness_dispersion``: one group far from the others counts for less than in CV.

    Noise makes the coefficient greater. The interval allows for it, and may reach far below the
    value of the data.

    References
    ----------
    .. [1] Shah, Visavadiya, Padala, "GF-Score: Certified Class-Conditional Robustness Evaluation
       with Fairness Guarantees", arXiv 2604.12757, 2026.

    Examples
    --------
    >>> from robfair.metrics import robustness_gini
    >>> robustness_gini([0, 0, 1, 1], [0, 0, 1, 0], distance=[1.0, 3.0, 2.0, 0.0],
    ...                 sensitive_features=["a", "a", "b", "b"])
    0.16666666666666666
    """
    check_level(confidence_level)
    samples = robustness_samples(
        y_true, y_pred, distance, tau_max, sensitive_features, control_features, standardize_by
    )

    def coefficient(rob: NDArray[np.float64]) -> float:
        return float(gini(rob)) if rob.any() else float("nan")

    def measure(sample: GroupMeans) -> Estimate:
        warn_of_zeros("Gini", sample)
        return estimate("Gini", coefficient, sample, confidence_level, inequality, limit=1.0)

    return samples.each("Gini", measure, confidence_level)
