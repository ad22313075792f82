"""Gaps of a table stay gaps, whatever an imputer or an encoder puts in their place."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from robfair import ThreatModel, boundary_distance
from tables import people

FULL = people(150)
y = ((FULL["age"] > 50) ^ (FULL["job"] == "cook")).to_numpy().astype(int)
GAPS = FULL.drop(columns="income").assign(
    age=FULL["age"].where(np.arange(150) % 5 > 0),
    job=FULL["job"].where(np.arange(150) % 4 > 0),
    race=FULL["race"].where(np.arange(150) % 3 > 0),
)


def fitted(last):
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["age"]),
        (OneHotEncoder(), ["job", "member"]),  # to which a gap is a category
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()), ["race"]),
    )
    return make_pipeline(encode, last).fit(GAPS, y)


@pytest.mark.slow
@pytest.mark.parametrize(
    "last",
    [
        LogisticRegression(),
        MLPClassifier((8,), max_iter=3000, random_state=0),
        RandomForestClassifier(15, random_state=0),
        GaussianNB(),
    ],
    ids=lambda last: type(last).__name__,
)
def test_none_appears_and_none_goes(last):
    model, columns = fitted(last), list(GAPS.columns)
    found = boundary_distance(model, GAPS, y=y)
    flipped = np.isfinite(found.distance)
    assert flipped.any()
    rows = found.as_rows()[flipped]
    assert_array_equal(rows[columns].isna(), GAPS[flipped].isna())
    after = model.predict(rows[columns].astype(GAPS.dtypes))
    assert (after != found.predicted[flipped]).all()


def test_rows_with_a_gap_are_those_whose_column_is_held():
    model = fitted(LogisticRegression())
    whole = boundary_distance(model, GAPS)
    for gaps in ([], ["age"], ["job", "race"]):
        here = (GAPS.isna() == GAPS.columns.isin(gaps)).all(axis=1).to_numpy()
        assert here.any()
        others = ThreatModel.from_transformer(model[:-1], GAPS, sensitive_features=gaps)
        alone = boundary_distance(model, GAPS[here], threat_model=others)
        assert_allclose(whole.distance[here], alone.distance)


def test_where_nothing_is_left_to_change_no_row_is_found():
    model = fitted(LogisticRegression())
    age = ThreatModel.from_transformer(model[:-1], GAPS, mutable="age")
    found = boundary_distance(model, GAPS, threat_model=age, y=y)
    gap = GAPS["age"].isna().to_numpy() & (found.status != "skipped")
    assert set(found.status[gap]) == {"censored"}
    assert np.isnan(found.adversarial[gap]).all()
    assert_array_equal(found.predicted, model.predict(GAPS))
    assert np.isfinite(found.distance).any()


def test_a_background_with_gaps():
    model = fitted(GaussianNB())
    found = boundary_distance(model, GAPS.iloc[:12], background=GAPS, budget=100)
    flipped = np.isfinite(found.distance)
    rows = found.as_rows()[flipped]
    assert_array_equal(rows[list(GAPS.columns)].isna(), GAPS[:12][flipped].isna())
