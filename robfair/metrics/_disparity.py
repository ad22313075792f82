"""Variance and coefficient of variation of the robustness of groups: V_f and CV."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robfair._group_means import GroupMeans
from robfair._text import few
from robfair._validation import check_ddof
from robfair._warnings import each_once, warn
from robfair.exceptions import UndefinedMetricWarning
from robfair.metrics._estimate import Estimate, check_level, estimate, warn_of_zeros
from robfair.metrics._intervals import dispersion, variance
from robfair.metrics._samples import Measured, robustness_samples


@each_once()
def robustness_variance(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    sensitive_features: ArrayLike,
    control_features: ArrayLike | None = None,
    standardize_by: ArrayLike | None = None,
    tau_max: float | None = None,
    ddof: int = 0,
    bias_corrected: bool = False,
    confidence_level: float | None = None,
) -> Measured:
    r"""Measure unfairness in robustness as the variance over groups of their robustness: V_f.

    The paper calls it "fairness in robustness"; smaller is fairer [1]_.

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
        Cap on the distances: a larger one counts as `tau_max`. It keeps V_f finite where a distance
        is infinite.
    ddof : {0, 1}, default=0
        0 divides by the number of groups, 1 by one less. The paper does not say which.
    bias_corrected : bool, default=False
        Whether to subtract the expected contribution of sampling noise within the groups. The
        result is not clipped at 0: a negative value means that the groups differ by less than the
        noise.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    Estimate, pandas Series or DataFrame
        V_f, in the squared units of the distance. NaN, with a warning, with fewer than two groups,
        if a distance is infinite and `tau_max` is None, or if `bias_corrected`
        meets a group of one sample.
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
    V_f alone misleads. It grows with the square of Rob(f): a classifier with Rob(f) = 0 has
    V_f = 0, and so does one that brings every group down to the worst one. Read it beside accuracy,
    ``classifier_robustness``, ``robustness_dispersion`` (which has no scale) and
    ``worst_group_robustness``.

    With :math:`\hat r_g = r_g + e_g`, independent noise of variance :math:`\sigma_g^2 / n_g` and G
    groups, the expected sum of squares around the mean of the :math:`\hat r_g` is that of the
    :math:`r_g` plus :math:`(1 - 1/G) \sum_g \sigma_g^2 / n_g`. The correction is therefore
    :math:`(1 - 1/G)` times the mean of :math:`s_g^2 / n_g` for ``ddof=0``, and the mean itself for
    ``ddof=1``, with :math:`s_g^2` the unbiased variance within the group.

    The interval inverts tests of V_f and is the same with and without `bias_corrected`, but that it
    includes the value.

    References
    ----------
    .. [1] Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair Adversarial Retraining to Mitigate
       Unfairness in Robustness", ADBIS 2023, Definition 4 (Eq. 6).

    Examples
    --------
    >>> from robfair.metrics import robustness_variance
    >>> y_true, y_pred = [0, 0, 1, 1], [0, 0, 1, 0]
    >>> d, race = [1.0, 3.0, 2.0, 0.5], ["a", "a", "b", "b"]
    >>> robustness_variance(y_true, y_pred, distance=d, sensitive_features=race)
    0.25
    >>> robustness_variance(
    ...     y_true, y_pred, distance=d, sensitive_features=race, bias_corrected=True)
    -0.25
    """
    check_ddof(ddof)
    check_level(confidence_level)
    samples = robustness_samples(
        y_true, y_pred, distance, tau_max, sensitive_features, control_features, standardize_by
    )

    def measure(sample: GroupMeans) -> Estimate:
        return estimate(
            "V_f",
            partial(np.var, ddof=ddof),
            sample,
            confidence_level,
            partial(variance, ddof=ddof),
            offset=-_noise(sample, ddof) if bias_corrected else 0.0,
        )

    return samples.each("V_f", measure, confidence_level)


def _noise(sample: GroupMeans, ddof: int) -> float:
    """Return what the sampling noise adds to V_f."""
    if len(sample.labels) < 2:
        return 0.0  # V_f is NaN, and `estimate` warns of it
    single = sample.blocks_of(1)
    if single:
        warn(
            f"Bias correction is undefined and NaN is returned: groups have one sample "
            f"({few(single)}), so their noise is unknown. Use bias_corrected=False, or more data.",
            UndefinedMetricWarning,
        )
    factor = (len(sample.labels) - 1) / (len(sample.labels) - ddof)
    return factor * float(sample.squared_error.mean())


@each_once()
def robustness_dispersion(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    sensitive_features: ArrayLike,
    control_features: ArrayLike | None = None,
    standardize_by: ArrayLike | None = None,
    tau_max: float | None = None,
    ddof: int = 0,
    bias_corrected: bool = False,
    confidence_level: float | None = None,
) -> Measured:
    """Measure unfairness in robustness relative to Rob(f): CV = sqrt(V_f) / Rob(f).

    It is the coefficient of variation of Rob(P) over the groups [1]_. Unlike V_f, it stays the same
    if all distances are multiplied by a constant.

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
        Cap on the distances: a larger one counts as `tau_max`. It keeps CV finite where a distance
        is infinite.
    ddof : {0, 1}, default=0
        0 divides by the number of groups, 1 by one less.
    bias_corrected : bool, default=False
        Whether to take the root of the bias-corrected V_f, and of 0 where that is negative.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    Estimate, pandas Series or DataFrame
        CV, without unit. NaN, with a warning, with fewer than two groups, if Rob(f) is 0, or if a
        distance is infinite and `tau_max` is None.
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
    .. [1] The quantities are Eq. 5 and 6 of Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair
       Adversarial Retraining to Mitigate Unfairness in Robustness", ADBIS 2023; the ratio is
       not in the paper.

    Examples
    --------
    >>> from robfair.metrics import robustness_dispersion
    >>> robustness_dispersion([0, 0, 1, 1], [0, 0, 1, 0], distance=[1.0, 3.0, 2.0, 0.0],
    ...                       sensitive_features=["a", "a", "b", "b"])
    0.3333333333333333
    """
    check_ddof(ddof)
    check_level(confidence_level)
    samples = robustness_samples(
        y_true, y_pred, distance, tau_max, sensitive_features, control_features, standardize_by
    )

    def measure(sample: GroupMeans) -> Estimate:
        noise = _noise(sample, ddof) if bias_corrected else 0.0
        warn_of_zeros("CV", sample)

        def cv(rob: NDArray[np.float64]) -> float:
            if not rob.any():
                return np.nan
            # np.maximum keeps the NaN of noise that is unknown.
            return float(np.sqrt(np.maximum(rob.var(ddof=ddof) - noise, 0.0)) / rob.mean())

        return estimate("CV", cv, sample, confidence_level, partial(dispersion, ddof=ddof))

    return samples.each("CV", measure, confidence_level)
