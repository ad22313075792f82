"""Three users, from fit to report: boosters as people save them, with categories and gaps."""

import re

import numpy as np
import pytest
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pytestmark = pytest.mark.usefixtures("read_here")

COLUMNS = ["age", "hours", "job"]
CATBOOST = {"iterations": 10, "depth": 3, "verbose": 0, "allow_writing_files": False}


def with_gaps(people):
    rng = np.random.default_rng(0)
    frame = people.copy()
    for name in ("age", "job"):
        frame[name] = frame[name].where(rng.random(len(frame)) > 0.1)
    return frame


def report_of(shell_audit, tmp_path, *words):
    code, out, err = shell_audit(*words, "--html", str(tmp_path / "audit.html"))
    assert code == 0
    assert err == f"report: {tmp_path / 'audit.html'}\n"
    assert "Rows that could exist; may change: age, hours," in " ".join(out.split())
    assert "distance: exact" in out
    html = (tmp_path / "audit.html").read_text()
    assert re.search(r"(age|hours|job) [^<]* -&gt; ", html)  # rows that flip, in words
    return out


@pytest.mark.slow
def test_xgboost_with_categories_from_parquet(shell_audit, people, tmp_path):
    xgboost = pytest.importorskip("xgboost")
    table = people.astype({"job": "category"})
    model = xgboost.XGBClassifier(n_estimators=10, max_depth=3, enable_categorical=True)
    model.fit(table[COLUMNS], (people["income"] == "high").astype(int))
    model.save_model(tmp_path / "model.ubj")
    table.to_parquet(tmp_path / "t.parquet")
    words = (tmp_path / "model.ubj", tmp_path / "t.parquet")
    told = "0 is 'high', 1 is 'low' (the other way round: --classes 'low,high')"
    code, out, _ = shell_audit(*words)
    assert code == 0
    assert told in out
    assert "Are the labels the right way round?" in " ".join(out.split())
    out = report_of(shell_audit, tmp_path, *words, "--classes", "low,high")
    assert "the right way round" not in " ".join(out.split())


@pytest.mark.slow
def test_lightgbm_with_gaps_from_csv(shell_audit, people, tmp_path):
    lightgbm = pytest.importorskip("lightgbm")
    table = with_gaps(people)
    model = lightgbm.LGBMClassifier(n_estimators=10, min_child_samples=5, verbose=-1)
    model.fit(table[COLUMNS].astype({"job": "category"}), (people["income"] == "low").astype(int))
    model.booster_.save_model(tmp_path / "model.txt")
    table.to_csv(tmp_path / "t.csv", index=False)
    report_of(shell_audit, tmp_path, tmp_path / "model.txt", tmp_path / "t.csv")


@pytest.mark.slow
def test_catboost_behind_a_pipeline(shell_audit, refused, people, tmp_path):
    catboost = pytest.importorskip("catboost")
    table = with_gaps(people)
    steps = make_column_transformer(
        (SimpleImputer(strategy="constant", fill_value="none"), ["job"]),
        (StandardScaler(), ["age", "hours"]),
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    model = make_pipeline(steps, catboost.CatBoostClassifier(cat_features=["job"], **CATBOOST))
    skops.io.dump(model.fit(table[COLUMNS], people["income"]), tmp_path / "model.skops")
    table.to_csv(tmp_path / "t.csv", index=False)
    code, _, err = shell_audit(tmp_path / "model.skops", tmp_path / "t.csv")
    assert code == 2
    trust = err.split("add: ")[1].split()
    assert "catboost.core.CatBoostClassifier" in trust
    report_of(shell_audit, tmp_path, tmp_path / "model.skops", tmp_path / "t.csv", *trust)


@pytest.mark.slow
def test_a_category_that_catboost_has_not_seen_is_named(shell_audit, people, tmp_path):
    catboost = pytest.importorskip("catboost")
    model = catboost.CatBoostClassifier(cat_features=["job"], **CATBOOST)
    model.fit(people[COLUMNS], people["income"]).save_model(str(tmp_path / "model.cbm"))
    rows = np.arange(len(people))
    pilots = people.assign(job=np.where(rows == 5, "pilot", people["job"]))
    pilots.to_parquet(tmp_path / "t.parquet")
    code, _, err = shell_audit(tmp_path / "model.cbm", tmp_path / "t.parquet")
    assert code == 0
    assert "holds 'pilot', and the model treats that like a category" in " ".join(err.split())
    code, _, err = shell_audit(tmp_path / "model.cbm", "people.parquet")
    assert (code, err) == (0, "")
