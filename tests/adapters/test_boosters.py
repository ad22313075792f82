import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from robfair import ThreatModel, audit, boundary_distance
from robfair.adapters import adapt, as_labels, hold, of_table
from robfair.adapters.trees import is_tree_ensemble, read_trees

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 3))
FRAME = pd.DataFrame(X, columns=["a", "b", "c"])
SCORE = X[:, 0] + X[:, 1] * X[:, 2]
NAMED = {"lightgbm": "LightGBM", "xgboost": "XGBoost", "catboost": "CatBoost"}


def labels(n_classes):
    return np.digitize(SCORE, [0, 0.7][: n_classes - 1])


def train(library, data, y, **settings):
    """Return a booster without its scikit-learn face, and the classes that it means."""
    module = pytest.importorskip(library)
    n_classes = len(np.unique(y))
    many = {"num_class": n_classes} if n_classes > 2 else {}
    if library == "xgboost":
        told = {"objective": "multi:softprob" if many else "binary:logistic", **many, **settings}
        categorical = isinstance(data, pd.DataFrame)
        return module.train(told, module.DMatrix(data, y, enable_categorical=categorical), 8)
    if library == "lightgbm":
        told = {"objective": "multiclass" if many else "binary", "verbose": -1, **many, **settings}
        return module.train(told, module.Dataset(data, y), 8)
    told = {"loss_function": "MultiClass" if many else "Logloss", "iterations": 8, **settings}
    return module.CatBoost(
        {**told, "verbose": False, "allow_writing_files": False, "thread_count": 1}
    ).fit(data, y)


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("library", NAMED)
def test_boosters_predict_labels(library, n_classes, named):
    data, y = FRAME if named else X, labels(n_classes)
    booster = train(library, data, y)
    adapted = adapt(booster, data)
    assert_array_equal(adapted.classes, np.arange(n_classes))
    predicted = adapted.predict(adapted.inputs(data))
    assert np.mean(predicted == y) > 0.75
    assert hold(booster, adapted, data, adapted.inputs(data)).mismatch is None
    assert is_tree_ensemble(adapted.estimator)
    rows = RNG.normal(scale=2, size=(2000, 3))
    assert_array_equal(read_trees(adapted.estimator).predict(rows), adapted.predict(rows))
    again = pickle.loads(pickle.dumps(adapted))
    assert_array_equal(again.predict(X), predicted)


@pytest.mark.parametrize("raw", [False, True])
def test_a_category_that_xgboost_has_not_seen(raw):
    xgboost = pytest.importorskip("xgboost")
    frame = FRAME.assign(job=pd.Categorical(np.where(SCORE > 0, "nurse", "smith")))
    model = xgboost.XGBClassifier(n_estimators=3, enable_categorical=True)
    model.fit(frame, SCORE > 0)
    model = model.get_booster() if raw else model
    unused = frame.assign(job=frame["job"].cat.add_categories("pilot"))
    assert boundary_distance(model, unused[:20]).method == "exact"
    jobs = unused["job"].where(unused.index != 7, "pilot")
    with pytest.raises(
        ValueError, match="column 'job' holds 'pilot', which the model has not seen"
    ):
        boundary_distance(model, unused.assign(job=jobs))
    with pytest.raises(ValueError, match="it lacks column 'job'"):
        boundary_distance(model, FRAME)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost", "catboost"])
def test_from_a_booster_to_a_report(library):
    booster, y = train(library, X, labels(2)), labels(2)
    result = audit(booster, X[:60], y[:60], sensitive_features=X[:60, 2] > 0)
    assert result.by_group["accuracy"].gt(0.8).all()
    found = boundary_distance(booster, X[:20], y=y[:20], return_adversarial=True)
    moved = ~np.isnan(found.adversarial).any(axis=1)
    assert moved.sum() > 15
    at = as_labels(booster).predict(found.adversarial[moved])
    assert (at != as_labels(booster).predict(X[:20][moved])).all()


def test_all_trees_of_an_xgboost_booster_count():
    """Its `predict` takes no notice of the best iteration, which XGBClassifier does."""
    xgboost = pytest.importorskip("xgboost")
    data, y = xgboost.DMatrix(X, labels(2)), labels(2)
    other = [(xgboost.DMatrix(X, 1 - y), "other")]
    told = {"objective": "binary:logistic"}
    booster = xgboost.train(told, data, 9, evals=other, early_stopping_rounds=3, verbose_eval=False)
    assert booster.best_iteration + 1 < booster.num_boosted_rounds()
    predicted = (booster.predict(data) > 0.5).astype(int)
    assert_array_equal(as_labels(booster).predict(X), predicted)
    assert_array_equal(read_trees(booster).predict(X), predicted)


@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_categories_of_a_table(library):
    place = pd.Categorical(np.array(["north", "east", "west"])[RNG.integers(0, 3, 300)])
    frame = FRAME.assign(place=place)
    y = (SCORE + 2 * (place == "east") > 0.5).astype(int)
    booster = train(library, frame, y)
    codec = ThreatModel.from_frame(frame).table
    adapted = of_table(booster, adapt(booster, frame), frame, codec)
    rows = adapted.inputs(frame)
    assert np.mean(adapted.predict(rows) == y) > 0.85
    ensemble = read_trees(adapted.estimator, adapted.categories)
    assert_array_equal(ensemble.predict(rows), adapted.predict(rows))


OBJECTIVES = {
    "xgboost": [("objective", "reg:squarederror"), ("objective", "rank:pairwise")],
    "lightgbm": [("objective", "regression"), ("objective", "poisson")],
    "catboost": [("loss_function", "RMSE")],
}


@pytest.mark.parametrize("library", NAMED)
def test_a_booster_that_does_not_decide(library):
    for name, objective in OBJECTIVES[library]:
        booster = train(library, X, labels(2), **{name: objective})
        match = f"this booster of {NAMED[library]} is '{objective}', and only a classifier"
        with pytest.raises(TypeError, match=match):
            boundary_distance(booster, X[:5])


def test_rankers():
    xgboost = pytest.importorskip("xgboost")
    ranker = xgboost.XGBRanker(n_estimators=2).fit(X, labels(2), qid=np.zeros(300))
    with pytest.raises(TypeError, match="XGBRanker ranks rows, and only a classifier"):
        boundary_distance(ranker, X[:5])
    lightgbm = pytest.importorskip("lightgbm")
    ranker = lightgbm.LGBMRanker(n_estimators=2, verbose=-1).fit(X, labels(2), group=[300])
    with pytest.raises(TypeError, match="LGBMRanker ranks rows"):
        boundary_distance(ranker, X[:5])
