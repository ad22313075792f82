import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification

from robfair.adapters.trees import UnreadableTrees, read_trees
from tree_rows import edge_rows

xgboost = pytest.importorskip("xgboost")

MODELS = {
    "hist": {},
    "exact": {"tree_method": "exact"},
    "approx": {"tree_method": "approx"},
    "dart": {"booster": "dart", "rate_drop": 0.5},
    "base_score": {"base_score": 0.3},
    "parallel": {"num_parallel_tree": 3},
    "zero is missing": {"missing": 0.0},
    "-1 is missing": {"missing": -1.0},
    "0.1 is missing": {"missing": 0.1},  # not a number of float32
}
BINARY = ("binary:logitraw", "binary:hinge", "reg:logistic")


def people(n_classes, *, missing=0.2):
    X, y = make_classification(
        400, 6, n_informative=5, n_redundant=0, n_classes=n_classes, random_state=0
    )
    X[:, 3:] = np.rint(X[:, 3:])
    X[np.random.default_rng(0).random(X.shape) < missing] = np.nan
    return X, y


def boosted(n_classes=2, model=xgboost.XGBClassifier, **settings):
    return model(n_estimators=15, max_depth=4, n_jobs=1, **settings).fit(*people(n_classes))


def check(model, X, *, slack=0.0):
    ensemble = read_trees(model)
    own = model.predict(X, output_margin=True)
    assert_allclose(ensemble.scores(X).squeeze(), own, rtol=0, atol=slack)
    # In float64 the sum of leaves is as near as the ensemble says.
    leaves = ensemble.value[ensemble.leaves(X)].sum(axis=1) + ensemble.base
    assert np.abs(leaves.squeeze() - own).max() <= ensemble.rounding < 1e-3
    assert_array_equal(ensemble.predict(X), model.predict(X))
    assert not ensemble.differs(X, model.predict(X)).any()
    return ensemble


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", MODELS)
def test_scores_to_the_last_bit(name, n_classes):
    model = boosted(n_classes, **MODELS[name])
    X = edge_rows(read_trees(model), 3000, missing=0.1)
    gap = MODELS[name].get("missing")
    if gap is not None:
        rng = np.random.default_rng(1)
        near = [gap, *(np.nextafter(np.float32(gap), np.float32(side)) for side in (9, -9))]
        near += [np.nextafter(gap, 9), np.nextafter(gap, -9)]
        X = np.where(rng.random(X.shape) < 0.3, rng.choice(near, X.shape), X)
    # The C library's logarithm, and products of dart, differ in their last bits.
    check(model, X, slack=1e-6 if name in ("dart", "base_score") else 0)


def test_leaves_are_not_base_weights():
    """In trees of "exact" both are there, and they differ."""
    model = boosted(tree_method="exact")
    check(model, people(2)[0])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_early_stopping_ends_at_the_best_iteration(n_classes):
    X, y = people(n_classes)
    model = xgboost.XGBClassifier(
        n_estimators=40, learning_rate=1.0, early_stopping_rounds=5, num_parallel_tree=2, n_jobs=1
    ).fit(X[:200], y[:200], eval_set=[(X[200:], y[200:])], verbose=False)
    assert model.get_booster().num_boosted_rounds() > model.best_iteration + 1
    ensemble = check(model, people(n_classes, missing=0)[0])
    per_round = 2 * (1 if n_classes == 2 else 3)
    assert len(ensemble.roots) == per_round * (model.best_iteration + 1)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_random_forest(n_classes):
    model = boosted(n_classes, xgboost.XGBRFClassifier)
    check(model, edge_rows(read_trees(model), 2000))


@pytest.mark.parametrize("objective", BINARY)
def test_objectives(objective):
    model = boosted(objective=objective)
    ensemble = read_trees(model)
    X = edge_rows(ensemble, 2000)
    assert_array_equal(ensemble.predict(X), model.predict(X))
    assert 0 < model.predict(X).mean() < 1


def test_softmax():
    model = boosted(3, objective="multi:softmax")
    check(model, people(3)[0])


def test_a_function_as_objective():
    def logistic(y, score):
        p = 1 / (1 + np.exp(-score))
        return p - y, p * (1 - p)

    check(boosted(objective=logistic), people(2)[0])


