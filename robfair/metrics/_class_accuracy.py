"""CAU: the largest difference in accuracy between classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from robfair._group_means import group_means
from robfair._groups import encode_groups
from robfair._validation import check_correct
from robfair.metrics._estimate import Estimate, check_level, estimate
from robfair.metrics._intervals import gap


def class_accuracy_unfairness(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    confidence_level: float | None = None,
) -> Estimate:
    """Measure the largest difference in accuracy between two classes: CAU.

    The accuracy of a class is the fraction of its samples that are predicted to be of it [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels. Categories that no sample has are left out, with a warning.
    y_pred : array-like of shape (n_samples,)
        Predicted labels, in the same coding.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    Estimate
        CAU, a fraction in [0, 1]. NaN, with an UndefinedMetricWarning, with fewer than two classes
        in y_true.

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
    correct = check_correct(y_true, y_pred)
    sample = group_means(correct.astype(float), encode_groups(y_true, len(correct), "y_true"))
    return estimate("CAU", np.ptp, sample, confidence_level, gap, limit=1.0)
