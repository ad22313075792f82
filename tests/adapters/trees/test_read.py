import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.ensemble import (
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from robfair import ThreatModel
from robfair.adapters import adapt, of_table
from robfair.adapters.trees import UnreadableTrees, is_tree_ensemble, read_trees

X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


class Settings(RandomForestClassifier):
    """Another constructor, the same labels."""

    def __init__(self, n_estimators=3):
        super().__init__(n_estimators, random_state=0)


class Other(RandomForestClassifier):
    """Other labels."""

    def predict_proba(self, X):
        return super().predict_proba(X)[:, ::-1]


def test_kinds():
    assert is_tree_ensemble(RandomForestClassifier())
    assert is_tree_ensemble(Settings())
    for other in (RandomForestRegressor(), LogisticRegression(), None, X):
        assert not is_tree_ensemble(other)
        with pytest.raises(UnreadableTrees, match="is not a sum of trees that robfair reads"):
            read_trees(other)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        read_trees(RandomForestClassifier())


def test_a_class_that_decides_otherwise_is_not_read():
    assert np.array_equal(
        read_trees(Settings().fit(X, Y)).predict(X), Settings().fit(X, Y).predict(X)
    )
    with pytest.raises(UnreadableTrees, match=r"Other.predict_proba is not that of scikit-learn"):
        read_trees(Other(2).fit(X, Y))


def test_a_patched_method_is_not_read():
    forest = RandomForestClassifier(2, random_state=0).fit(X, Y)
    forest.predict = lambda X: np.zeros(len(X))
    with pytest.raises(UnreadableTrees, match=r"RandomForestClassifier.predict is not"):
        read_trees(forest)
    forest = RandomForestClassifier(2, random_state=0).fit(X, Y)
    forest.estimators_[1].predict_proba = lambda X, check_input: np.ones((len(X), 2))
    with pytest.raises(UnreadableTrees, match=r"DecisionTreeClassifier.predict_proba is not"):
        read_trees(forest)


def test_a_patch_of_the_library_is_not_read(monkeypatch):
    model = GradientBoostingClassifier(n_estimators=2).fit(X, Y)
    monkeypatch.setattr(GradientBoostingClassifier, "predict", lambda self, X: np.zeros(len(X)))
    with pytest.raises(UnreadableTrees, match=r"GradientBoostingClassifier.predict is not"):
        read_trees(model)


def table(*, gaps):
    """Return a table with names, numbers as categories, truth values, integers and gaps."""
    rng = np.random.default_rng(0)
    names = np.array(["north", "east", "south", "west"])
    place = rng.integers(0, 4, 600)
    frame = pd.DataFrame(
        {
            "x": rng.normal(size=600),
            "place": pd.Categorical(names[place], names),
            "married": rng.random(600) < 0.4,
            "age": rng.integers(18, 80, 600),
            "kind": pd.Categorical(rng.choice([10, 20, 30], 600)),
        }
    )
    score = frame["x"] + np.array([1, -1, 2, -2])[place] + frame["married"]
    y = (score - (frame["kind"].astype(int) == 20) > 0.3).astype(int)
    if gaps:
        frame.loc[::9, "x"] = np.nan
        frame.loc[::7, "place"] = np.nan
    return frame, y


CATEGORIES = ["place", "kind", "married"]
TABLES = {
    "sklearn.ensemble": ("HistGradientBoostingClassifier", {"max_iter": 10}),
    "xgboost": ("XGBClassifier", {"n_estimators": 10, "enable_categorical": True, "n_jobs": 1}),
    "lightgbm": ("LGBMClassifier", {"n_estimators": 10, "verbose": -1, "n_jobs": 1}),
    "catboost": (
        "CatBoostClassifier",
        {"iterations": 10, "depth": 4, "verbose": False, "cat_features": CATEGORIES}
        | {"allow_writing_files": False, "thread_count": 1},
    ),
}


@pytest.mark.parametrize("library", TABLES)
def test_columns_of_a_table(library):
    name, settings = TABLES[library]
    frame, y = table(gaps=library != "catboost")
    model = getattr(pytest.importorskip(library), name)(**settings).fit(frame, y)
    codec = ThreatModel.from_frame(frame).table
    adapted = of_table(model, adapt(model, frame), frame, codec)
    ensemble = read_trees(adapted.estimator, adapted.categories)
    assert {1, 4} <= set(ensemble.feature[ensemble.left_set >= 0])
    rows = adapted.inputs(frame)
    assert_array_equal(ensemble.predict(rows), model.predict(frame))
    rng = np.random.default_rng(1)
    shuffled = np.stack([rng.permutation(column) for column in rows.T], axis=1)
    assert_array_equal(ensemble.predict(shuffled), adapted.predict(shuffled))


def test_a_frozen_classifier_is_read():
    forest = RandomForestClassifier(3, random_state=0).fit(X, Y)
    frozen = FrozenEstimator(forest)
    assert is_tree_ensemble(frozen)
    assert_array_equal(read_trees(frozen).predict(X), forest.predict(X))
    assert not is_tree_ensemble(FrozenEstimator(LogisticRegression()))


def test_a_form_that_is_not_known():
    """As another version of a library may write it."""
    xgboost = pytest.importorskip("xgboost")
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(X, Y), 2)
    saved = bytes(booster.save_raw("json"))
    booster.save_raw = lambda raw_format: saved.replace(b"left_children", b"children_left")
    with pytest.raises(UnreadableTrees, match=r"what XGBoost saves of it .* \(KeyError: 'left_ch"):
        read_trees(booster)
