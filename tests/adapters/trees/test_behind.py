"""Trees behind transformers, by the leaves in which rows end that go through these."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder, StandardScaler

from robfair import ThreatModel, boundary_distance
from robfair.adapters import as_labels, of_table
from robfair.adapters.trees import UnreadableTrees, is_tree_ensemble, read_trees
from tree_rows import edge_rows

ENCODER = OrdinalEncoder(
    handle_unknown="use_encoded_value", unknown_value=np.nan, encoded_missing_value=np.nan
)
NUMBERS = ["age", "pay"]
NAMED = {"remainder": "passthrough", "verbose_feature_names_out": False}


def people(dtype=object, n=300):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n),
            "job": rng.choice(["cook", "nurse", "smith", "judge"], n),
            "pay": rng.normal(size=n).round(2),
        }
    )
    y = (X.age / 30 + X.job.isin(["cook", "judge"]) * 1.2 + X.pay > 2.2).astype(int)
    X.loc[rng.random(n) < 0.1, "pay"] = np.nan
    X.loc[rng.random(n) < 0.1, "job"] = None
    return X.astype({"job": dtype}), y


def boosted(**settings):
    return HistGradientBoostingClassifier(max_iter=6, random_state=0, **settings)


def catboost():
    library = pytest.importorskip("catboost")
    return library.CatBoostClassifier(
        iterations=10, depth=3, verbose=False, allow_writing_files=False, thread_count=1,
        random_seed=0, cat_features=["job"], max_ctr_complexity=1,
    )  # fmt: skip


def with_text():
    frames = make_column_transformer((StandardScaler(), NUMBERS), **NAMED)
    return frames.set_output(transform="pandas")


PIPELINES = {
    "scaled gaps": lambda: (make_column_transformer((StandardScaler(), NUMBERS)), boosted()),
    "falling": lambda: (
        make_column_transformer((FunctionTransformer(np.negative), NUMBERS)),
        boosted(),
    ),
    "indicator": lambda: (
        make_column_transformer((SimpleImputer(add_indicator=True), NUMBERS)),
        RandomForestClassifier(6, max_depth=4, random_state=0),
    ),
    "codes": lambda: (
        make_column_transformer((ENCODER, ["job"]), (StandardScaler(), NUMBERS)),
        boosted(categorical_features=[0]),
    ),
    "categories": lambda: (with_text(), boosted(categorical_features="from_dtype")),
    "CatBoost": lambda: (
        make_column_transformer(
            (SimpleImputer(strategy="constant", fill_value="none"), ["job"]), **NAMED
        ).set_output(transform="pandas"),
        catboost(),
    ),
}  # fmt: skip


def behind(steps, X):
    """Return what trees are read from, in the columns of X, and the values of its codes."""
    table = ThreatModel.from_frame(X).table
    model = of_table(steps, as_labels(steps), X, table)
    return model.estimator, model.categories, table


def people_at_edges(ensemble, categories):
    """Rows on both sides of every split, with gaps in all columns but the years."""
    codes = {j: [code for code, v in enumerate(c) if v is not None] for j, c in categories.items()}
    rows = edge_rows(ensemble, 2000, codes=codes)
    rows[:, 0] = np.rint(rows[:, 0])  # years
    gaps = np.random.default_rng(1).random(rows.shape) < 0.1
    rows[gaps & [False, True, True]] = np.nan
    return rows


@pytest.mark.parametrize("name", PIPELINES)
def test_leaves(name):
    X, y = people("category" if name == "categories" else object)
    steps = make_pipeline(*PIPELINES[name]()).fit(X, y)
    source, categories, table = behind(steps, X)
    assert is_tree_ensemble(source)
    ensemble = read_trees(source, categories)
    rows = people_at_edges(ensemble, categories)
    assert_array_equal(ensemble.predict(rows), steps.predict(table.decode(rows)))


def wrapped():
    encoder = make_column_transformer((ENCODER, ["job"]), (StandardScaler(), NUMBERS))
    return make_pipeline(encoder, boosted(categorical_features=[0]))


def forests():
    """Forests behind Pipelines of their own, as members."""
    encoder = make_column_transformer((ENCODER, ["job"]), (StandardScaler(), NUMBERS))
    forest = RandomForestClassifier(4, max_depth=4, random_state=0)
    return [
        ("a", make_pipeline(encoder, forest)),
        ("b", make_pipeline(make_column_transformer((StandardScaler(), NUMBERS)), forest)),
    ]


SIZES = {"histgradientboostingclassifier__max_iter": [3, 5]}
WRAPPERS = {
    "frozen": lambda X, y: FrozenEstimator(wrapped().fit(X, y)),
    "fixed": lambda X, y: FixedThresholdClassifier(wrapped(), threshold=0.4),
    "tuned": lambda X, y: TunedThresholdClassifierCV(wrapped(), cv=3),
    "calibrated": lambda X, y: CalibratedClassifierCV(wrapped(), ensemble=False, cv=3),
    "calibrated later": lambda X, y: CalibratedClassifierCV(
        FrozenEstimator(wrapped().fit(X, y)), ensemble=False, method="isotonic"
    ),
    "threshold on a curve": lambda X, y: FixedThresholdClassifier(
        CalibratedClassifierCV(wrapped(), ensemble=False, cv=3), threshold=0.4
    ),
    "soft votes": lambda X, y: VotingClassifier(forests(), voting="soft", weights=[2, 1]),
    "stack": lambda X, y: StackingClassifier(forests(), cv=2),
    "search inside": lambda X, y: FixedThresholdClassifier(
        GridSearchCV(wrapped(), SIZES, cv=2), threshold=0.6
    ),
    "search outside": lambda X, y: GridSearchCV(
        FixedThresholdClassifier(wrapped()), {"threshold": [0.3, 0.6]}, cv=2
    ),
    "steps on both sides": lambda X, y: make_pipeline(
        FunctionTransformer(lambda X: X.assign(age=X.age / 7)),
        FixedThresholdClassifier(wrapped(), threshold=0.4),
    ),
    "forest": lambda X, y: FixedThresholdClassifier(
        make_pipeline(*PIPELINES["indicator"]()), threshold=0.4
    ),
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_a_pipeline_inside_of_something(name):
    X, y = people()
    model = WRAPPERS[name](X, y).fit(X, y)
    source, categories, table = behind(model, X)
    assert is_tree_ensemble(source)
    ensemble = read_trees(source, categories)
    rows = people_at_edges(ensemble, categories)
    assert not ensemble.differs(rows, model.predict(table.decode(rows))).any()
    assert boundary_distance(model, X[:3]).method == "exact"


def test_a_pipeline_that_decides_by_a_rule_of_its_own():
    class Strict(Pipeline):
        def predict_proba(self, X):
            return super().predict_proba(X) ** 2

    X, y = people()
    model = FixedThresholdClassifier(Strict(wrapped().steps), threshold=0.4).fit(X, y)
    source, categories, _ = behind(model, X)
    with pytest.raises(UnreadableTrees, match=r"Strict\.predict_proba is not that of scikit-learn"):
        read_trees(source, categories)


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (KNNImputer(), "mix columns"),
        (FunctionTransformer(np.exp), "map column [02] by no affine function"),
        (FunctionTransformer(lambda x: x.where(x > 0)), "leave gaps in column"),
    ],
)
def test_unreadable(step, reason):
    X, y = people()
    X = X[NUMBERS] / [20, 1]
    source, categories, _ = behind(make_pipeline(step, boosted()).fit(X, y), X)
    with pytest.raises(UnreadableTrees, match=reason.replace("[02]", "[01]")):
        read_trees(source, categories)


@pytest.mark.slow
def test_distances():
    X, y = people("category")
    model = boosted(categorical_features="from_dtype")
    model = make_pipeline(with_text(), model).fit(X, y)
    rows = X[:8]
    found = boundary_distance(model, rows)
    assert found.method == "exact"
    assert (found.lower == found.distance).all()
    moved = found.as_rows().drop(columns="changed").astype(X.dtypes)
    assert (model.predict(moved) != model.predict(rows)).all()
    by_labels = boundary_distance(model, rows, method="decision", budget=100)
    step = 0.01 / X.pay.std()  # of the decimal place to which trees keep
    assert (found.distance <= by_labels.distance + 2 * step).all()
