import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression

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
