from itertools import product

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neural_network import MLPClassifier

from robfair import ThreatModel, audit, boundary_distance
from tables import NORMS

JOBS = pd.CategoricalDtype(["cook", "clerk", "nurse"])


def workers(n=24, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(
        {
            "hours": rng.integers(0, 6, n).astype(float),
            "age": rng.integers(2, 7, n).astype("int8"),
            "job": pd.Series(rng.choice(JOBS.categories, n), dtype=JOBS),
            "member": rng.random(n) < 0.5,
        }
    )
    X.loc[::4, "hours"] = np.nan
    X.loc[::5, "job"] = np.nan
    return X


def rule(X):
    """Predict from columns, of which each must have the dtype that it had."""
    assert X.dtypes.astype(str).tolist() == ["float64", "int8", "category", "bool"]
    assert X["job"].dtype == JOBS
    job = X["job"].map({"cook": 0.0, "clerk": 1.0, "nurse": 3.0}).astype(float).fillna(1.5)
    score = X["hours"].fillna(2.5) + X["age"] + job + 2 * X["member"]
    return np.where(score > 8, "yes", "no")


def least_costs(X, threat_model):
    """Least cost of all rows that could exist and are predicted differently."""
    norm, unit = threat_model.norm, threat_model.unit
    out = []
    for i in range(len(X)):
        row, label = X.iloc[[i]], rule(X.iloc[[i]])[0]
        held = row.iloc[0]
        hours = range(6) if not pd.isna(held["hours"]) else [np.nan]
        jobs = JOBS.categories if not pd.isna(held["job"]) else [np.nan]
        values = list(product(hours, range(2, 7), jobs, [False, True]))
        others = pd.DataFrame(values, columns=X.columns).astype(X.dtypes)
        costs = np.stack(
            [
                (others["hours"] - held["hours"]).fillna(0).abs() / unit[0],
                (others["age"] - held["age"]).abs() / unit[1],
                ((others["job"] != held["job"]) & others["job"].notna()).astype(float),
                (others["member"] != held["member"]).astype(float),
            ]
        )
        cost = np.linalg.norm(costs, norm, axis=0)
        out.append(cost[rule(others) != label].min(initial=np.inf))
    return np.array(out)


@pytest.mark.parametrize("norm", NORMS)
def test_the_least_cost_of_all_rows_that_could_exist(norm):
    X = workers()
    X.loc[0, ["hours", "age"]] = 5.0, 2  # so that the frame has the whole range
    X.loc[1, ["hours", "age"]] = 0.0, 6
    X = X.astype({"age": "int8"})
    threat_model = ThreatModel.from_frame(X, norm=norm)
    result = boundary_distance(rule, X, threat_model=threat_model)
    assert_allclose(result.distance, least_costs(X, threat_model), rtol=1e-12)
    codec = threat_model.table
    start = codec.encode(X)
    assert_array_equal(np.isnan(result.adversarial), np.isnan(start))
    assert threat_model.valid(start, result.adversarial).all()
    rows = result.as_rows()
    assert (rule(rows.drop(columns="changed")) != result.predicted).all()
    assert rows.drop(columns="changed").dtypes.equals(X.dtypes)


@pytest.mark.slow
@pytest.mark.parametrize("columns", [["x", "c"], ["x"], ["g", "x"]])
def test_boosting_with_native_categories_and_gaps(columns):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=200), "c": pd.Categorical(rng.choice(list("uvw"), 200))})
    X["g"] = X["x"].mask(X["x"] > 1) + rng.normal(size=200)
    y = (X["x"] + (X["c"] == "u") > 0).astype(int)
    X = X[columns]
    model = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype").fit(X, y)
    threat_model = ThreatModel.from_frame(X)
    result = boundary_distance(model, X[:40], threat_model=threat_model)
    rows = result.as_rows().drop(columns="changed")
    by_labels = boundary_distance(
        model, X[:40], method="decision", threat_model=threat_model, background=X, budget=200
    )
    # Points lie inside of a leaf by 1e-9 of the unit of each column.
    assert (result.distance <= by_labels.distance + 1e-8).all()
    found = result.status == "exact"
    assert found.mean() > 0.9
    assert (model.predict(rows[found]) != result.predicted[found]).all()
    assert_array_equal(rows[found].isna(), X[:40][found].isna())
    assert (result.distance > 1e-6).all()
    groups = np.array(["a", "b"])[np.arange(200) % 2]
    told = audit(
        model, X, y, sensitive_features=groups, threat_model=threat_model, n_check=5, budget=50
    )
    assert told.settings["mutable"] == ", ".join(columns)
    assert told.settings["space"] == "the columns of X"
    assert (told.examples["label after"] != told.examples["label"]).all()


@pytest.mark.slow
def test_numbers_without_gaps_keep_their_gradients():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"i": rng.integers(0, 50, 40), "x": rng.normal(size=40)})
    model = MLPClassifier((8,), solver="lbfgs", random_state=0).fit(X, X["i"] + 5 * X["x"] > 25)
    threat_model = ThreatModel.from_frame(X)
    strong = boundary_distance(model, X, threat_model=threat_model, method="strong")
    labels = boundary_distance(model, X, threat_model=threat_model, method="decision", budget=300)
    assert (strong.n_backward > 0).any()
    assert (strong.distance <= labels.distance * (1 + 1e-5)).all()
    assert_allclose(strong.distance.mean(), labels.distance.mean(), rtol=0.1)
    gaps = X.assign(i=X["i"].where(X["i"] != X["i"].max()))
    with pytest.raises(ValueError, match=r"MLPClassifier.predict fails on rows.*NaN"):
        boundary_distance(model, gaps, threat_model=ThreatModel.from_frame(gaps))


def test_a_table_in_other_dtypes_is_refused_where_they_matter():
    X = workers()
    frame = X.assign(member=X["member"].astype("boolean"))

    def by_dtype(X):
        return (X["member"].dtype == bool) & (X["age"] > 3)

    with pytest.raises(ValueError, match=r"another label for .* rows of X once they are in"):
        boundary_distance(by_dtype, X, threat_model=ThreatModel.from_frame(frame))


def test_what_a_model_does_not_predict_is_one_sentence():
    X = workers()

    def picky(X):
        if (X["job"] == "nurse").sum() > 20:
            raise KeyError("too many\nnurses")
        return X["age"] > 3

    with pytest.raises(ValueError, match=r"function.predict fails on rows.*KeyError: 'too many"):
        boundary_distance(picky, X, threat_model=ThreatModel.from_frame(X))
    with pytest.raises(ValueError, match="Linear sees numbers, and the table holds text"):
        boundary_distance(torch.nn.Linear(4, 2), X, threat_model=ThreatModel.from_frame(X))


def test_integers_that_are_codes_of_the_model_are_refused_and_named():
    X = workers().assign(kind=np.arange(24) % 3 * 10)

    def known(X):
        return X["kind"].isin([0, 20]) ^ (X["age"] > 4)

    with pytest.raises(ValueError, match=r"takes column 'kind' for codes.*categories=\['kind'\]"):
        boundary_distance(known, X, threat_model=ThreatModel.from_frame(X))
    threat_model = ThreatModel.from_frame(X, categories=["kind"])
    assert boundary_distance(known, X, threat_model=threat_model).distance.max() <= 1
