"""Which categories the encoders of a model know."""

import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from robfair.cli._csv import MISSING
from robfair.cli._encoders import find_categories, missing_cells

X = pd.DataFrame({"age": [1.0, 2, 3, 4] * 5, "land": ["NA", "01", "", "x"] * 5, "n": [1, 2] * 10})
y = [0, 1, 1, 0] * 5
LANDS = ["", "01", "NA", "x"]
land = ["land"]


@pytest.mark.parametrize(
    "encoder",
    [
        make_column_transformer((OneHotEncoder(), land), (StandardScaler(), ["age", "n"])),
        make_column_transformer((OrdinalEncoder(), [1]), remainder="passthrough"),
        make_column_transformer((OneHotEncoder(), [False, True, False])),
        make_column_transformer((StandardScaler(), ["age"]), remainder=OrdinalEncoder()),
        make_column_transformer((make_pipeline(SimpleImputer(strategy="most_frequent"),
                                               OneHotEncoder()), land)),
        make_column_transformer((make_union(OneHotEncoder()), land)),
        make_column_transformer((TargetEncoder(cv=2), land)),
        OneHotEncoder(),
    ],
)  # fmt: skip
def test_encoders_are_found_wherever_they_stand(encoder):
    pipeline = make_pipeline(encoder, LogisticRegression())
    for model in (pipeline, GridSearchCV(pipeline, {}, cv=2)):
        found = find_categories(model.fit(X, y), list(X.columns))
        assert found["land"] == LANDS
        text = missing_cells(found)
        assert list(text) == ["land"]  # numbers are not
        assert text["land"] == MISSING - set(LANDS)


def test_what_stands_behind_a_change_of_values_is_not_taken_for_the_columns():
    behind = make_pipeline(OrdinalEncoder(), OneHotEncoder(), LogisticRegression()).fit(X, y)
    assert find_categories(behind, list(X.columns))["land"] == LANDS
    scaled = make_pipeline(StandardScaler(), OneHotEncoder(), LogisticRegression())
    assert find_categories(scaled.fit(X[["age"]], y), ["age"]) == {}
    assert find_categories(LogisticRegression().fit(X[["age"]], y), ["age"]) == {}
