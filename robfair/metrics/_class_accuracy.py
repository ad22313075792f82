"""CAU: the largest difference in accuracy between classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from robfair._group_means import GroupMeans
from robfair._groups import encode_groups
from robfair._validation import check_correct
from robfair.metrics._estimate import Estimate, check_level, estimate
from robfair.metrics._intervals import gap
from robfair.metrics._samples import Measured, split_samples


def class_accuracy_unfairness(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    control_features: ArrayLike | None = None,
    standardize_by: ArrayLike | None = None,
    confidence_level: float | None = None,
) -> Measured:
    """Measure the largest difference in accuracy between two classes: CAU.

    The accuracy of a class is the fraction of its samples that are predicted to be of it [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels. Categories that no sample has are left out, with a warning.
    y_pred : array-like of shape (n_samples,)
        Predicted labels, in the same coding.
    control_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Values within which classes are compared, such as a group; several columns are crossed.
    standardize_by : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Strata, such as the group: every class counts as if it had the mix of strata of all rows.
        See ``group_robustness`` for the formula.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    Estimate, pandas Series or DataFrame
        CAU, a fraction in [0, 1]. NaN, with an UndefinedMetricWarning, with fewer than two classes
        in y_true, or if one has no samples within some value or stratum.
        With `control_features` a Series by their values; with `confidence_level` too, a DataFrame
        with the columns value, lower and upper.

    Raises
    ------
    TypeError
        If the labels cannot be compared.
    ValueError
        If an argument has a wrong shape, length or value.

    Notes
    -----
    scikit-learn takes it as ``make_scorer(class_accuracy_unfairness, greater_is_better=False)``.

    References
    ----------
    .. [1] Sooksatra and Rivas, "Adversarial Training Negatively Affects Fairness", Definition 1.

    Examples
    --------
    >>> from robfair.metrics import class_accuracy_unfairness
    >>> class_accuracy_unfairness([0, 0, 1, 1], [0, 0, 1, 0])
    0.5
    """
    check_level(confidence_level)
    features: dict[str, Any] = {
        "control_features": control_features, "standardize_by": standardize_by
    }  # fmt: skip
    correct = check_correct(y_true, y_pred, **features)
    classes = encode_groups(y_true, len(correct), "y_true")
    samples = split_samples(correct.astype(float), classes, y_true, **features)

    def measure(sample: GroupMeans) -> Estimate:
        return estimate("CAU", np.ptp, sample, confidence_level, gap, limit=1.0)

    return samples.each("CAU", measure, confidence_level)
