"""CRU: the largest difference in adversarial robustness between classes or other groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair._group_means import GroupMeans, group_means
from robfair._groups import Groups, encode_groups
from robfair._validation import (
    Population,
    check_correct,
    check_distance,
    check_length,
    check_tau_max,
    to_array,
)
from robfair._warnings import warn
from robfair.exceptions import CensoredDistanceWarning
from robfair.metrics._estimate import (
    Estimate,
    check_level,
    estimate,
    warn_empty,
)
from robfair.metrics._intervals import gap
from robfair.metrics._samples import Measured, split_samples

# For warnings: a group may have samples, but none that counts.
_OF_THE = {"correct": " over the correctly classified samples", "all": ""}


@dataclass(frozen=True, eq=False)
class _Attacked:
    """Results of an attack by sample; `columns` is None for one value each."""

    values: NDArray[np.float64]
    groups: Groups
    counted: NDArray[np.bool_]
    censored: NDArray[np.bool_] | None
    columns: list[Any] | None

    def count(self, rows: NDArray[np.bool_]) -> NDArray[np.intp]:
        """Count these samples by group."""
        return np.bincount(self.groups.codes[rows], minlength=len(self.groups))


def class_robustness_unfairness(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    least_eps: ArrayLike | None = None,
    success: ArrayLike | None = None,
    sensitive_features: ArrayLike | None = None,
    control_features: ArrayLike | None = None,
    standardize_by: ArrayLike | None = None,
    population: Population = "correct",
    eps_max: float | None = None,
    confidence_level: float | None = None,
) -> Measured:
    """Measure the largest difference in adversarial robustness between two classes: CRU.

    It has two forms [1]_. CRU_eps compares the mean least eps at which an attack succeeds, and
    CRU_s the success rate of an attack at one eps. Pass `least_eps` for the first and `success` for
    the second.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels. Categories that no sample has are left out, with a warning.
    y_pred : array-like of shape (n_samples,)
        Predicted labels, in the same coding.
    least_eps : array-like of shape (n_samples,), default=None
        Least eps at which an attack fooled the classifier on each sample; inf where none did. NaN
        is allowed where the prediction is wrong.
    success : array-like of bool, of shape (n_samples,), default=None
        Whether an attack at a fixed eps succeeded on each sample.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Group of each sample, matched by position; several columns are crossed. Categories that no
        sample has are left out, with a warning. None: the classes are the groups.
    control_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Values within which groups are compared, such as another column; several columns are
        crossed. "y_true" stands for the true labels.
    standardize_by : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Strata, such as the true labels, for which "y_true" stands: every group counts as if it had
        the mix of strata of all rows. See ``group_robustness`` for the formula.
    population : {"correct", "all"}, default="correct"
        The samples that count. "correct": those classified correctly. "all": the others too, as
        successes with a least eps of 0. The paper does not say which.
    eps_max : float, default=None
        Cap on `least_eps`, usually the largest eps that was tried. It keeps CRU_eps finite where
        a least eps is infinite.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    Estimate, pandas Series or DataFrame
        CRU_eps, in the units of eps, or CRU_s, a fraction in [0, 1]. NaN, with a warning, with
        fewer than two groups, if a group has no sample in the population, or if a least eps is
        infinite and `eps_max` is None.
        With `control_features` a Series by their values; with `confidence_level` too, a DataFrame
        with the columns value, lower and upper.

    Raises
    ------
    TypeError
        If both or neither of least_eps and success are passed, the one passed is not numeric,
        eps_max comes without least_eps, or the labels cannot be compared.
    ValueError
        If an argument has a wrong shape, length or value.

    See Also
    --------
    class_robustness : The means that are compared.

    Notes
    -----
    An attack overestimates the least eps and underestimates the success rate, so CRU depends on the
    attack, its budget, its norm and its threat model: report them with it.

    References
    ----------
    .. [1] Sooksatra and Rivas, "Adversarial Training Negatively Affects Fairness", Definition 2.

    Examples
    --------
    >>> from robfair.metrics import class_robustness_unfairness
    >>> y_true, y_pred = [0, 0, 1, 1], [0, 0, 1, 0]
    >>> class_robustness_unfairness(y_true, y_pred, least_eps=[1.0, 3.0, 0.5, 0.0])
    1.5
    >>> class_robustness_unfairness(
    ...     y_true, y_pred, least_eps=[1.0, 3.0, 0.5, 0.0], population="all")
    1.75
    >>> class_robustness_unfairness(y_true, y_pred, success=[True, False, True, True])
    0.5
    """
    check_level(confidence_level)
    features: dict[str, Any] = {
        "control_features": control_features, "standardize_by": standardize_by
    }  # fmt: skip
    attacked = _attacked(
        y_true, y_pred, least_eps, success, sensitive_features, population, eps_max, **features
    )
    if attacked.columns is not None:
        raise ValueError(
            f"success has {len(attacked.columns)} columns; CRU_s is of one eps. Pass one of them, "
            "1-D, or take the differences from class_robustness, which gives the rates of each."
        )
    symbol = ("CRU_s" if least_eps is None else "CRU_eps") + _OF_THE[population]
    limit = 1.0 if least_eps is None else eps_max
    samples = split_samples(
        attacked.values, attacked.groups, y_true, counted=attacked.counted, **features
    )

    def measure(sample: GroupMeans) -> Estimate:
        return estimate(symbol, np.ptp, sample, confidence_level, gap, limit=limit)

    return samples.each(symbol, measure, confidence_level)


def class_robustness(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    least_eps: ArrayLike | None = None,
    success: ArrayLike | None = None,
    sensitive_features: ArrayLike | None = None,
    population: Population = "correct",
    eps_max: float | None = None,
) -> pd.DataFrame:
    """Measure the mean least eps or the success rate of an attack by class: LE(y) or SR(y, eps).

    CRU is the largest difference between two of these values, which Fig. 2 to 4 of [1]_ show.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True labels. Categories that no sample has are left out, with a warning.
    y_pred : array-like of shape (n_samples,)
        Predicted labels, in the same coding.
    least_eps : array-like of shape (n_samples,), default=None
        Least eps at which an attack fooled the classifier on each sample; inf where none did. NaN
        is allowed where the prediction is wrong.
    success : array-like of bool, of shape (n_samples,) or (n_samples, n_eps), default=None
        Whether an attack succeeded on each sample, at one eps or at several. The columns of a
        DataFrame name the eps.
    sensitive_features : array-like of shape (n_samples,) or (n_samples, n_columns), default=None
        Group of each sample, matched by position; several columns are crossed. Categories that no
        sample has are left out, with a warning. None: the classes are the groups.
    population : {"correct", "all"}, default="correct"
        The samples that count. "correct": those classified correctly. "all": the others too, as
        successes with a least eps of 0.
    eps_max : float, default=None
        Cap on `least_eps`, usually the largest eps that was tried. It keeps the mean finite where
        a least eps is infinite.

    Returns
    -------
    pandas DataFrame
        A row for each class or group: `n` samples, `n_population` of them that count, and the
        means over these. With `least_eps`: `n_censored`, those that were not fooled up to `eps_max`
        (at all, if that is None), and `least_eps`, in the units of eps. With `success`:
        `success_rate`, or a column for each eps. NaN, with a warning, where a row has no sample
        that counts, or a least eps is infinite and `eps_max` is None.

    Raises
    ------
    TypeError
        If both or neither of least_eps and success are passed, the one passed is not numeric,
        eps_max comes without least_eps, or the labels cannot be compared.
    ValueError
        If an argument has a wrong shape, length or value.

    See Also
    --------
    class_robustness_unfairness : The largest difference, with its sampling error.

    References
    ----------
    .. [1] Sooksatra and Rivas, "Adversarial Training Negatively Affects Fairness", Definition 2
       and Fig. 2 to 4.

    Examples
    --------
    >>> from robfair.metrics import class_robustness
    >>> class_robustness(["cat", "cat", "dog", "dog"], ["cat", "cat", "dog", "cat"],
    ...                  least_eps=[1.0, 3.0, float("inf"), 0.0], eps_max=2.0)
         n  n_population  n_censored  least_eps
    cat  2             2           1        1.5
    dog  2             1           1        2.0
    """
    attacked = _attacked(
        y_true, y_pred, least_eps, success, sensitive_features, population, eps_max
    )
    # Labels as they were: a group of which no sample counts stays, and is NaN.
    inside = Groups(attacked.groups.codes[attacked.counted], attacked.groups.labels)
    sample = group_means(attacked.values[attacked.counted], inside)
    warn_empty(f"The mean{_OF_THE[population]} of a group", [sample])
    everyone = np.ones_like(attacked.counted)
    table: dict[Any, Any] = {"n": attacked.count(everyone), "n_population": sample.count}
    if attacked.censored is not None:
        table |= {"n_censored": attacked.count(attacked.censored), "least_eps": sample.mean}
    elif attacked.columns is None:
        table["success_rate"] = sample.mean
    else:
        table |= dict(zip(attacked.columns, sample.mean.T, strict=True))
    return pd.DataFrame(table, index=sample.labels)


def _attacked(
    y_true: Any,
    y_pred: Any,
    least_eps: Any,
    success: Any,
    sensitive_features: Any,
    population: Population,
    eps_max: float | None,
    **others: Any,
) -> _Attacked:
    if (least_eps is None) == (success is None):
        raise TypeError(
            "Pass either least_eps (for CRU_eps) or success (for CRU_s); got "
            f"{'neither' if success is None else 'both'}."
        )
    if population not in _OF_THE:
        raise ValueError(
            "population must be 'correct' (samples that are predicted right) or 'all'; got "
            f"{population!r}."
        )
    correct = check_correct(
        y_true,
        y_pred,
        least_eps=least_eps,
        success=success,
        sensitive_features=sensitive_features,
        **others,
    )
    columns = censored = None
    if least_eps is None:
        values, columns = _check_success(success, eps_max, correct)
    else:
        values, censored = _check_least_eps(least_eps, eps_max, correct)
    groups = (
        encode_groups(y_true, len(correct), "y_true")
        if sensitive_features is None
        else encode_groups(sensitive_features, len(correct))
    )
    if censored is not None and eps_max is None and censored.any():
        warn(
            f"The least eps is infinite for {int(censored.sum())} of {int(correct.sum())} "
            "correctly classified samples: no attack fooled the classifier there (they are "
            "censored). The mean of their groups, and CRU_eps, is NaN. Pass eps_max=, the largest "
            "eps that was tried or that matters, to count them with it.",
            CensoredDistanceWarning,
        )
    counted = correct if population == "correct" else np.ones_like(correct)
    return _Attacked(values, groups, counted, censored, columns)


def _check_least_eps(
    least_eps: Any, eps_max: float | None, correct: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the least eps, 0 where the prediction is wrong, and where it is censored."""
    check_tau_max(eps_max, "eps_max", "least_eps")
    # Where it is wrong, no attack is needed.
    raw = np.where(correct, check_distance(least_eps, correct, "least_eps"), 0.0)
    if eps_max is None:
        censored = np.isinf(raw)
        return np.where(censored, np.nan, raw), censored
    return np.minimum(raw, eps_max), raw > eps_max


