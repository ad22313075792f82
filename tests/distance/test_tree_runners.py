"""Trees as methods: what is read is held against the model, and what cannot be read is said."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from ensembles import splits_of, try_cells
from oracles import check_adversarials
from robfair import ThreatModel, boundary_distance
from robfair import _parallel as parallel
from robfair._problem import as_problem
from robfair.adapters.trees import read_trees
from small_models import RELU, X, Y, small_forest


@pytest.mark.parametrize("norm", [2, np.inf])
def test_forests_are_measured_by_their_leaves(norm):
    model = small_forest()
    threat_model = ThreatModel(norm, bounds="data")
    result = boundary_distance(model, X, y=Y, threat_model=threat_model, certify=True)
    assert result.method == "exact"
    assert set(result.status) <= {"exact", "censored", "skipped"}
    check_adversarials(result, X, model.predict)
    assert_array_equal(result.lower, result.distance)
    by_labels = boundary_distance(model, X, y=Y, threat_model=threat_model, method="decision")
    known = result.status != "skipped"
    assert (result.distance[known] <= by_labels.distance[known] * (1 + 1e-9)).all()


def test_a_budget_leaves_an_interval():
    model = RandomForestClassifier(30, random_state=0).fit(X, Y)
    few = boundary_distance(model, X[:8], budget=1)
    assert "found" in few.status
    assert (few.lower <= few.distance).all()
    timed = boundary_distance(model, X[:8], method="exact", time_limit=1e-9)
    assert_array_equal(timed.status == "exact", timed.lower == timed.distance)


@pytest.mark.parametrize(("n_jobs", "least"), [(2, 0.45), (4, 0.2)])
def test_each_process_has_its_share_of_the_rows(monkeypatch, n_jobs, least):
    sizes = []

    def in_order(function, argument, n, *rest):
        sizes.extend(len(argument(i)) for i in range(n))
        return parallel.in_order(function, argument, n, None)

    monkeypatch.setattr("robfair.distance.trees._distance.in_order", in_order)
    rows = np.random.default_rng(0).normal(size=(3000, X.shape[1]))
    model = GradientBoostingClassifier(n_estimators=2, max_depth=1).fit(X, Y)
    boundary_distance(model, rows)
    done = np.zeros(n_jobs)
    for size in sizes:  # each goes to the process that is free first
        done[done.argmin()] += size
    assert done.min() >= least * len(rows)


def test_trees_that_cannot_be_read_are_measured_by_labels():
    boosting = GradientBoostingClassifier(n_estimators=3, init=LogisticRegression()).fit(X, Y)
    result = boundary_distance(boosting, X[:4])
    assert result.method == "decision"
    assert "cannot be read: it starts from init=LogisticRegression" in result.warnings_[0]
    with pytest.raises(ValueError, match=r'cannot be read.*Use method="auto"'):
        boundary_distance(boosting, X[:4], method="exact")
    with pytest.raises(ValueError, match=r"cannot be read.*Leave out certify=True"):
        boundary_distance(boosting, X[:4], certify=True)


def test_a_network_has_no_use_for_the_budget_of_trees():
    with pytest.raises(ValueError, match=r"budget is for ensembles of trees.*got method='exact'"):
        boundary_distance(RELU, X[:2], method="exact", budget=10)


def test_more_classes_than_two():
    labels = np.array(["a", "b", "c"])[np.digitize(X[:, 0], [-0.5, 0.5])]
    model = GradientBoostingClassifier(n_estimators=4, random_state=0).fit(X, labels)
    result = boundary_distance(model, X)
    check_adversarials(result, X, model.predict)
    assert_allclose(result.lower, result.distance)


# --- Against every row of a table, and every cell where many ties and splits lie on values


def boosting(kind, n_trees):
    """Boosting of few small trees over columns with categories and gaps."""
    if kind == "xgboost":
        return pytest.importorskip(kind).XGBClassifier(
            n_estimators=n_trees, max_depth=3, enable_categorical=True, n_jobs=1
        )
    if kind == "lightgbm":
        return pytest.importorskip(kind).LGBMClassifier(
            n_estimators=n_trees, num_leaves=6, min_child_samples=5, min_data_per_group=2,
            cat_smooth=1, verbose=-1, n_jobs=1,
        )  # fmt: skip
    return HistGradientBoostingClassifier(
        max_iter=n_trees, max_leaf_nodes=6, categorical_features="from_dtype", min_samples_leaf=5
    )


def every_row(model, row, X, threat_model):
    """The costs of all rows that matter, of those that the model predicts differently."""
    problem = as_problem(model, X, None, threat_model, None, "either")
    ensemble = read_trees(problem.model.estimator, problem.model.categories)
    axes = []
    for j, (name, column) in enumerate(X.items()):
        if pd.isna(row[name]):
            axes.append([row[name]])
        elif name == "c":
            axes.append(column.cat.categories)
        elif name == "i":
            axes.append(range(column.min(), column.max() + 1))
        else:
            split = ensemble.split[(ensemble.feature == j) & (ensemble.left_set < 0)]
            ends = np.concatenate([[row[name]], split, np.nextafter(split, np.inf)])
            axes.append(np.unique(ends.clip(column.min(), column.max())))
    rows = pd.DataFrame(list(product(*axes)), columns=X.columns)
    rows["c"] = pd.Categorical(rows["c"], categories=X["c"].cat.categories)
    rows = rows.astype({"x": float, "i": X["i"].dtype, "g": float})
    moves = [(rows[k] - row[k]).fillna(0) / X[k].std(ddof=0) for k in ("x", "i", "g")]
    switched = (rows["c"].astype(object) != row["c"]) & (not pd.isna(row["c"]))
    cost = np.linalg.norm(np.column_stack([*moves, switched]), threat_model.norm, axis=1)
    own = np.ravel(model.predict(pd.DataFrame([row]).astype(X.dtypes)))[0]
    return cost[np.ravel(model.predict(rows)) != own]


@pytest.mark.parametrize("kind", ["scikit-learn", "xgboost", "lightgbm"])
@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize(("norm", "n_classes"), [(2, 2), (np.inf, 3)])
def test_the_nearest_of_all_rows_of_a_table(kind, gaps, norm, n_classes):
    rng = np.random.default_rng(gaps + n_classes)
    data = pd.DataFrame({"x": rng.normal(size=150), "i": rng.integers(0, 6, 150)})
    data["c"] = pd.Categorical(rng.choice(list("uvwxy"), 150))
    data["g"] = rng.normal(size=150)
    score = data["x"] + data["c"].cat.codes % 3 + data["g"] + (data["i"] - 3) * 0.4
    y = np.digitize(score, [1] if n_classes == 2 else [0, 2])
    if gaps:
        data["g"] = data["g"].mask(rng.random(150) < 0.3)
        data.loc[rng.random(150) < 0.1, "c"] = np.nan
    model = boosting(kind, 4 if n_classes == 2 else 2).fit(data, y)
    threat_model = ThreatModel.from_frame(data, norm=norm)
    test = data[:6]
    result = boundary_distance(model, test, threat_model=threat_model)
    assert set(result.status) <= {"exact", "censored"}
    costs = [every_row(model, test.iloc[i], data, threat_model) for i in range(6)]
    assert_allclose(result.distance, [min(cost, default=np.inf) for cost in costs], rtol=1e-6)
    assert_array_equal(result.lower, result.distance)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ties_and_values_on_splits(seed, dtype):
    rng = np.random.default_rng(seed)
    data = np.round(rng.normal(size=(14, 2)), 1)
    y = np.concatenate([[0, 1, 2], rng.integers(0, 3, 11)]) % (2 + seed % 2)
    model = RandomForestClassifier(4, random_state=seed).fit(data, y)  # leaves of one class
    points = data[:8].astype(dtype)
    threat_model = ThreatModel([2, np.inf][seed // 2])
    result = boundary_distance(model, points, threat_model=threat_model)
    splits = [s.astype(dtype).astype(float) for s in splits_of(read_trees(model), 2)]
    steps = [np.nextafter(s.astype(dtype), dtype(side)) for s in splits for side in (-9, 9)]
    splits = [np.unique(np.concatenate([s, *steps]).astype(float)) for s in splits]
    right = try_cells(_InDtype(model, dtype), points.astype(float), threat_model, splits)
    assert_allclose(result.distance, right, rtol=1e-9)
    assert_array_equal(result.lower, result.distance)


class _InDtype:
    def __init__(self, model, dtype):
        self.model, self.dtype = model, dtype

    def predict(self, points):
        return self.model.predict(points.astype(self.dtype))


ENSEMBLES = [
    DecisionTreeClassifier(max_depth=6, random_state=0),
    RandomForestClassifier(20, random_state=0),
    GradientBoostingClassifier(n_estimators=20, random_state=0),
    HistGradientBoostingClassifier(max_iter=20),
]


def scaled(model, places):
    """Return a Pipeline that scales two columns, written to some places, and its table."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "job": rng.choice(list("abc"), 150),
            "income": rng.normal(30, 10, 150).round(places),
            "height": rng.normal(1.7, 0.2, 150).round(places),
        }
    )
    y = X["income"] + 40 * X["height"] + 6 * (X["job"] == "a") + rng.normal(0, 4, 150) > 98
    encode = make_column_transformer(
        (OneHotEncoder(), ["job"]), (StandardScaler(), ["income", "height"])
    )
    return make_pipeline(encode, model).fit(X, y), X


