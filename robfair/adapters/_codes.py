"""Columns that a model takes for codes of categories, where robfair would perturb numbers.

A fraction of a code is a value that no row can have. A model may round it to another code, or take
it for an unknown one: the boundary is then a hair's breadth away from each sample.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.adapters._given import some_rows
from robfair.adapters._labels import LabelModel
from robfair.adapters._numbers import named

__all__ = ["check_codes"]

# Where they are; that without an underscore is fitted only if there is no other.
INNER = ("estimators_", "calibrated_classifiers_", "estimator_", "estimator")
HAIR = 1e-6  # relative: no number means another thing that close on both of its sides


def check_codes(model: LabelModel, X: NDArray[Any], free: NDArray[np.bool_]) -> None:
    """Raise ValueError if a model takes free columns for codes.

    Parameters
    ----------
    model : LabelModel
        The model.
    X : ndarray of shape (n_samples, n_features)
        Samples, of which up to 256 are looked at.
    free : ndarray of bool, of shape (n_features,)
        Columns that may change by any amount.
    """
    coded = _declared(model.estimator, len(free)) & free
    rows = some_rows(X)
    whole = free & ~coded & (rows == np.rint(rows)).all(axis=0)
    if whole.any():
        coded |= _jumps(model, rows, whole)
    if not coded.any():
        return
    columns = _names(model, coded)
    j = int(np.flatnonzero(coded)[0])
    values = np.unique(X[:, j])[:3].tolist()
    example = ", ".join(f"[{value:g}]" for value in values)
    raise ValueError(
        f"the model takes {named(columns)} for codes of categories, and a fraction of a code is "
        "a value that no row has. Say so: ThreatModel(categories=[robfair.threat.Block("
        f"({j},), codes=[{example}, ...])]) with all codes of the column; or hold it by mutable=; "
        "or put the encoder before the classifier in a Pipeline, with "
        "ThreatModel.from_transformer."
    )


def _declared(estimator: Any, n: int) -> NDArray[np.bool_]:
    """Flag the columns that a classifier, or one inside it, was told to be categories."""
    flags = np.zeros(n, dtype=bool)
    for named_by in (_scikit_learn, _xgboost, _lightgbm):
        told = named_by(estimator)
        if told is not None and len(told) == n:
            flags |= told
    features = getattr(estimator, "estimators_features_", None)  # bagging
    for place, inner in enumerate(_inner(estimator)):
        columns = np.arange(n) if features is None else np.asarray(features[place])
        flags[columns[_declared(inner, len(columns))]] = True
    return flags


def _scikit_learn(estimator: Any) -> NDArray[np.bool_] | None:
    mask = getattr(estimator, "is_categorical_", None)  # HistGradientBoostingClassifier
    return None if mask is None else np.asarray(mask, dtype=bool)


def _xgboost(estimator: Any) -> NDArray[np.bool_] | None:
    types = getattr(estimator, "feature_types", None)
    return np.array([kind == "c" for kind in types]) if isinstance(types, list | tuple) else None


def _lightgbm(estimator: Any) -> NDArray[np.bool_] | None:
    """Read the columns that have codes in place of a range; others may never be split on."""
    booster: Any = getattr(estimator, "booster_", None)
    if not hasattr(booster, "dump_model"):
        return None
    model = booster.dump_model(num_iteration=1)  # of one tree: of all it takes seconds
    ranges = model["feature_infos"]
    return np.array([bool(ranges.get(f, {}).get("values")) for f in model["feature_names"]])


def _inner(estimator: Any) -> list[Any]:
    """List the fitted classifiers that a wrapper or an ensemble gives its columns to."""
    for name in INNER:
        held = getattr(estimator, name, None)
        if held is not None:
            if isinstance(held, np.ndarray):  # a row for each stage, a column for each class
                return list(held.ravel())
            return held if isinstance(held, list) else [held]
    return []


def _jumps(model: LabelModel, X: NDArray[Any], whole: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Flag columns of whole numbers of which the model refuses fractions, or takes none as known.

    A label that is another one a hair below a value and a hair above it belongs to a code. All
    columns are moved together first: most models take them for numbers, and that costs two passes.
    """
    labels = model.predict(X)
    if not _jumps_at(model, X, whole, labels) or bool((model.predict(X) != labels).any()):
        return np.zeros_like(whole)  # also for a random model
    flags = np.zeros_like(whole)
    for j in np.flatnonzero(whole):
        one = np.zeros_like(whole)
        one[j] = True
        flags[j] = _jumps_at(model, X, one, labels)
    return flags


def _jumps_at(
    model: LabelModel, X: NDArray[Any], columns: NDArray[np.bool_], labels: NDArray[Any]
) -> bool:
    hair = HAIR * np.where(X == 0, 1, np.abs(X)) * columns
    try:
        sides = [model.predict((X + sign * hair).astype(X.dtype)) for sign in (1, -1)]
    except Exception:  # an encoder that knows no other values
        return True
    return bool(((sides[0] != labels) & (sides[1] != labels)).any())


def _names(model: LabelModel, flags: NDArray[np.bool_]) -> list[str]:
    names = getattr(model.estimator, "feature_names_in_", None)
    if names is None or len(names) != len(flags):
        return [str(j) for j in np.flatnonzero(flags)]
    return [repr(str(names[j])) for j in np.flatnonzero(flags)]
