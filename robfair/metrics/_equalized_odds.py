"""EOU: the largest difference between groups in the mean confidence in a class."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair._alignment import check_aligned
from robfair._group_means import GroupMeans
from robfair._groups import Groups, cross_labels, encode_groups
from robfair._mean_summary import MeanSummary
from robfair.metrics._confidence import check_confidence
from robfair.metrics._estimate import Estimate, check_level, estimate, warn_empty, warn_few_groups
from robfair.metrics._interval_extremes import gap_interval
from robfair.metrics._samples import (
    Measured,
    Samples,
    encode_feature,
    means_of,
    parts_of,
    samples_within,
)

ConditionOn = Literal["label"] | None


@dataclass(frozen=True, eq=False)
class _ByLabel(GroupMeans):
    """Mean confidences of the groups within each label; the blocks are those of all labels."""

    parts: list[GroupMeans] = field(kw_only=True)

    @classmethod
    def of(cls, parts: list[GroupMeans]) -> _ByLabel:
        """Stack the means within each label."""
        blocks = [block for part in parts for block in part.blocks]
        return cls(parts[0].labels, blocks, parts=parts)

    @cached_property
    def block_names(self) -> list[str]:
        """Name each block in messages."""
        return [name for part in self.parts for name in part.block_names]

    @cached_property
    def mean(self) -> NDArray[np.float64]:
        """Means of shape (n_labels, n_groups, n_columns)."""
        return np.stack([part.mean for part in self.parts])

    @cached_property
    def summary(self) -> MeanSummary:
        """Means with error, skewness and degrees of freedom; a row for every label and column."""
        each = zip(*(vars(part.summary).values() for part in self.parts), strict=True)
        return MeanSummary(*(np.concatenate(numbers) for numbers in each))


@dataclass(frozen=True, eq=False)
class _Confidences:
    """Mean confidences within each value of the control features, label and group."""

    samples: Samples  # of `_ByLabel`
    labels: pd.Index[Any]  # or "all", as if all rows had one label
    columns: pd.Index[Any]

    @property
    def mean(self) -> NDArray[np.float64]:
        """Means of shape (n_parts, n_labels, n_groups, n_columns)."""
        return np.stack([part.mean for part in self.samples.parts])

    def table(self, numbers: NDArray[np.float64], inner: pd.Index[Any]) -> pd.DataFrame:
        """Make a column for each class, and a row for each part and each of `inner`."""
        rows = numbers.reshape(-1, len(self.columns))
        return pd.DataFrame(rows, index=self.samples.index(inner), columns=self.columns)


def equalized_odds_unfairness(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    sensitive_features: ArrayLike,
    condition_on: ConditionOn = "label",
    control_features: ArrayLike | None = None,
    standardize_by: ArrayLike | None = None,
    labels: ArrayLike | None = None,
    confidence_level: float | None = None,
) -> Measured:
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
    control_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Values within which groups are compared, such as another column; several columns are
        crossed. "y_true" stands for the true labels.
    standardize_by : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Strata, such as another column: every group counts as if it had the mix of strata of all
        rows that it is compared among; see Notes.
    labels : array-like of shape (n_classes,), default=None
        The classes in the order of the columns (two for 1-D, negative first), needed where one of
        them is absent from `y_true`. By default the sorted distinct values of `y_true`.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    Estimate, pandas Series or DataFrame
        EOU, a fraction in [0, 1]. NaN, with an UndefinedMetricWarning, with fewer than two groups
        or, if `condition_on` is "label", a group without samples of some label.
        With `control_features` a Series by their values; with `confidence_level` too, a DataFrame
        with the columns value, lower and upper.

    Raises
    ------
    TypeError
        If sensitive_features is None or y_proba is not numeric.
    ValueError
        If an argument has a wrong shape, length or value.

    Notes
    -----
    Among the rows of one true label all groups have the same mix of labels. With
    ``condition_on="label"``, ``standardize_by="y_true"`` therefore changes nothing; with None it
    takes what labels explain out of soft demographic parity. Another column as the stratum, such as
    the region, gives every group the mix of regions of all rows of the label, or of all rows.

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
    means = _confidences(
        y_true, y_proba, sensitive_features, condition_on, labels,
        control_features=control_features, standardize_by=standardize_by,
    )  # fmt: skip

    def measure(sample: GroupMeans) -> Estimate:
        return estimate(
            "EOU",
            lambda mean: np.ptp(mean, axis=1).max(),
            sample,
            confidence_level,
            gap_interval,
            limit=1.0,
        )

    return means.samples.each("EOU", measure, confidence_level)


def equalized_odds_table(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    sensitive_features: ArrayLike,
    condition_on: ConditionOn = "label",
    control_features: ArrayLike | None = None,
    standardize_by: ArrayLike | None = None,
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
    control_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Values within which groups are compared, such as another column; several columns are
        crossed. "y_true" stands for the true labels.
    standardize_by : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Strata, such as another column: every group counts as if it had the mix of strata of all
        rows that it is compared among; see Notes.
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
    means = _confidences(
        y_true, y_proba, sensitive_features, condition_on, labels,
        control_features=control_features, standardize_by=standardize_by,
    )  # fmt: skip
    parts = means.samples.parts
    gaps = np.ptp(means.mean, axis=2)
    if warn_few_groups("EOU", parts[0], min_groups=2):
        gaps = np.full_like(gaps, np.nan)
    else:
        warn_empty("EOU of a row in which groups are empty", parts)
    return means.table(gaps, means.labels)


def group_confidence(
    y_true: ArrayLike,
    y_proba: ArrayLike,
    *,
    sensitive_features: ArrayLike,
    condition_on: ConditionOn = "label",
    control_features: ArrayLike | None = None,
    standardize_by: ArrayLike | None = None,
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
    control_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Values within which groups are compared, such as another column; several columns are
        crossed. "y_true" stands for the true labels.
    standardize_by : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Strata, such as another column: every group counts as if it had the mix of strata of all
        rows that it is compared among; see Notes.
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
    means = _confidences(
        y_true, y_proba, sensitive_features, condition_on, labels,
        control_features=control_features, standardize_by=standardize_by,
    )  # fmt: skip
    parts = means.samples.parts
    warn_empty("The mean confidence of a row without samples", parts)
    groups = parts[0].labels
    rows = groups if condition_on is None else cross_labels(means.labels, groups)
    return means.table(means.mean, rows)


def _confidences(
    y_true: Any,
    y_proba: Any,
    sensitive_features: Any,
    condition_on: ConditionOn,
    labels: Any,
    *,
    control_features: Any,
    standardize_by: Any,
) -> _Confidences:
    if condition_on not in ("label", None):
        raise ValueError(
            f"condition_on must be 'label' (within each true label) or None (whole groups); "
            f"got {condition_on!r}."
        )
    check_aligned(
        y_true=y_true, y_proba=y_proba, sensitive_features=sensitive_features,
        control_features=control_features, standardize_by=standardize_by,
    )  # fmt: skip
    confidence = check_confidence(y_true, y_proba, labels)
    proba = confidence.proba
    groups = encode_groups(sensitive_features, len(proba))
    strata = encode_feature(standardize_by, "standardize_by", y_true, len(proba))
    within = Groups(confidence.codes, confidence.labels.rename("y_true"))
    by_label = parts_of(None if condition_on is None else within, len(proba))

    def part(rows: NDArray[np.bool_], common: str) -> GroupMeans:
        cells = (
            means_of(proba, groups, strata, rows & of_label, common, label)
            for of_label, label in by_label
        )
        return _ByLabel.of(list(cells))

    return _Confidences(
        samples_within(control_features, y_true, len(proba), part),
        pd.Index(["all"], name="y_true") if condition_on is None else within.labels,
        confidence.labels[-proba.shape[1] :],  # a single column is of the last class
    )
