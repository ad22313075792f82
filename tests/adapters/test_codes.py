"""Columns of codes are not perturbed by fractions, unless they are declared or held."""

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder

from robfair import ThreatModel, boundary_distance
from robfair.adapters import as_labels, check_codes
from robfair.threat import Block

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame({"x": RNG.normal(size=200), "c": RNG.choice([10, 20, 30], 200)})
Y = (FRAME["x"] + np.where(FRAME["c"] == 20, 2.5, -1.0) > 0).astype(int).to_numpy()
DECLARED = ThreatModel(categories=[Block((1,), codes=[[10], [20], [30]])])
VALUES = FRAME.to_numpy()
HELD = ThreatModel(mutable=[True, False])


def wrapped(encoder):
    """A Pipeline with an encoder, inside of a classifier that hides it."""
    encode = make_column_transformer((encoder, ["c"]), remainder="passthrough")
    return CalibratedClassifierCV(make_pipeline(encode, LogisticRegression()), cv=2).fit(FRAME, Y)


def function():
    encode = make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["c"]))
    pipeline = make_pipeline(encode, LogisticRegression()).fit(FRAME, Y)
    return lambda X: pipeline.predict(pd.DataFrame(X, columns=["x", "c"]))


CODED = {
    "native": lambda: HistGradientBoostingClassifier(
        max_iter=20, categorical_features=[1], min_samples_leaf=5
    ).fit(FRAME, Y),
    "unknown ignored": lambda: wrapped(OneHotEncoder(handle_unknown="ignore")),
    "unknown refused": lambda: wrapped(OneHotEncoder()),
    "ordinal": lambda: wrapped(
        OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-9)
    ),
    "function": function,
}


@pytest.mark.parametrize("case", CODED)
def test_codes(case):
    model = CODED[case]()
    with pytest.raises(ValueError, match=r"takes column ('c'|1) for codes.*codes=\[\[10\], \[20\]"):
        boundary_distance(model, FRAME, threat_model=ThreatModel())
    if case != "function":  # which sees arrays
        by_default = boundary_distance(model, FRAME[:3], background=FRAME[:20], budget=10)
        assert by_default.threat_model.table is not None
        assert set(by_default.adversarial[np.isfinite(by_default.distance), 1]) <= {10, 20, 30}
    result = boundary_distance(model, FRAME[:3], threat_model=DECLARED, budget=10)
    points = result.adversarial[np.isfinite(result.distance)]
    assert set(points[:, 1]) <= {10, 20, 30}
    result = boundary_distance(model, FRAME[:3], threat_model=HELD, budget=10)
    moved = result.adversarial - FRAME[:3].to_numpy()
    assert (moved[np.isfinite(result.distance), 1] == 0).all()


def light(X=VALUES, named_by=(1,)):
    """Cuts a fraction of a code off: a hair below a code is another one, a hair above it is not."""
    model = pytest.importorskip("lightgbm").LGBMClassifier(
        n_estimators=10, min_child_samples=5, cat_smooth=1, n_jobs=1, verbose=-1
    )
    return model.fit(X, Y, categorical_feature=list(named_by))


def extreme():
    """Cuts a fraction of a code off, too."""
    return pytest.importorskip("xgboost").XGBClassifier(
        n_estimators=10, n_jobs=1, enable_categorical=True, feature_types=["q", "c"]
    )


BOOSTED = {
    "lightgbm": light,
    "lightgbm by name": lambda: light(FRAME, ["c"]),
    "lightgbm inside": lambda: CalibratedClassifierCV(FrozenEstimator(light())).fit(FRAME, Y),
    "xgboost": lambda: extreme().fit(VALUES, Y),
    "xgboost inside": lambda: BaggingClassifier(
        extreme(), n_estimators=2, random_state=0
    ).fit(VALUES, Y),
}  # fmt: skip


@pytest.mark.parametrize("case", BOOSTED)
def test_codes_of_boosting(case):
    model = BOOSTED[case]()
    X = FRAME if hasattr(model, "feature_names_in_") else VALUES
    with pytest.raises(ValueError, match=r"takes column ('c'|1) for codes.*codes=\[\[10\], \[20\]"):
        boundary_distance(model, X, threat_model=ThreatModel())
    for threat_model in (None, DECLARED):
        result = boundary_distance(model, X[:8], threat_model=threat_model, budget=50)
        found = np.isfinite(result.distance)
        assert found.any()
        points = result.adversarial[found]
        assert set(points[:, 1]) <= {10, 20, 30}
        flipped = pd.DataFrame(points, columns=FRAME.columns) if X is FRAME else points
        assert (model.predict(flipped) != model.predict(X[:8])[found]).all()


def test_numbers_of_boosting():
    model = pytest.importorskip("lightgbm").LGBMClassifier(n_estimators=10, n_jobs=1, verbose=-1)
    assert boundary_distance(model.fit(VALUES, Y), VALUES[:5], budget=20)


def test_codes_of_catboost_are_perturbed_in_a_table_alone():
    model = pytest.importorskip("catboost").CatBoostClassifier(
        iterations=5, verbose=0, allow_writing_files=False, thread_count=1, cat_features=["c"]
    )
    match = r"^what is perturbed is an array of numbers.*CatBoostClassifier.*make_pipeline\(encoder"
    for threat_model in (ThreatModel(), DECLARED, HELD):
        with pytest.raises(ValueError, match=match):
            boundary_distance(model.fit(FRAME, Y), FRAME, threat_model=threat_model)
    result = boundary_distance(model, FRAME[:8])
    assert set(result.adversarial[np.isfinite(result.distance), 1]) <= {10, 20, 30}


def test_whole_numbers_are_not_codes():
    data = np.rint(3 * RNG.normal(size=(200, 3)))
    y = (data[:, 0] + data[:, 1] > 0).astype(int)
    for model in (RandomForestClassifier(5, random_state=0), HistGradientBoostingClassifier()):
        result = boundary_distance(model.fit(data, y), data[:5], budget=20)
        assert result.warnings_ == ()


def test_a_vote_of_forests_is_looked_into():
    """Forests have a length, so that a list of them is not an array of classifiers."""
    X = np.random.default_rng(0).normal(size=(80, 3))
    members = [("a", GradientBoostingClassifier(n_estimators=2)), ("b", RandomForestClassifier(3))]
    model = VotingClassifier(members, voting="soft").fit(X, X[:, 0] > 0)
    check_codes(as_labels(model), X, np.ones(3, dtype=bool))
