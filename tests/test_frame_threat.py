import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from robfair._frame_threat import frame_threat_model

rng = np.random.default_rng(0)
CODES = pd.DataFrame({"x": rng.normal(size=80), "c": rng.choice([10, 20, 30], 80)})
Y = (CODES["x"] + np.where(CODES["c"] == 20, 2.5, -1.0) > 0).astype(int)
GAPS = CODES[["x"]].mask(CODES["x"] > 1)


def calibrated(X, **options):
    encode = make_column_transformer((OneHotEncoder(**options), ["c"]), remainder="passthrough")
    pipeline = make_pipeline(encode, LogisticRegression())
    return CalibratedClassifierCV(pipeline, cv=2).fit(X, Y)


def boosting(X, **options):
    return HistGradientBoostingClassifier(max_iter=3, **options).fit(X, Y)


@pytest.mark.parametrize("options", [{}, {"handle_unknown": "ignore"}], ids=str)
def test_numbers_behind_an_encoder_are_codes(options):
    threat_model = frame_threat_model(calibrated(CODES, **options), CODES)
    (block,) = threat_model.blocks
    assert block.codes.ravel().tolist() == [10, 20, 30]
    assert threat_model.mutable_columns == ("x", "c")


@pytest.mark.parametrize("kind", [pd.DataFrame, np.asarray])
def test_numbers_that_a_model_was_told_to_be_codes(kind):
    X = kind(CODES.astype(float))
    threat_model = frame_threat_model(boosting(X, categorical_features=[1]), X)
    assert [block.columns for block in threat_model.blocks] == [(1,)]


def backwards(X):
    return X[X.columns[::-1]]


@pytest.mark.parametrize("told", ["from_dtype", ["c"]], ids=str)
def test_codes_of_a_classifier_whose_columns_a_pipeline_has_moved(told):
    X = CODES.assign(hours=rng.integers(1, 60, 80))[["c", "x", "hours"]]
    if told == "from_dtype":
        X["c"] = X["c"].astype("category")
    last = HistGradientBoostingClassifier(max_iter=3, categorical_features=told)
    model = make_pipeline(FunctionTransformer(backwards), last).fit(X, Y)
    threat_model = frame_threat_model(model, X)
    assert [block.columns for block in threat_model.blocks] == [(0,)]
    assert threat_model.spacing((3,)).tolist() == [0, 0, 1]


@pytest.mark.parametrize("kind", [pd.DataFrame, np.asarray, pl.from_pandas])
def test_gaps_make_a_table(kind):
    X = kind(GAPS)
    threat_model = frame_threat_model(boosting(GAPS.to_numpy()), X)
    assert threat_model.table is not None


def test_integers_and_sensitive_features():
    X = CODES.assign(group=CODES["c"] > 10)
    model = RandomForestClassifier(3, random_state=0).fit(X, Y)
    threat_model = frame_threat_model(model, X, norm=np.inf, sensitive_features=["group"])
    assert threat_model.mutable_columns == ("x", "c")
    assert threat_model.spacing((3,)).tolist() == [0, 1, 0]
    assert threat_model.norm == np.inf


def test_the_range_is_that_of_the_background_too():
    model = LogisticRegression().fit(CODES, Y)
    few = CODES[CODES["c"] < 30]
    for background, high in ((None, 20), (CODES, 30)):
        threat_model = frame_threat_model(model, few, background=background)
        assert threat_model.box((2,))[1][1] == high


@pytest.mark.parametrize(
    ("model", "X"),
    [
        (LogisticRegression().fit(CODES.astype(float), Y), CODES.astype(float)),
        (LogisticRegression().fit(CODES.to_numpy(), Y), CODES.to_numpy()),
        (torch.nn.Linear(2, 2), CODES),
        (lambda X: X[:, 0] > 0, CODES.to_numpy()),
        # These see numbers alone, and robfair says so in its own words later on.
        (LogisticRegression().fit(GAPS.fillna(0), Y), GAPS),
        (RandomForestClassifier(2).fit(CODES, Y), CODES.assign(c="text")),
        (boosting(GAPS.to_numpy()), [[1.0]]),
    ],
    ids=["real", "array", "module", "function", "gaps", "text", "list"],
)
def test_what_is_no_table_to_its_model(model, X):
    assert frame_threat_model(model, X) is None


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (CODES.assign(c=40), r"predict fails on rows of X.*unknown categories \[.*40"),
        (CODES[:1], "no column of the frame can change: in its 1 row"),
        (CODES[["x"]], "X has other columns than the model was fitted on: it lacks column 'c'"),
    ],
    ids=["category", "row", "column"],
)
def test_bad_tables_are_told_in_one_sentence(X, message):
    with pytest.raises(ValueError, match=message) as error:
        frame_threat_model(calibrated(CODES), X)
    assert "\n" not in str(error.value)
