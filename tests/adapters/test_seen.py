import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from robfair import ThreatModel, boundary_distance

xgboost = pytest.importorskip("xgboost")
RNG = np.random.default_rng(0)
N = 60
AGE = RNG.normal(size=N)


def frame(towns):
    return pd.DataFrame({"age": AGE, "town": pd.Categorical(np.resize(towns, N))})


def rename(X):
    return X.rename(columns={"town": "city"})


KNOWN, UNSEEN = frame(["Ulm", "Bonn", "Kiel"]), frame(["Ulm", "Rom"])
Y = ((AGE > 0) ^ (KNOWN["town"] == "Bonn")).to_numpy().astype(int)
MODELS = {
    "alone": lambda m: m,
    "pipeline": lambda m: make_pipeline(FunctionTransformer(), m),
    "renamed": lambda m: make_pipeline(FunctionTransformer(rename), m),
    "two pipelines": lambda m: make_pipeline(
        FunctionTransformer(), make_pipeline(FunctionTransformer(rename), m)
    ),
    "threshold": lambda m: FixedThresholdClassifier(m, threshold=0.4),
    "calibrated": lambda m: CalibratedClassifierCV(m, cv=2),
    "frozen": lambda m: FrozenEstimator(m.fit(KNOWN, Y)),
    "search": lambda m: GridSearchCV(m, {"max_depth": [1, 2]}, cv=2),
    "voting": lambda m: VotingClassifier([("a", m)]),
    "stacking": lambda m: StackingClassifier([("a", m)], cv=2),
    "threshold over a pipeline": lambda m: FixedThresholdClassifier(
        make_pipeline(FunctionTransformer(rename), m)
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_an_unseen_category_is_refused_wherever_the_model_is(name):
    inner = xgboost.XGBClassifier(n_estimators=3, enable_categorical=True, n_jobs=1)
    model = MODELS[name](inner).fit(KNOWN, Y)
    with pytest.raises(ValueError, match=r"holds 'Rom', which the model has not seen, and XGBoost"):
        boundary_distance(model, UNSEEN)


def test_lightgbm_would_take_it_for_a_gap():
    lightgbm = pytest.importorskip("lightgbm")
    inner = lightgbm.LGBMClassifier(n_estimators=3, min_child_samples=2, verbose=-1, n_jobs=1)
    for model in (inner, make_pipeline(FunctionTransformer(rename), inner)):
        model.fit(KNOWN, Y)
        with pytest.raises(ValueError, match=r"'Rom'.* and LightGBM takes it for a missing value"):
            boundary_distance(model, UNSEEN)
        known = KNOWN[:4].assign(town=KNOWN["town"].where(KNOWN.index != 1))
        assert (boundary_distance(model, known).status == "exact").all()
    booster = inner.fit(KNOWN, Y).booster_
    with pytest.raises(ValueError, match="'Rom'"):
        boundary_distance(booster, UNSEEN)
    inner.fit(KNOWN[["age"]], Y)  # no categories, which then are none of its business
    assert len(boundary_distance(inner, KNOWN[["age"]][:4])) == 4


@pytest.mark.slow
def test_known_categories_pass_behind_a_pipeline():
    inner = xgboost.XGBClassifier(n_estimators=3, enable_categorical=True, n_jobs=1)
    model = MODELS["threshold over a pipeline"](inner).fit(KNOWN, Y)
    result = boundary_distance(model, KNOWN[:4], threat_model=ThreatModel.from_frame(KNOWN))
    assert (result.status != "failed").all()
