import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification

from robfair.adapters.trees import UnreadableTrees, read_trees
from robfair.adapters.trees._lightgbm import ZERO
from tree_rows import edge_rows

lightgbm = pytest.importorskip("lightgbm")

SMALL = {"n_estimators": 15, "num_leaves": 12, "min_child_samples": 5, "verbose": -1, "n_jobs": 1}
NEAR_ZERO = [ZERO, -ZERO, 0.0, -0.0, 1e-35, -1e-35, 1e-36, 5e-324]
NEAR_ZERO += [np.nextafter(side * ZERO, side) for side in (1, -1)] + [2e-35, -2e-35]
MODELS = {
    "plain": {},
    "gaps": {"gaps": 0.2},
    "zero is missing": {"zero_as_missing": True},
    "zero and gaps": {"zero_as_missing": True, "gaps": 0.2},
    "gaps not used": {"use_missing": False, "gaps": 0.2},
    "dart": {"boosting_type": "dart", "drop_rate": 0.5},
    "goss": {"data_sample_strategy": "goss"},
    "cross_entropy": {"objective": "cross_entropy"},
    "many leaves": {"num_leaves": 60, "zero_as_missing": True},
}


def people(n_classes, gaps=0.0):
    X, y = make_classification(
        500, 6, n_informative=5, n_redundant=0, n_classes=n_classes, random_state=0
    )
    X[:, 3:] = np.rint(X[:, 3:])  # zeros
    X[:, 5] = X[:, 5] > 0  # as one-hot: it is split at 1e-35
    X[np.random.default_rng(0).random(X.shape) < gaps] = np.nan
    return X, y


def boosted(n_classes=2, *, gaps=0.0, **settings):
    X, y = people(n_classes, gaps)
    return lightgbm.LGBMClassifier(**{**SMALL, **settings}).fit(X, y)


def rows(ensemble):
    X = edge_rows(ensemble, 4000, missing=0.1)
    rng = np.random.default_rng(1)
    return np.where(rng.random(X.shape) < 0.2, rng.choice(NEAR_ZERO, X.shape), X)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", MODELS)
def test_scores_to_the_last_bit(name, n_classes):
    settings = MODELS[name] if n_classes == 2 else {**MODELS[name], "objective": "multiclass"}
    model = boosted(n_classes, **settings)
    ensemble = read_trees(model)
    X = rows(ensemble)
    assert_array_equal(ensemble.scores(X).squeeze(), model.predict(X, raw_score=True))
    assert_array_equal(ensemble.predict(X), model.predict(X))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_random_forest(n_classes):
    model = boosted(n_classes, boosting_type="rf", bagging_freq=1, bagging_fraction=0.5)
    ensemble = read_trees(model)
    X = rows(ensemble)
    assert_allclose(ensemble.scores(X).squeeze(), model.predict(X, raw_score=True))
    assert_array_equal(ensemble.predict(X), model.predict(X))


def test_one_against_the_others():
    model = boosted(3, objective="multiclassova")
    ensemble = read_trees(model)
    X = rows(ensemble)
    assert_array_equal(ensemble.predict(X), model.predict(X))


def test_early_stopping_ends_at_the_best_iteration():
    X, y = people(2)
    model = lightgbm.LGBMClassifier(**{**SMALL, "n_estimators": 80, "learning_rate": 0.5})
    stop = lightgbm.early_stopping(5, verbose=False)
    model.fit(X[:250], y[:250], eval_X=X[250:], eval_y=y[250:], callbacks=[stop])
    for best in (model.best_iteration_, 2):
        model.booster_.best_iteration = best
        ensemble = read_trees(model)
        assert len(ensemble.roots) == best < 80
        assert_array_equal(ensemble.scores(X)[:, 0], model.predict(X, raw_score=True))


def test_trees_of_one_leaf():
    model = boosted(min_child_samples=400)
    ensemble = read_trees(model)
    X = rows(read_trees(boosted()))
    assert ensemble.n_features == 6
    assert_array_equal(ensemble.scores(X)[:, 0], model.predict(X, raw_score=True))


@pytest.mark.parametrize("onehot", [1, 100])
def test_codes_in_an_array(onehot):
    rng = np.random.default_rng(0)
    X = np.c_[rng.integers(0, 70, 900), rng.normal(size=(900, 2)), rng.integers(0, 5, 900)]
    y = (np.sin(X[:, 0]) + X[:, 1] + 0.5 * (X[:, 3] == 2) > 0).astype(int)
    X[rng.random(X.shape) < 0.1] = np.nan
    model = lightgbm.LGBMClassifier(
        **SMALL, max_cat_to_onehot=onehot, min_data_per_group=5, cat_smooth=1
    ).fit(X, y, categorical_feature=[0, 3])
    ensemble = read_trees(model)
    assert {0, 3} == set(ensemble.feature[ensemble.left_set >= 0])
    codes = {0: [*range(120), -1], 3: [*range(9), -3]}
    X = edge_rows(ensemble, 4000, missing=0.1, codes=codes)
    assert_array_equal(ensemble.scores(X)[:, 0], model.predict(X, raw_score=True))


def test_names_in_a_frame():
    rng = np.random.default_rng(0)
    names = np.array(["north", "east", "south", "west"])
    place = rng.integers(0, 4, 600)
    frame = pd.DataFrame({"x": rng.normal(size=600), "place": pd.Categorical(names[place], names)})
    y = (frame["x"] + np.array([1, -1, 1, -1])[place] > 0).astype(int)
    model = lightgbm.LGBMClassifier(**SMALL, min_data_per_group=5, cat_smooth=1).fit(frame, y)
    given = ["new", "west", "south", "east", "north"]
    told = frame.assign(place=pd.Categorical(frame["place"], given))
    told.loc[::7, "place"] = "new"
    told.loc[::9, "place"] = np.nan
    codes = told["place"].cat.codes.to_numpy(dtype=float)
    inputs = np.c_[told["x"], np.where(codes < 0, np.nan, codes)]
    ensemble = read_trees(model, {1: given})
    assert_array_equal(ensemble.scores(inputs)[:, 0], model.predict(told, raw_score=True))


def test_unreadable():
    with pytest.raises(UnreadableTrees, match=r"leaves are linear models \(linear_tree=True\)"):
        read_trees(boosted(linear_tree=True))
    with pytest.raises(UnreadableTrees, match="its objective is a function"):
        read_trees(boosted(objective=lambda y, score: (score - y, np.ones(len(y)))))
    with pytest.raises(UnreadableTrees, match="its objective is 'regression'"):
        read_trees(boosted(objective="regression"))
    with pytest.raises(UnreadableTrees, match="leaves out trees where it is certain"):
        read_trees(boosted(pred_early_stop=True))


def test_a_booster_itself_leaves_out_no_tree():
    X, y = people(2)
    stops = {"pred_early_stop": True, "pred_early_stop_freq": 1, "pred_early_stop_margin": 0.1}
    settings = {"objective": "binary", "verbose": -1, "num_threads": 1, **stops}
    booster = lightgbm.train(settings, lightgbm.Dataset(X, y), 15)
    scores = read_trees(booster).scores(X)[:, 0]
    assert_array_equal(scores, booster.predict(X, raw_score=True))
