import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier

from robfair.adapters.trees import UnreadableTrees, read_trees
from tree_rows import edge_rows

SMALL = {"max_iter": 12, "max_leaf_nodes": 12, "min_samples_leaf": 5, "random_state": 0}


def people(n_classes):
    X, y = make_classification(
        500, 5, n_informative=5, n_redundant=0, n_classes=n_classes, random_state=0
    )
    X[:, 3] = np.rint(3 * X[:, 3])
    X[np.random.default_rng(0).random(X.shape) < 0.2] = np.nan
    return X, np.array(["left", "mid", "right"])[y]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("more", [{}, {"early_stopping": True}, {"class_weight": "balanced"}])
def test_numbers_and_gaps_to_the_last_bit(more, n_classes):
    model = HistGradientBoostingClassifier(**SMALL, **more).fit(*people(n_classes))
    ensemble = read_trees(model)
    X = edge_rows(ensemble, 3000, missing=0.15)
    assert_array_equal(ensemble.scores(X).squeeze(), model.decision_function(X))
    assert_array_equal(ensemble.predict(X), model.predict(X))


def test_a_tie_is_the_first_class():
    X, y = people(2)
    model = HistGradientBoostingClassifier(**SMALL).fit(X, y)
    for (predictor,) in model._predictors:
        predictor.nodes["value"] = 0
    model._baseline_prediction[:] = 0
    assert_array_equal(read_trees(model).predict(X), model.predict(X))


def coded(gaps):
    """Return rows whose columns 0 and 3 hold categories, between numbers."""
    rng = np.random.default_rng(0)
    X = np.c_[
        rng.choice([10, 20, 30, 41], 700),
        rng.normal(size=700),
        rng.normal(size=700),
        rng.integers(0, 50, 700),
    ]
    y = (X[:, 1] + 2 * (X[:, 0] == 20) + np.sin(X[:, 3]) > 0.5).astype(int)
    X[rng.random(X.shape) < gaps] = np.nan
    return X, y


@pytest.mark.parametrize("gaps", [0, 0.15])
def test_codes_in_an_array(gaps):
    X, y = coded(gaps)
    model = HistGradientBoostingClassifier(categorical_features=[0, 3], **SMALL).fit(X, y)
    ensemble = read_trees(model)
    assert {0, 3} == set(ensemble.feature[ensemble.left_set >= 0])
    unseen = {0: [0, 10, 11, 20, 30, 40, 41, 42, 99], 3: np.arange(60)}
    rows = edge_rows(ensemble, 4000, missing=0.1, codes=unseen)
    assert_array_equal(ensemble.scores(rows)[:, 0], model.decision_function(rows))


def test_names_in_a_frame():
    X, y = coded(0.1)
    names = np.array(["ten", "twenty", "thirty", "more"])
    frame = pd.DataFrame(X, columns=list("abcd"))
    frame["a"] = pd.Categorical(names[np.searchsorted([10, 20, 30], frame["a"])], names[::-1])
    frame.loc[::11, "a"] = np.nan
    model = HistGradientBoostingClassifier(**SMALL).fit(frame, y)
    assert model.is_categorical_.tolist() == [True, False, False, False]
    given = ["new", "thirty", "more", "ten", "twenty"]  # as another frame may have them
    ensemble = read_trees(model, {0: given})
    rows = frame.assign(a=pd.Categorical(frame["a"], given))
    rows.loc[::7, "a"] = "new"
    codes = rows["a"].cat.codes.to_numpy(dtype=float)
    inputs = np.c_[np.where(codes < 0, np.nan, codes), rows[list("bcd")]]
    assert_array_equal(ensemble.scores(inputs)[:, 0], model.decision_function(rows))
    with pytest.raises(UnreadableTrees, match=r"of its column 0 are 'more', 'ten', 'thirty', \.\."):
        read_trees(model)


def test_codes_that_are_not_whole():
    X, y = coded(0)
    X[:, 0] -= 20  # -10, 0, 10, 21
    model = HistGradientBoostingClassifier(categorical_features=[0], **SMALL).fit(X, y)
    with pytest.raises(UnreadableTrees, match=r"are -10\.0, 0\.0, 10\.0, \.\.\., which an array"):
        read_trees(model)
    values = [0, -10, 21, 10]
    codes = np.array([values.index(value) for value in X[:, 0]])
    ensemble = read_trees(model, {0: values})
    own = model.decision_function(X)
    assert_array_equal(ensemble.scores(np.c_[codes, X[:, 1:]])[:, 0], own)
