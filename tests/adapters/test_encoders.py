import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from robfair.adapters import known_categories

X = pd.DataFrame({"size": np.arange(60.0) % 7, "code": np.arange(60) % 3 * 10})
y = np.arange(60) // 2 % 2
PIPE = make_pipeline(
    make_column_transformer((OneHotEncoder(), [1]), remainder="passthrough"), LogisticRegression()
)


@pytest.mark.parametrize(
    "model",
    [
        GridSearchCV(PIPE, {}, cv=2),
        CalibratedClassifierCV(PIPE, cv=2),
        CalibratedClassifierCV(FrozenEstimator(PIPE.fit(X, y))),
        FixedThresholdClassifier(PIPE),
        TunedThresholdClassifierCV(PIPE, cv=2),
        VotingClassifier([("a", LogisticRegression()), ("b", PIPE)]),
        StackingClassifier([("a", PIPE)], cv=2),
        BaggingClassifier(PIPE, 2, random_state=0),
        OneVsRestClassifier(PIPE),
        VotingClassifier([("a", CalibratedClassifierCV(GridSearchCV(PIPE, {}, cv=2), cv=2))]),
    ],
    ids=lambda model: type(model).__name__,
)
def test_encoders_inside_of_wrappers(model):
    found = known_categories(model.fit(X, y), [0, 1])
    assert {column: sorted(known) for column, known in found.items()} == {1: [0, 10, 20]}


def test_bagging_of_some_columns():
    pipe = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    model = BaggingClassifier(pipe, 8, max_features=1, random_state=0).fit(X, y)
    assert {j: sorted(known) for j, known in known_categories(model, [0, 1]).items()} == {
        0: [*range(7)],
        1: [0, 10, 20],
    }


def test_a_model_without_encoders():
    assert known_categories(LogisticRegression().fit(X, y), ["size", "code"]) == {}