@pytest.mark.parametrize("onehot", [1, 100])
def test_codes_of_categories(onehot):
    rng = np.random.default_rng(0)
    X = np.c_[rng.integers(0, 40, 800), rng.normal(size=(800, 2)), rng.integers(0, 5, 800)]
    y = (np.sin(X[:, 0]) + X[:, 1] + 0.3 * (X[:, 3] == 2) > 0).astype(int)
    X[rng.random(X.shape) < 0.1] = np.nan
    types = ["c", "q", "q", "c"]
    model = xgboost.XGBClassifier(
        n_estimators=10, max_depth=4, feature_types=types, enable_categorical=True,
        max_cat_to_onehot=onehot, n_jobs=1,
    ).fit(X, y)  # fmt: skip
    ensemble = read_trees(model)
    assert (ensemble.left_set >= 0).any()
    unseen = np.arange(90)  # 40 to 89, also beyond the 64 bits of a set
    check(model, edge_rows(ensemble, 4000, missing=0.1, codes={0: unseen, 3: unseen[:9]}))


def test_a_number_that_is_missing_among_codes():
    """It may be a code in an array, and in a frame if there are so many categories."""
    rng = np.random.default_rng(0)
    X = np.c_[rng.integers(0, 6, 400), rng.normal(size=400)]
    y = (np.isin(X[:, 0], [1, 3]) | (X[:, 1] > 0.5)).astype(int)
    settings = {"n_estimators": 5, "enable_categorical": True, "n_jobs": 1}
    for gap in (2, -999):
        model = xgboost.XGBClassifier(**settings, missing=gap, feature_types=["c", "q"])
        with pytest.raises(UnreadableTrees, match=f"it takes {gap} for missing, also among codes"):
            read_trees(model.fit(X, y))
    frame = pd.DataFrame({"place": pd.Categorical(X[:, 0].astype(int)), "x": X[:, 1]})
    with pytest.raises(UnreadableTrees, match="it takes 5 for missing, also among codes"):
        read_trees(xgboost.XGBClassifier(**settings, missing=5).fit(frame, y))
    for gap in (6, -999):
        frame.loc[::9, "x"] = gap
        model = xgboost.XGBClassifier(**settings, missing=gap).fit(frame, y)
        inputs = np.c_[X[:, 0], frame["x"]]
        own = model.predict(frame, output_margin=True)
        assert_array_equal(read_trees(model).scores(inputs)[:, 0], own)


def test_names_of_columns():
    X, y = people(2)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    model = xgboost.XGBClassifier(n_estimators=5, n_jobs=1).fit(frame, y)
    assert_array_equal(read_trees(model).predict(X), model.predict(frame))


@pytest.mark.parametrize("values", [["north", "east", "south", "west"], [9, 2, 5, 4]])
def test_categories_of_a_frame(values):
    rng = np.random.default_rng(0)
    values = np.array(values)
    place = rng.integers(0, 4, 600)
    frame = pd.DataFrame(
        {"x": rng.normal(size=600), "place": pd.Categorical(values[place], values)}
    )
    y = (frame["x"] + np.array([1, -1, 1, -1])[place] > 0).astype(int)
    model = xgboost.XGBClassifier(n_estimators=8, max_depth=3, enable_categorical=True, n_jobs=1)
    model.fit(frame, y)
    given = values[[3, 1, 0, 2]]
    told = frame.assign(place=pd.Categorical(frame["place"], given))
    told.loc[::9, "place"] = np.nan
    codes = told["place"].cat.codes.to_numpy(dtype=float)
    inputs = np.c_[told["x"], np.where(codes < 0, np.nan, codes)]
    own = model.predict(told, output_margin=True)
    assert_array_equal(read_trees(model, {1: given}).scores(inputs)[:, 0], own)
    own_codes = np.c_[frame["x"], place]
    own = model.predict(frame, output_margin=True)
    assert_array_equal(read_trees(model).scores(own_codes)[:, 0], own)


def test_unreadable():
    for objective in ("rank:pairwise", "reg:squarederror", "count:poisson"):
        with pytest.raises(UnreadableTrees, match=f"its objective is '{objective}'"):
            read_trees(boosted(objective=objective))
    with pytest.raises(UnreadableTrees, match="multi_output_tree"):
        read_trees(boosted(3, multi_strategy="multi_output_tree"))
    X, y = people(2, missing=0)
    linear = xgboost.XGBClassifier(n_estimators=2, booster="gblinear").fit(X, y)
    with pytest.raises(UnreadableTrees, match="gblinear, which has no trees"):
        read_trees(linear)
    several = xgboost.XGBClassifier(n_estimators=2).fit(X, np.stack([y, 1 - y], axis=1))
    with pytest.raises(UnreadableTrees, match="several outputs"):
        read_trees(several)
