"""The choice of the reader that fits an estimator.

A class that computes its labels in another way than its library is not read: another label of a
single leaf would be seen in no row but those of that leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted

from robfair.adapters.trees import _catboost, _combined, _hist, _lightgbm, _sklearn, _xgboost
from robfair.adapters.trees._behind import StepsBefore, read_behind
from robfair.adapters.trees._calibrated import calibrated_inside, move_calibrated
from robfair.adapters.trees._ensemble import Ensemble, UnreadableTrees
from robfair.adapters.trees._members import is_sum_of_members, read_members, why_not_a_sum
from robfair.adapters.trees._recode import recode
from robfair.adapters.trees._thresholds import Threshold, has_threshold, move_threshold
from robfair.adapters.trees._wrappers import COMBINED, decides, inside, wrapped_by

__all__ = ["is_tree_ensemble", "read_trees"]

Categories = Mapping[int, Sequence[Any]]
Reader = Callable[[Any, Categories], Ensemble]


def _of_codes(read: Callable[[Any], Ensemble]) -> Reader:
    """Return a reader whose model tells of itself what it makes of codes."""
    return lambda estimator, categories: recode(read(estimator), categories)


# By library and class, so that none of these has to be installed.
READERS: dict[tuple[str, str], Reader] = {
    ("sklearn", "DecisionTreeClassifier"): _of_codes(_sklearn.read_forest),
    ("sklearn", "ForestClassifier"): _of_codes(_sklearn.read_forest),
    ("sklearn", "GradientBoostingClassifier"): _of_codes(_sklearn.read_gradient_boosting),
    ("sklearn", "AdaBoostClassifier"): _of_codes(_combined.read_adaboost),
    ("sklearn", "BaggingClassifier"): _of_codes(_combined.read_bagging),
    ("sklearn", "VotingClassifier"): _of_codes(_combined.read_voting),
    ("sklearn", "HistGradientBoostingClassifier"): _hist.read_hist,
    ("lightgbm", "LGBMClassifier"): _of_codes(_lightgbm.read_lightgbm),
    ("xgboost", "XGBClassifier"): _of_codes(_xgboost.read_xgboost),
    ("catboost", "CatBoostClassifier"): _catboost.read_catboost,
}
# Boosters themselves; a class of another library that is derived from one is not one.
RAW: dict[tuple[str, str], Reader] = {
    ("lightgbm", "Booster"): _of_codes(_lightgbm.read_lightgbm),
    ("xgboost", "Booster"): _of_codes(_xgboost.read_xgboost),
    ("catboost", "CatBoost"): _catboost.read_catboost,
}
# What decides on labels; each must be the library's own.
DECIDES = ("predict", "predict_proba", "decision_function", "_raw_predict")
LIBRARIES = {
    "catboost": "CatBoost",
    "lightgbm": "LightGBM",
    "sklearn": "scikit-learn",
    "xgboost": "XGBoost",
}


def is_tree_ensemble(estimator: Any) -> bool:
    """Tell whether an estimator is of a kind that :func:`read_trees` can read, by its class.

    Parameters
    ----------
    estimator : object
        Anything.

    Returns
    -------
    bool
        True for trees, forests, boosting, and bagging, voting and stacking of these that are
        fitted. Some of them turn out to be unreadable, for a reason that can be told.
    """
    while (inner := wrapped_by(estimator)) is not None:
        estimator = inner
    last = estimator.last if isinstance(estimator, StepsBefore) else estimator
    return _find(last) is not None or _holds_trees(last)


def _holds_trees(estimator: Any) -> bool:
    """Tell whether an estimator asks several classifiers that are all trees."""
    if not isinstance(estimator, COMBINED):
        return False
    members = list(getattr(estimator, "estimators_", ()))
    return len(members) > 0 and all(is_tree_ensemble(decides(member)) for member in members)


def read_trees(estimator: Any, categories: Categories | None = None) -> Ensemble:
    """Read a fitted classifier as a sum of trees.

    Parameters
    ----------
    estimator : object
        The classifier, a booster of XGBoost, LightGBM or CatBoost, or these behind `StepsBefore`.
    categories : dict, default=None
        For columns of categories: the values that the codes 0, 1, ... in the rows stand for. Other
        columns hold what an array would hold that the classifier predicts.

    Returns
    -------
    Ensemble
        The sum of trees. Hold it against the labels that the classifier predicts before anything
        else is done with it.

    Raises
    ------
    UnreadableTrees
        If it cannot be read; the message is a clause that says why.
    """
    last = estimator.last if isinstance(estimator, StepsBefore) else estimator
    inner = wrapped_by(estimator)
    if inner is None:
        return _read_unwrapped(estimator, last, categories or {})
    read = read_trees(inner, categories)
    if type(last) is not FrozenEstimator and not hasattr(last, "predicts_by"):
        check_own_methods(last, "sklearn")
    read = replace(read, classes=np.asarray(last.classes_))
    at = None
    if has_threshold(last):
        at, last = last, inside(last.estimator_)
    calibrated = calibrated_inside(last)
    if calibrated is None:
        return read if at is None else move_threshold(at, decides(last), read)
    if at is None:
        return move_calibrated(last, decides(calibrated), read)
    check_own_methods(last, "sklearn")
    threshold = Threshold.of(at, read.classes)
    return move_calibrated(last, decides(calibrated), read, threshold)


def _read_unwrapped(estimator: Any, last: Any, categories: Categories) -> Ensemble:
    """Read an estimator whose last step is not wrapped around another classifier."""
    if is_sum_of_members(last):
        check_own_methods(last, "sklearn")
        check_own_methods(getattr(last, "final_estimator_", last), "sklearn")

        def read_member(member: Any) -> Ensemble:
            if isinstance(estimator, StepsBefore):
                member = replace(estimator, last=member)
            return read_trees(member, categories)

        return read_members(last, read_member)
    if isinstance(estimator, StepsBefore):
        return read_behind(estimator, categories, read_trees)
    return _read_one(last, categories)


def _read_one(estimator: Any, categories: Categories) -> Ensemble:
    """Read a classifier that is not wrapped around another one."""
    found = _find(estimator)
    if found is None and _holds_trees(estimator):
        raise UnreadableTrees(why_not_a_sum(estimator))
    if found is None:
        name = type(estimator).__name__
        raise UnreadableTrees(f"{name} is not a sum of trees that robfair reads")
    (library, _), reader = found
    if hasattr(estimator, "fit"):
        check_is_fitted(estimator)
    check_own_methods(estimator, library)
    try:
        ensemble = reader(estimator, categories)
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise UnreadableTrees(
            f"what {LIBRARIES[library]} saves of it is in a form that robfair does not know "
            f"({type(error).__name__}: {error}); another version may be the reason"
        ) from error
    if len(ensemble.classes) < 2:
        raise UnreadableTrees(
            f"it knows one class, {ensemble.classes.tolist()}, and so no boundary"
        )
    return ensemble


def check_own_methods(estimator: Any, library: str) -> None:
    """Raise UnreadableTrees if a method that decides on labels is not that of the library."""
    for name in DECIDES:
        method = getattr(type(estimator), name, None)
        if method is None:
            continue
        if name in vars(estimator) or method.__module__.split(".")[0] != library:
            raise UnreadableTrees(
                f"{type(estimator).__name__}.{name} is not that of {LIBRARIES[library]}"
            )
    for inner in getattr(estimator, "estimators_", ()):
        if hasattr(inner, "predict_proba"):
            check_own_methods(inner, library)


def _find(estimator: Any) -> tuple[tuple[str, str], Reader] | None:
    if isinstance(estimator, COMBINED) and not _combined.is_combined_of_trees(estimator):
        return None
    key = (type(estimator).__module__.split(".")[0], type(estimator).__name__)
    if key in RAW:
        return key, RAW[key]
    for kind in type(estimator).__mro__:
        key = (kind.__module__.split(".")[0], kind.__name__)
        if key in READERS:
            return key, READERS[key]
    return None
