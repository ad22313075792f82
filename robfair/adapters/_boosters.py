"""Boosters of XGBoost, LightGBM and CatBoost without their scikit-learn face, as classifiers.

They return scores or probabilities and know no labels but 0, 1, 2 ...; what they decide follows
from their objective.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["BoosterClassifier", "with_labels"]

# Objectives that decide on one class, and the output above which it is the second of two.
XGBOOST = {
    "binary:logistic": 0.5,
    "reg:logistic": 0.5,
    "binary:logitraw": 0.5,  # as XGBClassifier.predict compares it
    "binary:hinge": 0.5,
    "multi:softprob": None,
    "multi:softmax": None,
}
LIGHTGBM = ("binary", "cross_entropy", "multiclass", "multiclassova")
CATBOOST = ("Logloss", "CrossEntropy", "Focal", "MultiClass", "MultiClassOneVsAll")
RANKERS = (("xgboost", "XGBRanker"), ("lightgbm", "LGBMRanker"), ("catboost", "CatBoostRanker"))


class BoosterClassifier:
    """A booster as a classifier.

    Parameters
    ----------
    booster : object
        What predicts scores or probabilities.
    predict : callable
        From rows to the codes 0, 1, 2 ... of labels.
    classes : ndarray of shape (n_classes,)
        The labels.
    names : list of str or None
        The columns, if the booster knows them.

    Attributes
    ----------
    predicts_by : object
        The booster, of which the trees are read.
    classes_ : ndarray of shape (n_classes,)
        The labels.
    feature_names_in_ : ndarray of str
        The columns; there is no such attribute for a booster that does not know them.
    """

    _estimator_type = "classifier"

    def __init__(
        self,
        booster: Any,
        predict: Callable[[Any], NDArray[Any]],
        classes: NDArray[Any],
        names: list[str] | None,
    ) -> None:
        self.predicts_by = booster
        self.classes_ = classes
        self._codes = predict
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the label of each row."""
        labels: NDArray[Any] = self.classes_[self._codes(X)]
        return labels


def with_labels(model: Any) -> Any:
    """Return a model that predicts labels: a raw booster becomes a classifier.

    Parameters
    ----------
    model : object
        Any model; all but boosters are returned as they are.

    Returns
    -------
    object
        The model, or a `BoosterClassifier`.

    Raises
    ------
    TypeError
        If it is a booster that does not decide on classes, or a ranker.
    """
    library = type(model).__module__.split(".")[0]
    kinds = {(kind.__module__.split(".")[0], kind.__name__) for kind in type(model).__mro__}
    if kinds & set(RANKERS):
        raise TypeError(
            f"{type(model).__name__} ranks rows, and only a classifier has a decision boundary."
        )
    if (library, type(model).__name__) not in _MADE_BY:
        return model
    return _MADE_BY[library, type(model).__name__](model)


def _xgboost(booster: Any) -> BoosterClassifier:
    learner = json.loads(booster.save_config())["learner"]
    objective = learner["objective"]["name"]
    _check(objective, tuple(XGBOOST), "XGBoost")
    sizes = learner["learner_model_param"]
    if int(sizes.get("num_target", 1)) > 1:
        raise TypeError("the Booster of XGBoost has several outputs; robfair needs one.")
    codes = partial(_xgboost_codes, booster, XGBOOST[objective])
    n_classes = max(2, int(sizes["num_class"]))
    return BoosterClassifier(booster, codes, np.arange(n_classes), booster.feature_names)


def _xgboost_codes(booster: Any, threshold: float | None, X: Any) -> NDArray[Any]:
    output = booster.inplace_predict(X, predict_type="value" if threshold else "margin")
    return _decide(output, threshold)


def _lightgbm(booster: Any) -> BoosterClassifier:
    header = booster.model_to_string(num_iteration=1).split("\nTree=")[0]
    lines = dict(line.split("=", 1) for line in header.split("\n") if "=" in line)
    _check(lines.get("objective", "a function").split(" ")[0], LIGHTGBM, "LightGBM")
    n_classes = max(2, int(booster.num_model_per_iteration()))
    names = booster.feature_name()
    if names == [f"Column_{j}" for j in range(len(names))]:  # its own, for an array
        names = None
    codes = partial(_lightgbm_codes, booster)
    return BoosterClassifier(booster, codes, np.arange(n_classes), names)


def _lightgbm_codes(booster: Any, X: Any) -> NDArray[Any]:
    return _decide(np.asarray(booster.predict(X)), 0.5)


def _decide(output: NDArray[Any], threshold: float | None) -> NDArray[Any]:
    codes = output.argmax(axis=1) if output.ndim == 2 else (output > threshold).astype(np.intp)
    return np.asarray(codes)


def _catboost(booster: Any) -> BoosterClassifier:
    told = str(booster.get_all_params().get("loss_function", "a function"))
    _check(told.split(":")[0], CATBOOST, "CatBoost")
    classes = np.asarray(booster.classes_)
    names = list(booster.feature_names_)
    known = None if names == [str(j) for j in range(len(names))] else names
    return BoosterClassifier(booster, partial(_catboost_codes, booster, classes), classes, known)


def _catboost_codes(booster: Any, classes: NDArray[Any], X: Any) -> NDArray[Any]:
    labels = np.asarray(booster.predict(X, prediction_type="Class")).reshape(len(X), 1)
    return np.asarray((labels == classes).argmax(axis=1))


def _check(objective: str, known: tuple[str, ...], library: str) -> None:
    if objective not in known:
        raise TypeError(
            f"the objective of this booster of {library} is {objective!r}, and only a classifier "
            f"has a decision boundary (one of {', '.join(known)}). To study a threshold on its "
            "output, give a function such as lambda X: model.predict(X) > threshold."
        )


_MADE_BY: dict[tuple[str, str], Callable[[Any], BoosterClassifier]] = {
    ("xgboost", "Booster"): _xgboost,
    ("lightgbm", "Booster"): _lightgbm,
    ("catboost", "CatBoost"): _catboost,
}
