"""The options of an audit are checked before anything is measured."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from robfair import audit

X, y = np.array([[0.0], [1.0], [3.0], [4.0]]), np.array([0, 0, 1, 1])
MODEL = LogisticRegression().fit(X, y)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"confidence": 0}, ValueError, "confidence must be between 0 and 1; got 0"),
        ({"confidence": 95}, ValueError, "confidence must be between 0 and 1; got 95"),
        ({"n_check": -1}, ValueError, "n_check must be a number of rows, 0 for none; got -1"),
        ({"examples": -2}, ValueError, "examples must be a number of rows, 0 for none; got -2"),
        ({"n_check": 1.5}, TypeError, "integer"),
    ],
)
def test_bad_options_come_before_the_distances(options, error, message, monkeypatch):
    monkeypatch.delattr("robfair._cache.measure_distance")
    with pytest.raises(error, match=message):
        audit(MODEL, X, y, sensitive_features=["a", "b", "a", "b"], **options)
