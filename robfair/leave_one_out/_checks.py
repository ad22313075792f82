"""Checks before the first refit, and the draw of the left-out set."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import column_or_1d, indexable
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _num_samples

from robfair._alignment import check_aligned, check_columns

__all__ = ["Data", "check_classes", "check_data", "check_n_baseline", "check_rows", "draw"]


@dataclass(frozen=True)
class Data:
    """Training and test samples of all refits."""

    X: Any  # of any kind that the estimator takes, with n_train rows
    y: NDArray[Any]
    groups: Any
    sample_weight: NDArray[np.float64] | None
    X_test: Any  # the samples at which models are compared
    classes: NDArray[Any]  # sorted

    @property
    def present(self) -> NDArray[np.intp]:
        """Positions of the training samples of weight above 0."""
        if self.sample_weight is None:
            return np.arange(len(self.y))
        return np.flatnonzero(self.sample_weight)

    def arrays(self) -> dict[str, Any]:
        """Return the arrays by the names of the arguments."""
        names = ("X", "y", "X_test", "groups", "sample_weight")
        return {name: getattr(self, name) for name in names}


def check_data(
    estimator: Any, X: Any, y: Any, X_test: Any, groups: Any, sample_weight: Any
) -> Data:
    """Check the arguments of `leave_one_out`.

    Raises TypeError if the estimator has no `predict_proba`, ValueError if shapes differ.
    """
    if not hasattr(estimator, "predict_proba"):
        raise TypeError(
            f"LUF compares confidences, and {estimator!r} has no method predict_proba. Wrap it in "
            "sklearn.calibration.CalibratedClassifierCV, or set its option for probabilities."
        )
    check_aligned(X=X, y=y, groups=groups, sample_weight=sample_weight)
    check_columns(X=X, X_test=X_test)
    X, labels, groups, weight = indexable(X, column_or_1d(y), groups, sample_weight)
    check_classification_targets(labels)
    shapes = np.shape(X)[1:], np.shape(X_test)[1:]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"X_test must have samples like those of X: of shape {shapes[0]}, not {shapes[1]}."
        )
    if _num_samples(X_test) == 0:
        raise ValueError("X_test has no samples, so that there is nothing to compare models at.")
    weight = None if weight is None else np.asarray(weight, dtype=np.float64)
    return Data(X, labels, groups, weight, X_test, np.unique(labels))


def draw(
    present: NDArray[np.intp], n_left_out: int, generator: np.random.Generator
) -> NDArray[np.intp]:
    """Draw the samples to leave out. Raises ValueError if there are fewer."""
    n = operator.index(n_left_out)
    if not 1 <= n <= len(present):
        raise ValueError(
            f"n_left_out must be between 1 and {len(present)}, the number of training samples of "
            f"weight above 0; got {n}."
        )
    # Of one permutation: a larger draw by the same seed holds the smaller one.
    return np.sort(generator.permutation(present)[:n])


def check_rows(left_out: ArrayLike, present: NDArray[np.intp]) -> NDArray[np.intp]:
    """Check the positions of the samples to leave out.

    Raises TypeError if they are not integers, ValueError if there are none, or one is repeated or
    not that of a training sample.
    """
    rows = np.asarray(left_out)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":  # a mask of bool is not a list of positions
        raise TypeError(
            "left_out must be a list of positions in X, integers; got "
            f"{rows.dtype} of shape {rows.shape}. For a number drawn at random use n_left_out."
        )
    if not len(rows):
        raise ValueError("left_out is empty: pass at least one position in X.")
    unknown = rows[~np.isin(rows, present)]
    if len(unknown):
        raise ValueError(
            f"left_out must hold positions of training samples of weight above 0, counted from 0; "
            f"got {unknown[:5].tolist()}, which are not."
        )
    values, counts = np.unique(rows, return_counts=True)
    if counts.max() > 1:
        raise ValueError(f"left_out repeats {values[counts > 1][:5].tolist()}: name each once.")
    return rows.astype(np.intp)


def check_classes(y: NDArray[Any], present: NDArray[np.intp], rows: NDArray[np.intp]) -> None:
    """Check that every refit sees two classes, or raise ValueError."""
    values, counts = np.unique(y[present], return_counts=True)
    if len(values) < 2:
        raise ValueError(f"y has one class only, {values.tolist()}: a classifier needs two.")
    only = [int(i) for i in rows if y[i] in values[counts == 1]]
    if len(values) == 2 and only:
        raise ValueError(
            f"without sample {only[0]}, the only one of class {y[only[0]]!r}, one class is left, "
            "and no classifier can be trained. Choose other samples by left_out."
        )


def check_n_baseline(n_baseline: int | None, n_left_out: int, takes_seed: bool) -> int:
    """Return the number of fits with other seeds.

    Raises ValueError if it is negative, or the estimator takes no seed.
    """
    if n_baseline is None:
        return n_left_out if takes_seed else 0
    n = operator.index(n_baseline)
    if n < 0:
        raise ValueError(f"n_baseline must not be negative; got {n}.")
    if n and not takes_seed:
        raise ValueError(
            f"n_baseline={n}, but the estimator takes no random_state, so there are no other "
            "seeds. Pass 0 or None."
        )
    return n
