"""What is checked before the first refit, and the draw of the left-out set."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import _num_samples

__all__ = ["check_classes", "check_n_baseline", "check_rows", "check_test_samples", "draw"]


def check_test_samples(X: Any, X_test: Any) -> None:
    shapes = np.shape(X)[1:], np.shape(X_test)[1:]
    if shapes[0] != shapes[1]:
        raise ValueError(
            f"X_test must have samples like those of X: of shape {shapes[0]}, not {shapes[1]}."
        )
    if _num_samples(X_test) == 0:
        raise ValueError("X_test has no samples, so that there is nothing to compare models at.")


def draw(
    present: NDArray[np.intp], n_left_out: int, generator: np.random.Generator
) -> NDArray[np.intp]:
    n = operator.index(n_left_out)
    if not 1 <= n <= len(present):
        raise ValueError(
            f"n_left_out must be between 1 and {len(present)}, the number of training samples of "
            f"weight above 0; got {n}."
        )
    return np.sort(generator.permutation(present)[:n])


def check_rows(left_out: ArrayLike, present: NDArray[np.intp]) -> NDArray[np.intp]:
    rows = np.asarray(left_out)
    if rows.ndim != 1 or rows.dtype.kind not in "iu":
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
    """Raise where a refit would see one class only."""
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