def _check_success(
    success: Any, eps_max: float | None, correct: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], list[Any] | None]:
    """Return the successes as 0 and 1, 1 where the prediction is wrong, and the columns' names."""
    if eps_max is not None:
        raise TypeError(
            f"eps_max={eps_max!r} caps least_eps, which was not passed. Leave it out with success."
        )
    raw = to_array(success)
    if raw.ndim not in (1, 2):
        raise ValueError(
            "success must have shape (n_samples,) or (n_samples, n_eps); got a "
            f"{type(success).__name__} of shape {raw.shape}."
        )
    check_length(len(raw), "success", len(correct))
    missing = pd.isna(raw)  # None and NaN cannot be looked up by isin
    n_other = int((missing | ~np.isin(np.where(missing, 0, raw), (0, 1))).sum())
    if n_other:
        raise ValueError(
            f"success must be True or False for every sample; {n_other} of {raw.size} values are "
            "neither. Pass, for instance, robfair.attacks.attack(model, X, y, eps=0.1).success."
        )
    if raw.ndim == 1:
        # A wrong prediction is a success of any attack.
        return np.where(correct, raw, True).astype(np.float64), None
    values = np.where(correct[:, np.newaxis], raw, True).astype(np.float64)
    # Eps, where a DataFrame names them.
    return values, list(getattr(success, "columns", range(raw.shape[1])))
