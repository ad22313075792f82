"""Boosters from their own files: they predict as their library does, under the user's labels."""

import numpy as np
import pandas as pd
import pytest

from robfair import ThreatModel
from robfair.adapters import adapt, of_table
from robfair.adapters.trees import is_tree_ensemble, read_trees
from robfair.cli._boosters import load_catboost, load_lightgbm, load_xgboost

pytestmark = pytest.mark.usefixtures("read_here")


def columns(people):
    X = people[["age", "hours", "job"]].astype({"job": "category"})
    return X, (people["income"] == "high").astype(int)


def xgboost_file(folder, X, y, name="model.ubj", **options):
    xgboost = pytest.importorskip("xgboost")
    kind = options.pop("kind", xgboost.XGBClassifier)
    model = kind(n_estimators=4, max_depth=3, enable_categorical=True, **options).fit(X, y)
    model.save_model(folder / name)
    return model


def lightgbm_file(folder, X, y, **options):
    lightgbm = pytest.importorskip("lightgbm")
    kind = options.pop("kind", lightgbm.LGBMClassifier)
    model = kind(n_estimators=4, min_child_samples=5, verbose=-1, **options).fit(X, y)
    model.booster_.save_model(folder / "model.txt")
    return model


def catboost_file(folder, X, y, **options):
    catboost = pytest.importorskip("catboost")
    kind = options.pop("kind", catboost.CatBoostClassifier)
    quiet = {"verbose": 0, "allow_writing_files": False, "iterations": 4}
    model = kind(**quiet, **options).fit(X, y)
    model.save_model(str(folder / "model.cbm"))
    return model


@pytest.mark.parametrize("name", ["model.json", "model.ubj"])
@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softmax"])
def test_xgboost(people, tmp_path, name, objective):
    X, y = columns(people)
    if objective == "multi:softmax":
        y = pd.qcut(people["age"], 3, labels=False)
    model = xgboost_file(tmp_path, X, y, name, objective=objective)
    read = load_xgboost((tmp_path / name).read_bytes())
    assert read.categories == {"job": ["clerk", "nurse", "smith"]}
    assert read.feature_names_in_.tolist() == ["age", "hours", "job"]
    np.testing.assert_array_equal(read.predict(X.astype({"job": object})), model.predict(X))
    names = np.array(["a", "b", "c"][: len(read.classes_)])
    np.testing.assert_array_equal(
        read.with_classes(names).predict(X), names[model.predict(X).astype(int)]
    )
    with pytest.raises(ValueError, match="holds 'pilot', no category of it"):
        read.predict(X.assign(job="pilot"))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_lightgbm(people, tmp_path, n_classes):
    X, y = columns(people)
    if n_classes == 3:
        y = pd.qcut(people["age"], 3, labels=False)
    model = lightgbm_file(tmp_path, X, y)
    read = load_lightgbm((tmp_path / "model.txt").read_bytes())
    assert read.categories == {"job": ["clerk", "nurse", "smith"]}
    np.testing.assert_array_equal(read.predict(X.astype({"job": object})), model.predict(X))
    np.testing.assert_allclose(read.predict_proba(X), model.predict_proba(X), rtol=1e-12)
    bare = lightgbm_file(tmp_path, X[["age", "hours"]].to_numpy(), y)
    read = load_lightgbm((tmp_path / "model.txt").read_bytes())
    assert not hasattr(read, "feature_names_in_")
    X = X[["age", "hours"]].to_numpy()
    np.testing.assert_array_equal(read.predict(X), bare.predict(X))


def test_catboost_knows_its_labels(people, tmp_path):
    X = people[["age", "hours", "job"]]
    model = catboost_file(tmp_path, X, people["income"], cat_features=["job"])
    read = load_catboost((tmp_path / "model.cbm").read_bytes())
    assert read.categories == {"job": None}
    assert read.classes_.tolist() == ["high", "low"]
    np.testing.assert_array_equal(read.predict(X), model.predict(X))


FILES = {
    "model.ubj": (xgboost_file, load_xgboost, {}),
    "model.txt": (lightgbm_file, load_lightgbm, {}),
    "model.cbm": (catboost_file, load_catboost, {"cat_features": ["job"]}),
}


@pytest.mark.parametrize("name", FILES)
def test_trees_of_a_file_are_read(people, tmp_path, name):
    save, load, options = FILES[name]
    X, y = columns(people)
    save(tmp_path, X, y, **options)
    model = load((tmp_path / name).read_bytes())
    if model.takes_classes:
        model = model.with_classes(np.array(["low", "high"]))
    table = X.astype({"job": object})  # as from a CSV
    codec = ThreatModel.from_frame(table).table
    adapted = of_table(model, adapt(model, table), table, codec)
    assert is_tree_ensemble(adapted.estimator)
    ensemble = read_trees(adapted.estimator, adapted.categories)
    rows = adapted.inputs(table)
    np.testing.assert_array_equal(ensemble.predict(rows), model.predict(table))
    assert set(ensemble.predict(rows)) == set(model.classes_)


def test_what_is_no_classifier(people, tmp_path):
    X, y = columns(people)
    X = X[["age", "hours"]]
    xgboost = pytest.importorskip("xgboost")
    lightgbm = pytest.importorskip("lightgbm")
    catboost = pytest.importorskip("catboost")
    for make, load, file, kind, part in (
        (xgboost_file, load_xgboost, "model.ubj", xgboost.XGBRegressor, "'reg:squarederror'"),
        (lightgbm_file, load_lightgbm, "model.txt", lightgbm.LGBMRegressor, "'regression'"),
        (catboost_file, load_catboost, "model.cbm", catboost.CatBoostRegressor, "'RMSE'"),
    ):
        make(tmp_path, X, y, kind=kind)
        with pytest.raises(ValueError, match="only a classifier has a decision boundary") as error:
            load((tmp_path / file).read_bytes())
        assert part in str(error.value)
    ranker = xgboost.XGBRanker(n_estimators=2).fit(X, y, group=[len(X)])
    ranker.save_model(tmp_path / "model.ubj")
    with pytest.raises(ValueError, match="'rank:ndcg'"):
        load_xgboost((tmp_path / "model.ubj").read_bytes())


@pytest.mark.slow
def test_columns_are_held_against_the_model(refused, people, tmp_path):
    X, y = columns(people)
    for make, name in ((xgboost_file, "model.ubj"), (lightgbm_file, "model.txt")):
        make(tmp_path, X, y)
        people.drop(columns="hours").to_csv(tmp_path / "narrow.csv", index=False)
        text = refused(tmp_path / name, tmp_path / "narrow.csv")
        assert "the model names 'hours', which is not a column of the data" in text
        rows = np.arange(len(people))
        people.assign(job=np.where(rows == 5, "pilot", people["job"])).to_csv(
            tmp_path / "pilots.csv", index=False
        )
        text = refused(tmp_path / name, tmp_path / "pilots.csv")
        assert "holds 'pilot', first in row 6, which the model has not seen" in text
        assert "it knows 'clerk', 'nurse', 'smith'" in text
