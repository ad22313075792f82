"""LUF: the change of a classifier's confidences when one training sample is left out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair._group_means import GroupMeans
from robfair._validation import to_array
from robfair.metrics._confidence import check_fractions
from robfair.metrics._estimate import Estimate, check_level, estimate
from robfair.metrics._intervals import average


def leave_one_out_unfairness(
    y_proba: ArrayLike,
    y_proba_left_out: ArrayLike,
    *,
    confidence_level: float | None = None,
) -> Estimate:
    """Measure the largest change of confidences when one training sample is left out: LUF.

    LUF(x) is the largest difference, over the models trained without a sample and over the classes,
    between the confidence of such a model in the class and that of the model trained on all
    samples. LUF is its mean over the samples x [1]_.

    Unlike the other measures it compares models and not groups, so it takes no labels.

    Parameters
    ----------
    y_proba : array-like of shape (n_samples,) or (n_samples, n_classes)
        Confidences in [0, 1] of the model trained on all samples. 1-D: of the positive class of
        two. 2-D: of every class.
    y_proba_left_out : array-like of shape (n_models, n_samples) or (n_models, n_samples, n_classes)
        Confidences of each model that was trained without one of the samples, in the same form.
    confidence_level : float, default=None
        Level of a confidence interval for the error of sampling, such as 0.95; None for none.

    Returns
    -------
    Estimate
        LUF, a fraction in [0, 1].

    Raises
    ------
    TypeError
        If the confidences are not numeric.
    ValueError
        If an argument has a wrong shape, length or value.

    See Also
    --------
    leave_one_out_table : LUF(x) and the changed predictions of each sample x.
    leave_one_out_summary : LUF beside the counts of changed predictions.

    Notes
    -----
    LUF is a maximum, so it grows with the number of models: report that number. Where training is
    random, models trained on the *same* data differ too: compare LUF with the value of this
    function for as many of those. The interval covers neither effect, only the choice of the
    samples x.

    References
    ----------
    .. [1] Sooksatra and Rivas, "Adversarial Training Negatively Affects Fairness", Definition 3;
       after Black and Fredrikson, "Leave-one-out Unfairness", FAccT 2021.

    Examples
    --------
    >>> from robfair.metrics import leave_one_out_unfairness
    >>> leave_one_out_unfairness([0.5, 0.75], [[0.5, 0.25], [0.75, 1.0]])
    0.375
    """
    check_level(confidence_level)
    luf = _largest_change(*_check(y_proba, y_proba_left_out))
    everyone = GroupMeans(pd.Index(["all"]), [luf])  # one group: it compares models, not groups
    return estimate("LUF", np.mean, everyone, confidence_level, average, min_groups=1, limit=1.0)


def leave_one_out_table(y_proba: ArrayLike, y_proba_left_out: ArrayLike) -> pd.DataFrame:
    """Measure the effect on each sample of leaving out one training sample: LUF(x).

    See ``leave_one_out_unfairness`` for the definition [1]_.

    Parameters
    ----------
    y_proba : array-like of shape (n_samples,) or (n_samples, n_classes)
        Confidences in [0, 1] of the model trained on all samples. 1-D: of the positive class of
        two. 2-D: of every class.
    y_proba_left_out : array-like of shape (n_models, n_samples) or (n_models, n_samples, n_classes)
        Confidences of each model that was trained without one of the samples, in the same form.

    Returns
    -------
    pandas DataFrame
        A row for each sample x: `luf`, which is LUF(x), and `n_flipped`, the number of models that
        predict another class for x than the model trained on all samples. The class predicted is
        the most confident one, the first of several if they tie.

    Raises
    ------
    TypeError
        If the confidences are not numeric.
    ValueError
        If an argument has a wrong shape, length or value.

    References
    ----------
    .. [1] Sooksatra and Rivas, "Adversarial Training Negatively Affects Fairness", Definition 3.

    Examples
    --------
    >>> from robfair.metrics import leave_one_out_table
    >>> leave_one_out_table([0.5, 0.75], [[0.5, 0.25], [0.75, 1.0]])
        luf  n_flipped
    0  0.25          1
    1  0.50          1
    """
    full, left_out = _check(y_proba, y_proba_left_out)
    flipped = left_out.argmax(axis=2) != full.argmax(axis=1)
    return pd.DataFrame({"luf": _largest_change(full, left_out), "n_flipped": flipped.sum(axis=0)})


def leave_one_out_summary(y_proba: ArrayLike, y_proba_left_out: ArrayLike) -> pd.Series:
    r"""Measure LUF and, in two units, the number of changed predictions: LUF, LUF_t and LUF_l.

    LUF_t is the mean over samples of the number of models that predict another class than the
    model trained on all samples, LUF_l the mean over models of the number of such samples. This is
    a row of Table III of [1]_.

    Parameters
    ----------
    y_proba : array-like of shape (n_samples,) or (n_samples, n_classes)
        Confidences in [0, 1] of the model trained on all samples. 1-D: of the positive class of
        two. 2-D: of every class.
    y_proba_left_out : array-like of shape (n_models, n_samples) or (n_models, n_samples, n_classes)
        Confidences of each model that was trained without one of the samples, in the same form.

    Returns
    -------
    pandas Series
        `luf`, `luf_t` (out of `n_models`) and `luf_l` (out of `n_samples`).

    Raises
    ------
    TypeError
        If the confidences are not numeric.
    ValueError
        If an argument has a wrong shape, length or value.

    Notes
    -----
    LUF_t and LUF_l are one number in two units. Both are the number of pairs (model, sample) with
    another prediction, divided by the number of samples and of models respectively, so

    .. math:: \mathrm{LUF}_l = \frac{n_\text{samples}}{n_\text{models}} \mathrm{LUF}_t.

    References
    ----------
    .. [1] Sooksatra and Rivas, "Adversarial Training Negatively Affects Fairness", section IV.D
       and Table III.

    Examples
    --------
    >>> from robfair.metrics import leave_one_out_summary
    >>> leave_one_out_summary([0.5, 0.75, 1.0], [[0.5, 0.25, 1.0], [0.75, 1.0, 1.0]])
    luf      0.250000
    luf_t    0.666667
    luf_l    1.000000
    dtype: float64
    """
    table = leave_one_out_table(y_proba, y_proba_left_out)
    n_flipped = table["n_flipped"].sum()
    return pd.Series(
        {
            "luf": table["luf"].mean(),
            "luf_t": n_flipped / len(table),  # per sample
            "luf_l": n_flipped / len(to_array(y_proba_left_out)),  # per model
        }
    )


def _largest_change(
    full: NDArray[np.float64], left_out: NDArray[np.float64]
) -> NDArray[np.float64]:
    return np.asarray(np.abs(left_out - full).max(axis=(0, 2)))  # over the models and the classes


def _check(y_proba: Any, y_proba_left_out: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return confidences of shape (n_samples, n_classes) and (n_models, n_samples, n_classes)."""
    full = to_array(y_proba)
    if full.ndim not in (1, 2) or full.shape[1:] == (1,):
        raise ValueError(
            "y_proba must have shape (n_samples,), for the positive class of two, or (n_samples, "
            f"n_classes) with a column for every class; got a {type(y_proba).__name__} of shape "
            f"{full.shape}."
        )
    try:
        left_out = to_array(y_proba_left_out)
    except ValueError as error:
        raise ValueError(
            "y_proba_left_out must hold, for each model, confidences of the shape of y_proba; got "
            "some of different shapes."
        ) from error
    if left_out.ndim != full.ndim + 1 or left_out.shape[1:] != full.shape:
        raise ValueError(
            f"y_proba_left_out must have shape (n_models, {', '.join(map(str, full.shape))}), a "
            f"row like y_proba for each model; got a {type(y_proba_left_out).__name__} of shape "
            f"{left_out.shape}."
        )
    if not left_out.size:
        raise ValueError(
            f"there is nothing to compare: y_proba has shape {full.shape} and y_proba_left_out "
            f"{left_out.shape}. Pass at least one sample and one model."
        )
    full = check_fractions(full, "y_proba")
    left_out = check_fractions(left_out, "y_proba_left_out")
    if full.ndim == 1:  # a column for each class, so that argmax is the prediction
        full, left_out = (
            np.stack([1 - positive, positive], axis=-1) for positive in (full, left_out)
        )
    return full, left_out