@pytest.mark.parametrize("places", [1, 2, 15])
@pytest.mark.parametrize("model", ENSEMBLES)
def test_rows_behind_a_scaler_flip_once_they_are_written_back(model, places):
    pipeline, X = scaled(model, places)
    result = boundary_distance(pipeline, X)
    assert result.method == "exact"
    assert (result.status == "exact").mean() > 0.9
    rows = result.as_rows().drop(columns="changed").astype(X.dtypes)
    assert (pipeline.predict(rows) != result.predicted).all()
    if places < 15:
        assert_array_equal(rows["height"], rows["height"].round(places))


@pytest.mark.parametrize("model", ENSEMBLES)
def test_a_written_column_moves_to_the_nearest_value_that_flips(model):
    pipeline, X = scaled(model, 2)
    threat_model = ThreatModel.from_transformer(pipeline[:-1], X, mutable="income")
    result = boundary_distance(pipeline, X[:20], threat_model=threat_model)
    rows = result.as_rows()
    values = np.arange(round(100 * X["income"].min()), round(100 * X["income"].max()) + 1) / 100
    for i in range(20):
        tried = pd.DataFrame([X.iloc[i]] * len(values)).assign(income=values)
        flips = pipeline.predict(tried) != result.predicted[i]
        nearest = np.abs(values[flips] - X["income"][i]).min() if flips.any() else np.nan
        moved = abs(rows["income"][i] - X["income"][i])
        # A value in the very middle of two others may be left out: rounding decides its side.
        assert np.isnan([nearest, moved]).all() or nearest - 1e-9 <= moved <= nearest + 0.01 + 1e-9
