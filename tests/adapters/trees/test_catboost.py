import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from robfair.adapters.trees import UnreadableTrees, read_trees
from tree_rows import edge_rows

catboost = pytest.importorskip("catboost")

SMALL = {"iterations": 12, "depth": 4, "verbose": False, "allow_writing_files": False}
SMALL |= {"thread_count": 1, "random_seed": 0}
MODELS = {
    "plain": {},
    "gaps are greatest": {"nan_mode": "Max"},
    "depthwise": {"grow_policy": "Depthwise"},
    "lossguide": {"grow_policy": "Lossguide"},
    "softmax": {"loss_function": "MultiClass"},
    "one against the others": {"loss_function": "MultiClassOneVsAll"},
    "ordered": {"boosting_type": "Ordered"},
}
NAMES = ["north", "east", "south", "west", "here"]


def people(n_classes):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(400, 4))
    X[:, 3] = np.rint(X[:, 3])
    y = np.digitize(X[:, 0] + X[:, 1] * X[:, 2], [0, 0.8][: n_classes - 1])
    X[rng.random(X.shape) < 0.1] = np.nan
    return X, np.array(["left", "mid", "right"])[y]


def boosted(n_classes=2, **settings):
    return catboost.CatBoostClassifier(**{**SMALL, **settings}).fit(*people(n_classes))


def margin(model, X):
    """Return the model's own scores, of two classes the second less the first."""
    raw = model.predict(X, prediction_type="RawFormulaVal")
    return raw[:, 1] - raw[:, 0] if raw.shape[1:] == (2,) else raw


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", MODELS)
def test_scores(name, n_classes):
    model = boosted(n_classes, **MODELS[name])
    ensemble = read_trees(model)
    X = edge_rows(ensemble, 3000, missing=0.1)
    own = margin(model, X)
    assert_allclose(ensemble.scores(X).squeeze(), own, rtol=0, atol=ensemble.rounding)
    assert ensemble.rounding < 1e-12
    assert_array_equal(ensemble.predict(X), model.predict(X).ravel())


def test_another_threshold_of_the_probability():
    model = boosted()
    before = model.predict(people(2)[0])
    model.set_probability_threshold(0.3)
    ensemble = read_trees(model)
    X = edge_rows(ensemble, 3000)
    assert_array_equal(ensemble.predict(X), model.predict(X))
    assert (before != model.predict(people(2)[0])).any()


def test_scale_and_bias():
    model = boosted(boost_from_average=True)
    model.set_scale_and_bias(0.5, 0.1)
    ensemble = read_trees(model)
    X = edge_rows(ensemble, 2000)
    assert_allclose(ensemble.scores(X)[:, 0], margin(model, X), rtol=0, atol=1e-12)


def test_a_tie_is_the_first_class():
    model = boosted(iterations=1, depth=1)
    model.set_leaf_values(np.zeros(2))
    ensemble = read_trees(model)
    X = people(2)[0]
    assert_array_equal(ensemble.scores(X), np.zeros((400, 1)))
    assert_array_equal(ensemble.predict(X), model.predict(X))


def frame():
    rng = np.random.default_rng(0)
    place, age = rng.integers(0, 5, 600), rng.integers(0, 30, 600)
    told = pd.DataFrame(
        {
            "x": rng.normal(size=600),
            "place": pd.Categorical(np.array(NAMES)[place], NAMES),
            "z": rng.normal(size=600),
            "sex": pd.Categorical(np.array(["f", "m"])[rng.integers(0, 2, 600)]),
            "age": age,
        }
    )
    y = (told["x"] + np.array([1, -1, 2, -2, 0])[place] + (age % 3 == 1) > 0.5).astype(int)
    return told, y


@pytest.mark.parametrize("settings", [{"one_hot_max_size": 2}, {"one_hot_max_size": 50}])
def test_categories(settings):
    told, y = frame()
    model = catboost.CatBoostClassifier(
        **SMALL, **settings, cat_features=["place", "sex", "age"], max_ctr_complexity=1
    ).fit(told, y)
    values = {1: NAMES[::-1], 3: ["m", "f"], 4: list(range(30))}
    ensemble = read_trees(model, values)
    assert set(ensemble.feature[ensemble.left_set >= 0]) >= {1, 4}
    rng = np.random.default_rng(1)
    codes = {j: rng.integers(0, len(known), 3000) for j, known in values.items()}
    X = rng.normal(size=(3000, 5))
    rows = pd.DataFrame(X, columns=told.columns)
    for j, known in values.items():
        X[:, j] = codes[j]
        rows[told.columns[j]] = np.array(known)[codes[j]]
    own = margin(model, rows)
    assert_allclose(ensemble.scores(X)[:, 0], own, rtol=0, atol=ensemble.rounding)


def test_unreadable():
    told, y = frame()
    columns = {"cat_features": ["place", "sex", "age"]}
    model = catboost.CatBoostClassifier(**SMALL, **columns).fit(told, y)
    with pytest.raises(UnreadableTrees, match="column 1 holds categories, and an array does not"):
        read_trees(model)
    values = {1: NAMES, 3: ["m", "f"], 4: [0.5, 1.5]}
    with pytest.raises(UnreadableTrees, match=r"it does not take its categories \(.*0\.5"):
        read_trees(model, values)
    deep = catboost.CatBoostClassifier(**SMALL, **columns, grow_policy="Depthwise").fit(told, y)
    with pytest.raises(UnreadableTrees, match="categories in trees that are not symmetric"):
        read_trees(deep, {**values, 4: list(range(30))})
    X, y = people(2)
    pairs = np.stack([y == "left", y == "mid"], axis=1).astype(int)
    several = catboost.CatBoostClassifier(**SMALL, loss_function="MultiLogloss").fit(X, pairs)
    with pytest.raises(UnreadableTrees, match="its objective is 'MultiLogloss'"):
        read_trees(several)


def test_categories_combined():
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 6, (1500, 2))
    y = codes.sum(axis=1) % 2
    told = pd.DataFrame(codes.astype(str), columns=["a", "b"]).assign(x=rng.normal(size=1500))
    model = catboost.CatBoostClassifier(**SMALL, cat_features=["a", "b"], max_ctr_complexity=4)
    model.fit(told, y)
    values = {0: [str(i) for i in range(6)], 1: [str(i) for i in range(6)]}
    with pytest.raises(UnreadableTrees, match="it combines categories with other columns"):
        read_trees(model, values)
