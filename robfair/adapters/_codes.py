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
from robfair.adapters._steps import has_steps, last_step
from robfair.adapters._tables import TableModel

__all__ = ["check_codes", "code_columns", "declared_codes", "refuses_floats"]

# Where they are; that without an underscore is fitted only if there is no other.
INNER = ("estimators_", "calibrated_classifiers_", "estimator_", "estimator")
HAIR = 1e-6  # relative: no number means another thing that close on both of its sides


def check_codes(model: LabelModel, X: NDArray[Any], moving: NDArray[np.bool_]) -> None:
    """Raise ValueError if a model takes columns for codes that would move as numbers.

    Parameters
    ----------
    model : LabelModel
        The model.
    X : ndarray of shape (n_samples, n_features)
        Samples, of which up to 256 are looked at.
    moving : ndarray of bool, of shape (n_features,)
        Columns that may change to other numbers.
    """
    coded = code_columns(model, X, moving)
    if not coded.any():
        return
    columns, j = _names(model, coded), int(np.flatnonzero(coded)[0])
    takes = f"the model takes {named(columns)} for codes of categories, and "
    if isinstance(model, TableModel):
        raise ValueError(
            f"{takes}a number between two codes is a value that no row has. Say so: "
            f"ThreatModel.from_frame(..., categories=[{', '.join(columns)}])."
        )
    values = np.unique(X[:, j])[:3].tolist()
    example = ", ".join(f"[{value:g}]" for value in values)
    raise ValueError(
        f"{takes}a fraction of a code is a value that no row has. Say so: "
        f"ThreatModel(categories=[robfair.threat.Block(({j},), codes=[{example}, ...])]) with all "
        "codes of the column; or hold it by mutable=; or put the encoder before the classifier in "
        "a Pipeline, with ThreatModel.from_transformer."
    )


def code_columns(
    model: LabelModel, X: NDArray[Any], moving: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Flag the columns that a model takes for codes.

    Parameters
    ----------
    model, X, moving : LabelModel, ndarray and ndarray of bool
        As for :func:`check_codes`.

    Returns
    -------
    ndarray of bool, of shape (n_features,)
        True for such columns, of those that are `moving`.
    """
    coded = declared_codes(model.estimator, len(moving)) & moving
    rows = some_rows(X)
    whole = moving & ~coded & ((rows == np.rint(rows)) | np.isnan(rows)).all(axis=0)
    if whole.any():
        coded |= _jumps(model, rows, whole)
    return coded


def declared_codes(estimator: Any, n: int) -> NDArray[np.bool_]:
    """Flag the columns that a classifier, or one inside it, was told to be categories.

    Parameters
    ----------
    estimator : object
        The classifier.
    n : int
        Columns of what it is given.

    Returns
    -------
    ndarray of bool, of shape (n,)
        True for codes.
    """
    flags = np.zeros(n, dtype=bool)
    for named_by in (_scikit_learn, _xgboost, _lightgbm, _catboost):
        told = named_by(estimator)
        if told is not None and len(told) == n:
            flags |= told
    features = getattr(estimator, "estimators_features_", None)  # bagging
    for place, inner in enumerate(_inner(estimator)):
        columns = np.arange(n) if features is None else np.asarray(features[place])
        flags[columns[declared_codes(inner, len(columns))]] = True
    return flags


def refuses_floats(model: Any) -> bool:
    """Tell whether the last step of a Pipeline does not take an array of floats.

    Parameters
    ----------
    model : object
        A model of any kind.

    Returns
    -------
    bool
        True for CatBoost that was told of categories, whose codes it wants as integers or text.
    """
    told = _catboost(last_step(model)[1]) if has_steps(model) else None
    return told is not None and bool(told.any())


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


def _catboost(estimator: Any) -> NDArray[np.bool_] | None:
    if not hasattr(estimator, "get_cat_feature_indices"):
        return None
    flags = np.zeros(len(estimator.feature_names_), dtype=bool)
    flags[estimator.get_cat_feature_indices()] = True
    return flags


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
    if isinstance(model, TableModel):
        model = model.with_fractions()
    try:
        labels = model.predict(X)
    except ValueError:  # a model of a table that insists on integers: nothing can be tried
        return np.zeros_like(whole)
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
    known = getattr(model.estimator, "feature_names_in_", None)
    if isinstance(model, TableModel) and model.codec is not None:
        known = model.codec.names
    if known is None or len(known) != len(flags):
        return [str(j) for j in np.flatnonzero(flags)]
    # numpy's own text is written as text.
    names = [str(name) if isinstance(name, str) else name for name in known]
    return [repr(names[j]) for j in np.flatnonzero(flags)]
