"""`leave_one_out`: checks, seeds, refits and their comparison."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from robfair.leave_one_out._checks import (
    check_classes,
    check_data,
    check_n_baseline,
    check_rows,
    draw,
)
from robfair.leave_one_out._refit import Refit, seed_names, with_seeds
from robfair.leave_one_out._result import LeaveOneOut, Refits
from robfair.leave_one_out._runner import run_refits
from robfair.leave_one_out._store import RefitStore

__all__ = ["leave_one_out"]

# Confidences of two fits that differ by less are the same but for the processor that they ran on.
ROUNDING = 1e-6


def leave_one_out(
    estimator: Any,
    X: Any,
    y: ArrayLike,
    X_test: Any,
    *,
    groups: Any = None,
    sample_weight: ArrayLike | None = None,
    n_left_out: int = 100,
    left_out: ArrayLike | None = None,
    n_baseline: int | None = None,
    checkpoint: Any = None,
    n_jobs: int | None = None,
    random_state: Any = 0,
    verbose: int | None = None,
) -> LeaveOneOut:
    """Measure how much leaving out one training sample changes a classifier: LUF.

    The estimator is fitted once on all training samples (F_D) and once without each sample i of a
    left-out set, always with the same seed. LUF(x) is the largest difference of a confidence at x
    between F_D and any of the others [1]_. Then it is fitted on all samples with other seeds: what
    these change is due to chance, and LUF that is no larger says nothing about the samples.

    Parameters
    ----------
    estimator : estimator
        A classifier with ``predict_proba``, or a Pipeline that ends in one. It is cloned, not
        fitted. Where a `random_state`, its own or that of a part, is None, it gets a fixed seed.
    X : array-like of shape (n_train, n_features) or (n_train, ...)
        Training samples.
    y : array-like of shape (n_train,)
        Class labels.
    X_test : array-like of shape (n_samples, n_features) or (n_samples, ...)
        The samples x at which models are compared.
    groups : array-like of shape (n_train,) or (n_train, n_columns), default=None
        Passed to `fit` as `groups`, for estimators that take it; to the last step of a Pipeline.
    sample_weight : array-like of shape (n_train,), default=None
        Passed to `fit` in the same way. A sample of weight 0 is not left out: it is not in.
    n_left_out : int, default=100
        Number of training samples that are left out, one at a time. They are drawn at random.
    left_out : array-like of int, default=None
        Their positions, to choose them instead.
    n_baseline : int, default=None
        Number of fits with other seeds. None: as many as are left out, since a maximum over more
        models is larger, or none if the estimator takes no `random_state`.
    checkpoint : path-like, default=None
        A folder where each finished refit is written at once. A run that was cut off goes on where
        it stopped if it is called again with the same arguments and folder.
    n_jobs : int, default=None
        Refits at a time, as in joblib; :class:`joblib.parallel_config` chooses the backend, such as
        a Dask cluster. The result does not depend on either: each refit has one thread.
    random_state : int, Generator or None, default=0
        Seed of the draw of the left-out set and of all seeds that are given.
    verbose : int, default=None
        1: a progress bar. 0: none. None: one for what takes more than five seconds, on a
        terminal or in a notebook.

    Returns
    -------
    LeaveOneOut
        LUF with its baseline, and the confidences behind both.

    Raises
    ------
    TypeError
        If the estimator has no ``predict_proba`` or cannot be cloned, or `left_out` does not hold
        integers.
    ValueError
        If lengths or widths differ, there are fewer samples than are to be left out, `left_out`
        repeats a sample or holds one that is not there, leaving one out would leave one class, or
        the checkpoint holds another run.
    RuntimeError
        If workers were lost again and again. Refits in the checkpoint are kept.

    Warns
    -----
    UserWarning
        If two fits with the same seed differ, workers were lost and their refits are done again, or
        a file of the checkpoint is damaged.

    See Also
    --------
    robfair.metrics.leave_one_out_unfairness : LUF from the confidences.

    Notes
    -----
    A sample is left out by a weight of 0 if the estimator has an attribute
    ``leaves_out_by_weight = True``, as robfair's classifiers do: all other samples then keep their
    place in the order of training and their random numbers. Else its row is removed, and where
    training is random, the order of all others may change with it: even a sample that does not
    matter may then change as much as another seed. The transformers of a Pipeline are always
    fitted without the row.

    A model that has lost the only sample of a class has confidence 0 in that class.

    References
    ----------
    .. [1] Sooksatra and Rivas, "Adversarial Training Negatively Affects Fairness", Definition 3;
       after Black and Fredrikson, "Leave-one-out Unfairness", FAccT 2021.

    Examples
    --------
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from robfair.leave_one_out import leave_one_out
    >>> X, y = [[0.0], [1.0], [2.0], [4.0]], [0, 0, 1, 1]
    >>> nearest = KNeighborsClassifier(n_neighbors=1)
    >>> result = leave_one_out(nearest, X, y, [[0.0], [1.9]], left_out=[0, 2])
    >>> result
    LeaveOneOut(2 left out, 2 test samples: LUF 0.5, LUF_t 0.5, LUF_l 0.5; no baseline, since the
    estimator takes no random_state)
    >>> result.luf
    array([0., 1.])
    """
    data = check_data(estimator, X, y, X_test, groups, sample_weight)
    # Three streams, so that the seeds are the same if `left_out` is given.
    drawing, own, other = np.random.default_rng(random_state).spawn(3)
    rows = (
        draw(data.present, n_left_out, drawing)
        if left_out is None
        else check_rows(left_out, data.present)
    )
    check_classes(data.y, data.present, rows)
    takes_seed = bool(seed_names(estimator))
    n_baseline = check_n_baseline(n_baseline, len(rows), takes_seed)

    fixed = with_seeds(estimator, own, keep=True)
    others = [with_seeds(estimator, other, keep=False) for _ in range(n_baseline)]
    refits = [
        Refit("all", fixed),
        Refit("repeat", fixed),  # shows whether a fit can be repeated at all
        *(Refit(f"without-{i}", fixed, int(i)) for i in rows),
        *(Refit(f"seed-{j}", seeded) for j, seeded in enumerate(others)),
    ]
    store = None if checkpoint is None else RefitStore(checkpoint, fixed, data, rows, others)
    proba = run_refits(refits, data, store, n_jobs=n_jobs, verbose=verbose)

    full, repeat = proba[:2]
    without, seeded = np.split(proba[2:], [len(rows)])
    result = LeaveOneOut(
        full,
        without,
        left_out=rows,
        classes=data.classes,
        baseline=Refits(full, seeded) if n_baseline else None,
        takes_seed=takes_seed,
        repeat_difference=float(np.abs(repeat - full).max()),
    )
    if result.repeat_difference > ROUNDING:
        warnings.warn(
            "two fits with the same seed on the same samples differ by up to "
            f"{result.repeat_difference:.3g} in a confidence, and LUF holds that noise. Give the "
            "estimator a random_state, or an algorithm that can be repeated.",
            stacklevel=2,
        )
    return result
