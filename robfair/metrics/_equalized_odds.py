"""EOU: the largest difference between groups in the mean confidence in a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair._alignment import check_aligned
from robfair._group_means import GroupMeans, group_means
from robfair._groups import Groups, cross_labels, encode_groups
from robfair._mean_summary import MeanSummary
from robfair._warnings import warn
from robfair.exceptions import UndefinedMetricWarning
from robfair.metrics._confidence import check_confidence
from robfair.metrics._estimate import (
    Estimate,
    check_level,
    estimate,
    warn_undefined,
)
from robfair.metrics._interval_extremes import gap_interval

ConditionOn = Literal["label"] | None


@dataclass(frozen=True, eq=False)
class _Cells:
    """Mean confidences by (true label, group), or by group alone as if all had one label."""

    sample: GroupMeans
    labels: pd.Index[Any]
    groups: pd.Index[Any]
    columns: pd.Index[Any]

    def differences(self, mean: NDArray[np.float64]) -> NDArray[np.float64]:
        """EOU(a, y) from means of shape (n, n_cells, ...), of shape (n, n_labels, n_columns)."""
        # Cells come label by label.
        by_label = mean.reshape(len(mean), len(self.labels), len(self.groups), -1)
        return np.asarray(np.ptp(by_label, axis=2))

    def warn_of_one_group(self) -> bool:
        """Warn and return True if there is only one group."""
        if len(self.groups) > 1:  # `estimate` counts cells: one group has one for each label
            return False
        warn(
            "EOU is undefined and NaN is returned: it compares groups, and there is only one "
            f"({next(iter(self.groups))!r}). Use data of two or more.",
            UndefinedMetricWarning,
        )
        return True


def equalized_odds_unfairness(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    sensitive_features: ArrayLike,
    condition_on: ConditionOn = "label",
    labels: ArrayLike | None = None,
    confidence_level: float | None = None,
) -> Estimate:
    """Measure the largest difference between groups in the mean confidence in a class: EOU.

    It is the maximum, over classes y and pairs of groups i and j, of the difference between the
    mean of F(x)_y in group i and in group j [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_proba : array-like of shape (n_samples,) or (n_samples, n_classes)
        Confidences in [0, 1]. 1-D: of the positive class, the last one in sorted order, as
        scikit-learn's scorers pass them for two classes. 2-D: of every class, in sorted order.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
        Group of each sample, matched by position; several columns are crossed. Categories that no
        sample has are left out, with a warning.
    condition_on : {"label", None}, default="label"
        "label" compares groups among the samples of one true label and takes the maximum over the
        labels too: soft equalised odds, as the paper uses EOU. None compares whole groups: soft
        demographic parity, as the paper defines it.
    labels : array-like of shape (n_classes,), default=None
        The classes in the order of the columns (two for 1-D, negative first), needed where one of
        them is absent from `y_true`. By default the sorted distinct values of `y_true`.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    Estimate
        EOU, a fraction in [0, 1]. NaN, with an UndefinedMetricWarning, with fewer than two groups
        or, if `condition_on` is "label", a group without samples of some label.

    Raises
    ------
    TypeError
        If sensitive_features is None or y_proba is not numeric.
    ValueError
        If an argument has a wrong shape, length or value.

    Notes
    -----
    scikit-learn takes it as ``make_scorer(equalized_odds_unfairness,
    response_method="predict_proba", greater_is_better=False)``, with `sensitive_features` requested
    by ``set_score_request``.

    References
    ----------
    .. [1] Sooksatra and Rivas, "Adversarial Training Negatively Affects Fairness", Definition 4
       and section IV.E (Fig. 5 and 6).

    Examples
    --------
    >>> from robfair.metrics import equalized_odds_unfairness
    >>> income, sex = [0, 0, 1, 1], ["f", "m", "f", "m"]
    >>> equalized_odds_unfairness(income, [0.25, 0.5, 0.5, 1.0], sensitive_features=sex)
    0.5
    >>> equalized_odds_unfairness(
    ...     income, [0.25, 0.5, 0.5, 1.0], sensitive_features=sex, condition_on=None)
    0.375
    """
    check_level(confidence_level)
    cells = _cells(y_true, y_proba, sensitive_features, condition_on, labels)
    if cells.warn_of_one_group():
        nan = float("nan")
        return Estimate(nan, None if confidence_level is None else (nan, nan))

    def interval(means: MeanSummary, alpha: float) -> tuple[Any, Any]:
        # A row of groups for every label and class.
        shape = (-1, len(cells.groups))
        rows = MeanSummary(*(numbers.reshape(shape) for numbers in vars(means).values()))
        return gap_interval(rows, alpha)

    return estimate(
        "EOU",
        lambda mean: cells.differences(mean[np.newaxis]).max(),
        cells.sample,
        confidence_level,
        interval,
        limit=1.0,
    )


def equalized_odds_table(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    sensitive_features: ArrayLike,
    condition_on: ConditionOn = "label",
    labels: ArrayLike | None = None,
) -> pd.DataFrame:
    """Measure the difference between groups in the mean confidence in each class: EOU(a, y).

    ``equalized_odds_unfairness`` is the largest number in this table. The rows are what Fig. 5 and
    6 of [1]_ show as EOU in D_0 and in D_1.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_proba : array-like of shape (n_samples,) or (n_samples, n_classes)
        Confidences in [0, 1]. 1-D: of the positive class, the last one in sorted order. 2-D: of
        every class, in sorted order.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
        Group of each sample, matched by position; several columns are crossed. Categories that no
        sample has are left out, with a warning.
    condition_on : {"label", None}, default="label"
        "label" compares groups among the samples of each true label, None whole groups.
    labels : array-like of shape (n_classes,), default=None
        The classes in the order of the columns (two for 1-D, negative first), needed where one of
        them is absent from `y_true`. By default the sorted distinct values of `y_true`.

    Returns
    -------
    pandas DataFrame
        A row for each true label, or the one row "all", and a column for each class that `y_proba`
        has; fractions in [0, 1]. NaN, with an UndefinedMetricWarning, with fewer than two groups,
        and in the rows where some group has no samples.

    Raises
    ------
    TypeError
        If sensitive_features is None or y_proba is not numeric.
    ValueError
        If an argument has a wrong shape, length or value.

    References
    ----------
    .. [1] Sooksatra and Rivas, "Adversarial Training Negatively Affects Fairness", Definition 4
       and section IV.E (Fig. 5 and 6).

    Examples
    --------
    >>> from robfair.metrics import equalized_odds_table
    >>> equalized_odds_table([0, 0, 1, 1], [0.25, 0.5, 0.5, 1.0],
    ...                      sensitive_features=["f", "m", "f", "m"])
               1
    y_true
    0       0.25
    1       0.50
    """
    cells = _cells(y_true, y_proba, sensitive_features, condition_on, labels)
    gaps = cells.differences(cells.sample.mean[np.newaxis])[0]
    if cells.warn_of_one_group():
        gaps = np.full_like(gaps, np.nan)
    else:
        warn_undefined("EOU of a row in which groups are empty", cells.sample, min_groups=1)
    return pd.DataFrame(gaps, index=cells.labels.rename("y_true"), columns=cells.columns)


def group_confidence(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    sensitive_features: ArrayLike,
    condition_on: ConditionOn = "label",
    labels: ArrayLike | None = None,
) -> pd.DataFrame:
    """Measure the mean confidence in each class by group; EOU is the largest difference.

    These are the numbers of Tables IV and V of [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_proba : array-like of shape (n_samples,) or (n_samples, n_classes)
        Confidences in [0, 1]. 1-D: of the positive class, the last one in sorted order. 2-D: of
        every class, in sorted order.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns)
        Group of each sample, matched by position; several columns are crossed. Categories that no
        sample has are left out, with a warning.
    condition_on : {"label", None}, default="label"
        "label" takes the means among the samples of one true label, None over whole groups.
    labels : array-like of shape (n_classes,), default=None
        The classes in the order of the columns (two for 1-D, negative first), needed where one of
        them is absent from `y_true`. By default the sorted distinct values of `y_true`.

    Returns
    -------
    pandas DataFrame
        A row for each true label and group, or for each group, and a column for each class that
        `y_proba` has. NaN, with an UndefinedMetricWarning, where a row has no samples.

    Raises
    ------
    TypeError
        If sensitive_features is None or y_proba is not numeric.
    ValueError
        If an argument has a wrong shape, length or value.

    References
    ----------
    .. [1] Sooksatra and Rivas, "Adversarial Training Negatively Affects Fairness", Tables IV and V.

    Examples
    --------
    >>> from robfair.metrics import group_confidence
    >>> table = group_confidence([0, 0, 1, 1], [0.25, 0.5, 0.5, 1.0],
    ...                          sensitive_features=["f", "m", "f", "m"])
    >>> float(table.loc[(1, "m"), 1])
    1.0
    """
    cells = _cells(y_true, y_proba, sensitive_features, condition_on, labels)
    warn_undefined("The mean confidence of a row without samples", cells.sample, min_groups=1)
    return pd.DataFrame(cells.sample.mean, index=cells.sample.labels, columns=cells.columns)


def _cells(
    y_true: Any, y_proba: Any, sensitive_features: Any, condition_on: ConditionOn, labels: Any
) -> _Cells:
    if condition_on not in ("label", None):
        raise ValueError(
            f"condition_on must be 'label' (within each true label) or None (whole groups); "
            f"got {condition_on!r}."
        )
    check_aligned(y_true=y_true, y_proba=y_proba, sensitive_features=sensitive_features)
    confidence = check_confidence(y_true, y_proba, labels)
    groups = encode_groups(sensitive_features, len(confidence.proba))
    # A single column is of the last class.
    columns = confidence.labels[-confidence.proba.shape[1] :]
    if condition_on is None:
        everyone = pd.Index(["all"])  # in place of the labels
        return _Cells(group_means(confidence.proba, groups), everyone, groups.labels, columns)
    # Label by label, as `differences` reads them.
    codes = confidence.codes * len(groups) + groups.codes
    crossed = Groups(codes, cross_labels(confidence.labels.rename("y_true"), groups.labels))
    sample = group_means(confidence.proba, crossed)
    return _Cells(sample, confidence.labels, groups.labels, columns)
