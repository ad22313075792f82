"""XGBoost, LightGBM and CatBoost from the bytes of their files, as classifiers of labels.

The first two know no labels but 0, 1, 2 ...: `with_classes` gives them those of the data.
"""

from __future__ import annotations

import copy
import functools
import json
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["FileModel", "NotAuditable", "load_catboost", "load_lightgbm", "load_xgboost"]


class NotAuditable(ValueError):
    """A file that can be read does not hold a classifier for an audit; the message says why.

    It has a class of its own since XGBoost raises a ValueError for damaged files, too.
    """


class FileModel:
    """A classifier in a file: it keeps the bytes, so that it can be copied, hashed and sent.

    Attributes
    ----------
    content : bytes
        The file.
    classes_ : ndarray of shape (n_classes,)
        The labels; there is no such attribute where they are not known before it predicts.
    names_classes : bool
        True if it says labels; False where 0, 1, 2 ... stand for labels that somebody must name.
    takes_classes : bool
        True if 0, 1, 2 ... may be given names.
    says_text : bool
        True if its labels are strings.
    n_features_in_ : int or None
        Columns that it takes.
    feature_names_in_ : ndarray of str
        Their names; there is no such attribute where it does not know them.
    categories : dict of str to list or None
        Columns that hold categories, with those that it knows; None for some that it does not list.
    """

    _estimator_type = "classifier"
    classes_: NDArray[Any]
    feature_names_in_: NDArray[Any]

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.names_classes = self.says_text = False
        self.takes_classes = True
        self.n_features_in_: int | None = None
        self.categories: dict[str, list[Any] | None] = {}

    def with_classes(self, classes: NDArray[Any]) -> FileModel:
        """Return this model with other labels, in the order of its own."""
        named = copy.copy(self)
        named.classes_, named.names_classes = classes, True
        return named

    def _know(self, names: Sequence[str] | None, n_features: int | None) -> None:
        self.n_features_in_ = n_features
        if names:
            self.feature_names_in_ = np.array(names, dtype=object)

    def taken_for_unseen(self, X: pd.DataFrame) -> dict[str, list[Any]]:
        """Return, by column, categories that the model does not tell from any it has never seen.

        Nothing is returned of models that list the categories that they know.
        """
        return {}

    def frame(self, X: Any) -> Any:
        """Return rows with the types of columns that the library asks for.

        Raises ValueError for a category that it does not know.
        """
        if not isinstance(X, pd.DataFrame):
            return X
        made = {}
        for name, known in self.categories.items():
            if known is None:
                continue
            unseen = X[name][X[name].notna() & ~X[name].isin(known)]
            if len(unseen):
                raise ValueError(f"column {name!r} holds {unseen.iloc[0]!r}, no category of it.")
            made[name] = pd.Categorical(X[name], categories=known)
        return X.assign(**made)


class ScoredFile(FileModel):
    """A classifier in a file that predicts the class of the greatest probability."""

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict labels."""
        codes = self.predict_proba(X).argmax(axis=1)
        return self.classes_[codes]  # type: ignore[no-any-return]

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Predict the probability of each class."""
        raise NotImplementedError


class XGBoostFile(ScoredFile):
    """A classifier that XGBoost has saved."""

    @property
    def predicts_by(self) -> Any:
        """The model of XGBoost itself, of which the trees are read."""
        return _xgboost(self.content)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Predict the probability of each class."""
        return _xgboost(self.content).predict_proba(self.frame(X))  # type: ignore[no-any-return]


class LightGBMFile(ScoredFile):
    """A classifier that LightGBM has saved."""

    @property
    def predicts_by(self) -> Any:
        """The model of LightGBM itself, of which the trees are read."""
        return _lightgbm(self.content)

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Predict the probability of each class."""
        proba = np.asarray(_lightgbm(self.content).predict(self.frame(X)))
        return proba if proba.ndim == 2 else np.column_stack([1 - proba, proba])


class CatBoostFile(ScoredFile):
    """A classifier that CatBoost has saved."""

    @property
    def predicts_by(self) -> Any:
        """The model of CatBoost itself, of which the trees are read."""
        return _catboost(self.content)

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict labels."""
        return np.asarray(_catboost(self.content).predict(X)).reshape(len(X))

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Predict the probability of each class."""
        return np.asarray(_catboost(self.content).predict_proba(X))

    def taken_for_unseen(self, X: pd.DataFrame) -> dict[str, list[Any]]:
        """Return categories with which a row of X ends in the leaves of one that nobody has."""
        model, taken = _catboost(self.content), {}
        for name in self.categories:
            rows = X[X[name].notna()].drop_duplicates(name)
            other = rows.assign(**{name: "\0 a category that nobody has"})
            leaves = [model.calc_leaf_indexes(each) for each in (rows, other)] if len(rows) else []
            if leaves and (leaves[0] != leaves[1]).any():  # else the column may not matter
                taken[name] = rows[name][(leaves[0] == leaves[1]).all(axis=1)].tolist()
        return {name: values for name, values in taken.items() if values}


