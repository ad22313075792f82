"""Decomposition of the difference of a group from the mean over groups."""

from __future__ import annotations

import pandas as pd
from numpy.typing import ArrayLike

from robfair._decomposition import decompose
from robfair._groups import encode_groups
from robfair._validation import to_array
from robfair.metrics._samples import robustness_values


def robustness_decomposition(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    sensitive_features: ArrayLike,
    control_features: ArrayLike | None = None,
    tau_max: float | None = None,
) -> pd.DataFrame:
    """Split Rob(P) - Rob(f) into the labels' mix, accuracy and distance within labels.

    A group may look robust because most of its samples have the label that lies far from the
    boundary. This part is the labels' mix. The two others are left when labels are held fixed.

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
        What takes the place of the labels, such as a region; several columns are crossed.
    tau_max : float, default=None
        Cap on the distances: a larger one counts as `tau_max`.

    Returns
    -------
    pandas DataFrame
        A row per group; columns difference, Rob(P) - Rob(f), and label_mix, accuracy and distance,
        which add up to it. NaN, with a warning, where a distance is infinite and `tau_max` is None.

    Raises
    ------
    TypeError
        If distance or sensitive_features is None, or distance is not numeric, or the labels cannot
        be compared.
    ValueError
        If an argument has a wrong shape, length or value.

    Notes
    -----
    Rob(P) is the sum over the labels of p a d: the label's share p in the group, the accuracy a on
    it, and the mean distance d of its correct samples. The reference, with p', a' and d', is a
    population in which each group counts the same, since its Rob is Rob(f). With r = a d,

    - label_mix is the sum of (p - p') (r + r') / 2,
    - accuracy is the sum of (a - a') (d + d') / 2 (p + p') / 2,
    - distance is the sum of (d - d') (a + a') / 2 (p + p') / 2,

    which is Kitagawa's decomposition [1]_, applied twice. Where a group has no sample of a label,
    or no correct one, a or d is unknown, and that of the reference takes its place: all of the
    difference is then one of the mix, or of accuracy.

    References
    ----------
    .. [1] E. M. Kitagawa, "Components of a Difference Between Two Rates", Journal of the American
       Statistical Association 50, 1955.

    Examples
    --------
    >>> from robfair.metrics import robustness_decomposition
    >>> robustness_decomposition(
    ...     [0, 0, 1, 0, 1, 1], [0, 0, 1, 0, 1, 1], distance=[3.0, 3.0, 1.0, 3.0, 1.0, 1.0],
    ...     sensitive_features=["a", "a", "a", "b", "b", "b"])
       difference  label_mix  accuracy  distance
    a    0.333333   0.333333       0.0       0.0
    b   -0.333333  -0.333333       0.0       0.0
    """
    values = robustness_values(
        y_true, y_pred, distance, tau_max,
        sensitive_features=sensitive_features, control_features=control_features,
    )  # fmt: skip
    groups = encode_groups(sensitive_features, len(values))
    if control_features is None:
        labels = encode_groups(y_true, len(values), "y_true")
    else:
        labels = encode_groups(control_features, len(values), "control_features")
    return decompose(to_array(y_true) == to_array(y_pred), values, groups, labels)
