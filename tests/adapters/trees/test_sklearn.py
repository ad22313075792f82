import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from robfair.adapters.trees import UnreadableTrees, read_trees
from tree_rows import edge_rows

FORESTS = [
    DecisionTreeClassifier(max_depth=6, random_state=0),
    ExtraTreeClassifier(random_state=0),
    RandomForestClassifier(20, random_state=0),  # pure leaves: many ties
    RandomForestClassifier(20, max_depth=4, class_weight="balanced", random_state=0),
    ExtraTreesClassifier(20, max_depth=6, bootstrap=True, random_state=0),
]
BOOSTING = [
    GradientBoostingClassifier(n_estimators=15, subsample=0.7, random_state=0),
    GradientBoostingClassifier(n_estimators=15, init="zero", random_state=0),
    GradientBoostingClassifier(
        n_estimators=15, init=DummyClassifier(strategy="prior"), n_iter_no_change=3, random_state=0
    ),
]


def people(n_classes):
    X, codes = make_classification(
        500, 6, n_informative=5, n_redundant=0, n_classes=n_classes, random_state=0
    )
    X[:, 3] = np.rint(4 * X[:, 3])  # equal values; thresholds at .5
    return X, np.array(["left", "mid", "right"])[codes]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("model", FORESTS, ids=lambda m: type(m).__name__)
def test_forests(model, n_classes):
    model.fit(*people(n_classes))
    ensemble = read_trees(model)
    X = edge_rows(ensemble, 3000)
    total = model.predict_proba(X) * len(getattr(model, "estimators_", [1]))
    own = total[:, 1:] - total[:, :1] if n_classes == 2 else total
    assert_allclose(ensemble.scores(X), own, rtol=0, atol=ensemble.rounding)
    assert not ensemble.differs(X, model.predict(X)).any()
    if ensemble.rounding:
        assert np.mean(ensemble.predict(X) != model.predict(X)) < 1e-3  # ties alone
    else:
        assert_array_equal(ensemble.predict(X), model.predict(X))
    assert ensemble.n_features == 6
    assert_array_equal(ensemble.classes, model.classes_)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("model", BOOSTING, ids=["default", "zero", "prior"])
def test_gradient_boosting_to_the_last_bit(model, n_classes):
    model.fit(*people(n_classes))
    ensemble = read_trees(model)
    X = edge_rows(ensemble, 3000)
    assert_array_equal(ensemble.scores(X).squeeze(), model.decision_function(X))
    assert_array_equal(ensemble.predict(X), model.predict(X))


def test_a_tie_of_boosting_is_the_second_class():
    X, y = np.array([[0.0], [1.0]]), np.array([0, 1])
    model = GradientBoostingClassifier(n_estimators=1, init="zero", max_depth=1).fit(X, y)
    model.estimators_[0, 0].tree_.value[:] = 0
    assert_array_equal(read_trees(model).predict(X), model.predict(X))


def test_missing_values():
    X, y = people(2)
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    model = RandomForestClassifier(20, random_state=0).fit(X, y)
    ensemble = read_trees(model)
    rows = edge_rows(ensemble, 3000, missing=0.3)
    assert_array_equal(ensemble.predict(rows), model.predict(rows))


def test_unreadable():
    X, y = people(2)
    model = GradientBoostingClassifier(n_estimators=2, init=LogisticRegression()).fit(X, y)
    with pytest.raises(UnreadableTrees, match=r"starts from init=LogisticRegression"):
        read_trees(model)
    random = GradientBoostingClassifier(n_estimators=2, init=DummyClassifier(strategy="uniform"))
    with pytest.raises(UnreadableTrees, match=r"starts from init=DummyClassifier"):
        read_trees(random.fit(X, y))
    with pytest.raises(UnreadableTrees, match="it has 2 outputs"):
        read_trees(RandomForestClassifier(2).fit(X, np.stack([y, y], axis=1)))
    with pytest.raises(UnreadableTrees, match=r"it knows one class, \['left'\]"):
        read_trees(RandomForestClassifier(2).fit(X, np.full(len(X), "left")))
