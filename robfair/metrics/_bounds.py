"""Bounds on the measures, from the distances of an attack and their certified lower bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from robfair._group_means import GroupMeans
from robfair._groups import encode_groups
from robfair._validation import check_lower, check_robustness_inputs, check_tau_max
from robfair._warnings import each_once
from robfair.metrics._estimate import warn_empty, warn_few_groups, warn_of_zeros
from robfair.metrics._registry import AUDIT_MEASURES
from robfair.metrics._samples import Samples, split_samples


def group_robustness_bounds(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    lower: ArrayLike,
    sensitive_features: ArrayLike,
    control_features: ArrayLike | None = None,
    standardize_by: ArrayLike | None = None,
    tau_max: float | None = None,
) -> pd.DataFrame:
    """Bound each group's robustness from below and from above: Rob(P) for every group P.

    The distance that an attack finds is an upper bound of the true one, and a certificate gives a
    lower bound. Rob(P) grows with the distance of each of its samples [1]_, so the true Rob(P) lies
    between its values for the lower and for the upper bounds.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Predicted labels, in the same coding.
    distance : array-like of shape (n_samples,)
        Distance of each sample to the decision boundary, in the units of its norm; inf where no
        adversarial was found. NaN is allowed where the prediction is wrong. It is taken as an upper
        bound.
    lower : array-like of shape (n_samples,)
        Certified lower bound of each distance; NaN where none is known, which counts as 0.
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
        Cap on the distances: a larger one counts as `tau_max`. Without it, `high` is inf for a
        group with an infinite distance.

    Returns
    -------
    pandas DataFrame
        The columns low and high by group, in the units of the distance; with `control_features` by
        their values and group. NaN, with a warning, where a group has no samples within some value
        or stratum.

    Raises
    ------
    TypeError
        If distance, lower or sensitive_features is None, or distance or lower is not numeric, or
        the labels cannot be compared.
    ValueError
        If an argument has a wrong shape, length or value. A lower bound may exceed its distance by
        rounding (a relative 1e-6); it then counts as the distance.

    See Also
    --------
    group_robustness : Rob(P) of the distances alone, with its sampling error.
    robustness_bounds : The intervals of the measures across groups.
    certified_ordering : The pairs of groups whose intervals do not overlap.

    Notes
    -----
    The bounds hold for these samples. They do not cover the sampling error, which the intervals of
    ``group_robustness`` estimates; do not add the two.

    References
    ----------
    .. [1] Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair Adversarial Retraining to Mitigate
       Unfairness in Robustness", ADBIS 2023, Definition 2 (Eq. 2 and 3); the bounds are not in
       the paper.

    Examples
    --------
    >>> from robfair.metrics import group_robustness_bounds
    >>> group_robustness_bounds(
    ...     [0, 0, 1, 1], [0, 0, 1, 0], distance=[1.0, 3.0, 2.0, 0.5],
    ...     lower=[0.5, 2.5, float("nan"), 0.5], sensitive_features=["a", "a", "b", "b"])
       low  high
    a  1.5   2.0
    b  0.0   1.0
    """
    high, parts = _intervals(
        y_true, y_pred, distance, lower, tau_max, sensitive_features=sensitive_features,
        control_features=control_features, standardize_by=standardize_by,
    )  # fmt: skip
    warn_empty("Rob(P) of the groups concerned", high.parts)
    ends = np.concatenate([np.column_stack([low.mean, top.mean]) for low, top in parts])
    index = high.index(high.parts[0].labels)
    return pd.DataFrame(ends, index=index, columns=["low", "high"])


@each_once()
def robustness_bounds(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    lower: ArrayLike,
    sensitive_features: ArrayLike,
    control_features: ArrayLike | None = None,
    standardize_by: ArrayLike | None = None,
    tau_max: float | None = None,
) -> pd.DataFrame:
    r"""Bound the measures across groups, such as Rob(f) and V_f, from below and from above.

    Each bound is the extreme of the measure over all values that the Rob(P) of the groups can take,
    each within its own interval (``group_robustness_bounds``).

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Predicted labels, in the same coding.
    distance : array-like of shape (n_samples,)
        Distance of each sample to the decision boundary, in the units of its norm; inf where no
        adversarial was found. NaN is allowed where the prediction is wrong. It is taken as an upper
        bound.
    lower : array-like of shape (n_samples,)
        Certified lower bound of each distance; NaN where none is known, which counts as 0.
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
        Cap on the distances: a larger one counts as `tau_max`. Without it, an infinite distance
        makes the upper ends infinite, except those of CV, ratio and Gini. With G groups CV never
        exceeds the square root of G - 1, and the Gini coefficient 1 - 1/G.

    Returns
    -------
    pandas DataFrame
        The columns low and high of the rows "Rob(f)", "V_f" (ddof=0), "CV", "worst group", "gap",
        "ratio" and "Gini", in the units of the distance; V_f in their square, CV, ratio and Gini
        without unit. NaN, with an UndefinedMetricWarning: all but Rob(f) and worst group with only
        one group; CV, ratio and Gini if no Rob(P) can exceed 0; all where a group has no samples
        within some value or stratum. With `control_features` the rows are by their values first.

    Raises
    ------
    TypeError
        If distance, lower or sensitive_features is None, or distance or lower is not numeric, or
        the labels cannot be compared.
    ValueError
        If an argument has a wrong shape, length or value. A lower bound may exceed its distance by
        rounding (a relative 1e-6); it then counts as the distance.

    See Also
    --------
    robustness_variance : V_f of the distances alone, with its sampling error.

    Notes
    -----
    V_f and CV are least where every Rob(P) is as near to one common value as its interval allows;
    that value is found exactly. They are greatest where every Rob(P) is at an end of its interval.
    Finding these ends is NP-hard in general [1]_, and hard where many intervals are nested around
    nearly the same midpoint. The search is exact (to a relative 1e-9 of V_f) for up to ten groups,
    and nearly always for hundreds. Otherwise it stops early, and `high` is still a bound that is
    slightly too high: for V_f by at most :math:`(w / 2G)^2`, where w is the width of the widest
    interval of the G groups.

    CV, ratio and Gini are undefined where every Rob(P) is 0; that point is left out. An infinite
    end means that Rob(P) is unbounded, and their ends are then the limits.

    References
    ----------
    .. [1] Ferson, Ginzburg, Kreinovich, Longpré, Aviles, "Computing variance for interval data is
       NP-hard", ACM SIGACT News 33(2), 2002.

    Examples
    --------
    >>> from robfair.metrics import robustness_bounds
    >>> robustness_bounds(
    ...     [0, 0, 1, 1], [0, 0, 1, 0], distance=[1.0, 3.0, 2.0, 0.5],
    ...     lower=[0.5, 2.5, 0.0, 0.5], sensitive_features=["a", "a", "b", "b"])
                    low      high
    Rob(f)       0.7500  1.500000
    V_f          0.0625  1.000000
    CV           0.2000  1.000000
    worst group  0.0000  1.000000
    gap          0.5000  2.000000
    ratio        0.0000  0.666667
    Gini         0.1000  0.500000
    """
    high, parts = _intervals(
        y_true, y_pred, distance, lower, tau_max, sensitive_features=sensitive_features,
        control_features=control_features, standardize_by=standardize_by,
    )  # fmt: skip
    # Accuracy rests on no distance, so that nothing about it is left to prove.
    known = {measure.symbol: measure.extremes for measure in AUDIT_MEASURES if measure.extremes}
    warn_empty("Each measure across groups", high.parts)
    with each_once():
        rows = [ends for low, top in parts for ends in _extremes(low, top, known)]
    index = pd.Index(list(known), name=None if high.control is None else "measure")
    return pd.DataFrame(rows, index=high.index(index), columns=["low", "high"])


def _extremes(
    low: GroupMeans, high: GroupMeans, known: dict[str, Callable[..., tuple[float, float]]]
) -> list[tuple[float, float]]:
    """Return the extremes of each measure; NaN, with a warning, where it is undefined."""
    if high.blocks_of(0):
        return [(np.nan, np.nan)] * len(known)
    rows = {symbol: extremes(low.mean, high.mean) for symbol, extremes in known.items()}
    for symbol, ends in rows.items():
        if np.isnan(ends).any():
            name = f"The {symbol}" if symbol.islower() else symbol
            if not warn_few_groups(name, high, min_groups=2):
                warn_of_zeros(name, high)
    return list(rows.values())


def certified_ordering(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    distance: ArrayLike,
    lower: ArrayLike,
    sensitive_features: ArrayLike,
    control_features: ArrayLike | None = None,
    standardize_by: ArrayLike | None = None,
    tau_max: float | None = None,
) -> pd.DataFrame:
    """Find the pairs of groups where one is provably less robust than the other.

    Group A is provably less robust than B if the upper bound of its Rob(P) is smaller than the
    lower bound of B's (``group_robustness_bounds``): no better attack or certificate can reverse
    this order on these samples [1]_.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels.
    y_pred : array-like of shape (n_samples,)
        Predicted labels, in the same coding.
    distance : array-like of shape (n_samples,)
        Distance of each sample to the decision boundary, in the units of its norm; inf where no
        adversarial was found. NaN is allowed where the prediction is wrong. It is taken as an upper
        bound.
    lower : array-like of shape (n_samples,)
        Certified lower bound of each distance; NaN where none is known, which counts as 0.
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
        Cap on the distances: a larger one counts as `tau_max`. The groups are then compared up to
        that distance.

    Returns
    -------
    pandas DataFrame of bool
        One row and one column for each group. True where the row's group is provably less robust
        than the column's. With `control_features` the rows are by their values first, and groups
        are compared within each.

    Raises
    ------
    TypeError
        If distance, lower or sensitive_features is None, or distance or lower is not numeric, or
        the labels cannot be compared.
    ValueError
        If an argument has a wrong shape, length or value. A lower bound may exceed its distance by
        rounding (a relative 1e-6); it then counts as the distance.

    References
    ----------
    .. [1] Rob(P) is Definition 2 (Eq. 3) of Mousavi, Mousavi, Daneshtalab, "FARMUR: Fair
       Adversarial Retraining to Mitigate Unfairness in Robustness", ADBIS 2023; the ordering is
       not in the paper.

    Examples
    --------
    >>> from robfair.metrics import certified_ordering
    >>> certified_ordering(
    ...     [0, 0, 1, 1], [0, 0, 1, 0], distance=[1.0, 3.0, 2.0, 0.5],
    ...     lower=[0.5, 2.5, 0.0, 0.5], sensitive_features=["a", "a", "b", "b"])
           a      b
    a  False  False
    b   True  False
    """
    high, parts = _intervals(
        y_true, y_pred, distance, lower, tau_max, sensitive_features=sensitive_features,
        control_features=control_features, standardize_by=standardize_by,
    )  # fmt: skip
    warn_empty("Rob(P) of the groups concerned", high.parts)
    less = [top.mean[:, np.newaxis] < low.mean for low, top in parts]  # False where one is NaN
    groups = high.parts[0].labels
    return pd.DataFrame(np.concatenate(less), index=high.index(groups), columns=groups)


def _intervals(
    y_true: Any,
    y_pred: Any,
    distance: Any,
    lower: Any,
    tau_max: float | None,
    *,
    sensitive_features: Any,
    **features: Any,
) -> tuple[Samples, list[tuple[GroupMeans, GroupMeans]]]:
    """Return the group means at the upper ends of the intervals of Rob(P), and both by part."""
    check_tau_max(tau_max)
    # `lower` is compared with distances that are not capped.
    correct, upper = check_robustness_inputs(
        y_true, y_pred, distance, None, lower=lower, sensitive_features=sensitive_features,
        **features,
    )  # fmt: skip
    # Or rounding could turn an interval around.
    certified = np.minimum(check_lower(lower, correct, upper), upper)
    groups = encode_groups(sensitive_features, len(correct))
    cap = np.inf if tau_max is None else tau_max
    with each_once():  # what is odd of the features
        low, high = (
            split_samples(np.minimum(values, cap), groups, y_true, **features)
            for values in (certified, upper)
        )
    return high, list(zip(low.parts, high.parts, strict=True))