# Read once for each file: a process that gets the bytes reads them itself.
@functools.lru_cache(maxsize=2)
def _xgboost(content: bytes) -> Any:
    import xgboost

    model = xgboost.XGBClassifier(enable_categorical=True)
    model.load_model(bytearray(content))
    if _objective(model.get_booster()) == "multi:softmax":  # the same trees, and probabilities
        model.get_booster().set_param({"objective": "multi:softprob"})
    return model


@functools.lru_cache(maxsize=2)
def _lightgbm(content: bytes) -> Any:
    import lightgbm

    return lightgbm.Booster(model_str=content.decode())


@functools.lru_cache(maxsize=2)
def _catboost(content: bytes) -> Any:
    import catboost

    model = catboost.CatBoostClassifier()
    model.load_model(blob=content)
    return model


def _objective(booster: Any) -> str:
    return str(json.loads(booster.save_config())["learner"]["objective"]["name"])


def load_xgboost(content: bytes) -> FileModel:
    """Read a classifier of XGBoost; raises NotAuditable if it is none."""
    import xgboost

    booster = xgboost.Booster()
    booster.load_model(bytearray(content))
    learner = json.loads(booster.save_config())["learner"]
    objective, sizes = learner["objective"]["name"], learner["learner_model_param"]
    known = ("binary:logistic", "binary:hinge", "multi:softmax", "multi:softprob")
    if objective not in known:
        raise NotAuditable(_no_classifier(f"objective {objective!r}", known))
    if int(sizes.get("num_target", 1)) > 1:
        raise NotAuditable("it predicts several targets at once, and robfair needs one.")
    model = XGBoostFile(content)
    model.classes_ = np.arange(max(2, int(sizes["num_class"])))
    model._know(booster.feature_names, booster.num_features())
    types = booster.feature_types or []
    if "c" in types:
        names = booster.feature_names or [str(j) for j in range(len(types))]
        listed = _xgboost_categories(booster)
        model.categories = {
            name: listed.get(name) for name, kind in zip(names, types, strict=True) if kind == "c"
        }
        silent = [name for name, known in model.categories.items() if known is None]
        if silent:
            raise NotAuditable(
                f"it does not list the categories of {silent[0]!r}, of which it knows codes only: "
                "fit it on a DataFrame with XGBoost 3.1 or later, which saves them."
            )
    return model


def _xgboost_categories(booster: Any) -> dict[str, list[Any]]:
    """Return the categories of each column, as far as the file lists them."""
    if not hasattr(booster, "get_categories"):  # before XGBoost 3.1
        return {}
    listed = booster.get_categories(export_to_arrow=True).to_arrow()
    return {name: values.to_pylist() for name, values in listed or () if values is not None}


def load_lightgbm(content: bytes) -> FileModel:
    """Read a classifier of LightGBM; raises NotAuditable if it is none."""
    header = content.partition(b"\nTree=")[0].decode(errors="replace")
    found = re.search(r"^objective=(\S+)", header, re.MULTILINE)
    known = ("binary", "multiclass", "multiclassova")
    if found is None or found[1] not in known:
        reason = "an objective of its own" if found is None else f"objective {found[1]!r}"
        raise NotAuditable(_no_classifier(reason, known))
    booster = _lightgbm(content)
    names = booster.feature_name()
    if names == [f"Column_{j}" for j in range(len(names))]:  # its own, for an array
        names = None
    model = LightGBMFile(content)
    model.classes_ = np.arange(max(2, booster.num_model_per_iteration()))
    model._know(names, booster.num_feature())
    listed = booster.pandas_categorical or []
    chosen = re.search(rb"^\[categorical_feature: ([\d,]+)\]", content, re.MULTILINE)
    columns = [int(j) for j in chosen[1].split(b",")] if chosen else []
    if listed and (names is None or len(columns) != len(listed)):
        raise NotAuditable(
            f"it lists categories of {len(listed)} columns and does not say of which: fit it with "
            "categorical_feature='auto' on a DataFrame, and save it by LightGBM 4 or later."
        )
    if listed:
        model.categories = {names[j]: list(k) for j, k in zip(columns, listed, strict=True)}
    return model


def load_catboost(content: bytes) -> FileModel:
    """Read a classifier of CatBoost; raises NotAuditable if it is none."""
    booster = _catboost(content)
    loss = str(booster.get_all_params().get("loss_function", "of its own")).partition(":")[0]
    known = ("Logloss", "CrossEntropy", "MultiClass", "MultiClassOneVsAll")
    if loss not in known or len(booster.classes_) < 2:
        raise NotAuditable(_no_classifier(f"loss function {loss!r}", known))
    model = CatBoostFile(content)
    model.classes_, model.names_classes = np.asarray(booster.classes_), True
    model.says_text, model.takes_classes = model.classes_.dtype.kind in "OU", False
    names = booster.feature_names_
    if names == [str(j) for j in range(len(names))]:  # its own, for an array
        names = None
    model._know(names, len(booster.feature_names_))
    for j in booster.get_cat_feature_indices():
        model.categories[booster.feature_names_[j]] = None  # it keeps their hashes
    return model


def _no_classifier(what: str, known: tuple[str, ...]) -> str:
    return (
        f"it has {what}, and only a classifier has a decision boundary (one of {', '.join(known)})."
    )
