"""One refit: its seed, the sample that it leaves out, and its confidences."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from robfair._isolation import SharedSetting, one_thread, raised_interrupts

__all__ = ["Refit", "refit_proba", "seed_names", "with_seeds"]

ROUNDING = 1e-6  # a softmax in single precision can exceed 1 by that


@dataclass(frozen=True)
class Refit:
    """A model to be trained."""

    name: str  # of its file in the checkpoint
    estimator: Any  # unfitted, with its seeds
    left_out: int | None = None  # position of the sample that it is trained without

    def __str__(self) -> str:
        without = "" if self.left_out is None else f", without training sample {self.left_out}"
        return f"refit {self.name!r}{without}"


def seed_names(estimator: Any) -> list[str]:
    """List the parameters `random_state` of an estimator and of its parts, in a fixed order."""
    names = estimator.get_params(deep=True)
    return sorted(n for n in names if n == "random_state" or n.endswith("__random_state"))


def with_seeds(estimator: Any, generator: np.random.Generator, *, keep: bool) -> Any:
    """Copy an estimator and give a seed to each `random_state`; `keep` those that have one."""
    estimator = clone(estimator)
    params = estimator.get_params(deep=True)
    for name in seed_names(estimator):
        # Drawn also if it is not used, so that the seeds of other parts do not depend on it.
        seed = int(generator.integers(2**31 - 1))
        if params[name] is None or not keep:
            estimator.set_params(**{name: seed})
    return estimator


def refit_proba(
    refit: Refit,
    X: Any,
    y: NDArray[Any],
    groups: Any,
    sample_weight: NDArray[np.float64] | None,
    X_test: Any,
    classes: NDArray[Any],
) -> tuple[str, NDArray[np.float64]]:
    """Train a model and return its name and its confidences, a column for each class."""
    try:
        # A model that Ctrl-C left half-trained would count as finished.
        with raised_interrupts(), _one_thread():
            data = map(_aligned, (X, y, groups, sample_weight))
            model = _fit_without(refit.left_out, clone(refit.estimator), *data)
            return refit.name, _confidences(model, _aligned(X_test), classes)
    except Exception as error:
        error.add_note(f"robfair: this happened in {refit}.")
        raise


def _fit_without(
    i: int | None,
    estimator: Any,
    X: Any,
    y: NDArray[Any],
    groups: Any,
    weight: NDArray[np.float64] | None,
) -> Any:
    """Fit on all samples but i: by a weight of 0 if the estimator says so, else by removal."""
    n = len(y)
    others = np.delete(np.arange(n), [] if i is None else i)
    # A subclass of Pipeline, such as imbalanced-learn's, may change the number of samples.
    if type(estimator) is Pipeline and len(estimator) > 1:
        transform, (name, last) = estimator[:-1], estimator.steps[-1]
        transformed = transform.fit_transform(_take(X, others), y[others])
        if i is not None:
            # A stand-in, since the transformers may not know what only sample i has, such as a
            # category. The last step leaves it out.
            place = np.arange(n) - (np.arange(n) > i)
            transformed = _safe_indexing(transformed, np.minimum(place, n - 2))
        last = _fit_without(i, last, transformed, y, groups, weight)
        return Pipeline([*transform.steps, (name, last)])
    rows = others
    if i is not None and getattr(estimator, "leaves_out_by_weight", False):
        rows = np.arange(n)
        # A copy, since other refits in this process share it.
        weight = np.ones(n) if weight is None else weight.copy()
        weight[i] = 0
    params = {}
    if groups is not None:
        params["groups"] = _take(groups, rows)
    if weight is not None:
        params["sample_weight"] = weight[rows]
    return estimator.fit(_take(X, rows), y[rows], **params)


def _take(array: Any, rows: NDArray[np.intp]) -> Any:
    """Take rows, without a copy if they are all."""
    return array if len(rows) == _num_samples(array) else _safe_indexing(array, rows)


def _aligned(array: Any) -> Any:
    """Return data that are aligned in memory, as those that Dask sends may not be.

    Or numpy adds up in another order, and the last bits of the model differ from those of one that
    is trained elsewhere, or on all rows but one.
    """
    if array is None:
        return None
    if isinstance(array, np.ndarray):
        return np.require(array, requirements="A")
    return _safe_indexing(array, np.arange(_num_samples(array)))


def _confidences(model: Any, X_test: Any, classes: NDArray[Any]) -> NDArray[np.float64]:
    """Predict confidences, a column for each of `classes`, or raise ValueError."""
    proba = np.asarray(model.predict_proba(X_test), dtype=np.float64)
    known = np.asarray(model.classes_)
    if proba.ndim != 2 or proba.shape[1] != len(known) or not np.isin(known, classes).all():
        raise ValueError(
            f"predict_proba must return a column for each of classes_, and classes_ labels of y; "
            f"got shape {proba.shape}, classes_ {known.tolist()}, labels {classes.tolist()}."
        )
    if not (np.abs(proba - 0.5) <= 0.5 + ROUNDING).all():  # NaN is not, either
        raise ValueError("predict_proba must return confidences in [0, 1]; some are not, or NaN.")
    # Without its only sample a class is unknown to a model: a confidence of 0.
    aligned = np.zeros((len(proba), len(classes)))
    aligned[:, np.searchsorted(classes, known)] = proba
    return aligned


_blas = SharedSetting(
    lambda: threadpool_limits(1, user_api="blas"), lambda limits: limits.restore_original_limits()
)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run torch, BLAS and OpenMP on one thread.

    How a sum is split over threads changes its last bit, and joblib's workers have fewer threads
    than this process: the result would depend on `n_jobs`.
    """
    # OpenMP has a number for each thread, which is saved and restored there.
    with one_thread(), _blas(), threadpool_limits(1, user_api="openmp"):
        threadpool_limits(1, user_api="blas")  # BLAS may have, too
        yield
