"""Bad input, which is refused before any work."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from refits import N, Ridge, data
from robfair.leave_one_out import leave_one_out


class Untouched(Ridge):
    def fit(self, X, y):
        raise AssertionError("work has started")


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"n_left_out": 31}, ValueError, "between 1 and 30, the number of training .* got 31"),
        ({"n_left_out": 0}, ValueError, "between 1 and 30"),
        ({"n_left_out": 1.5}, TypeError, "integer"),
        ({"left_out": [1, 30]}, ValueError, r"got \[30\]"),
        ({"left_out": [-1]}, ValueError, r"got \[-1\]"),
        ({"left_out": [1, 2, 1]}, ValueError, r"repeats \[1\]"),
        ({"left_out": []}, TypeError, "positions in X"),
        ({"left_out": np.array([], dtype=int)}, ValueError, "left_out is empty"),
        ({"left_out": np.ones(N, dtype=bool)}, TypeError, "got bool of shape"),
        ({"left_out": 3}, TypeError, "use n_left_out"),
        ({"left_out": [0], "sample_weight": [0] + [1] * 29}, ValueError, "weight above 0"),
        ({"left_out": [0], "y": [0] + [1] * 29}, ValueError, "without sample 0, the only one"),
        ({"y": [1] * 30}, ValueError, "one class only"),
        ({"y": np.linspace(0, 1, 30)}, ValueError, "Unknown label type"),
        ({"y": [0, 1]}, ValueError, "inconsistent numbers of samples"),
        ({"groups": ["a"]}, ValueError, "inconsistent numbers of samples"),
        ({"X_test": np.ones((2, 4))}, ValueError, r"of shape \(3,\), not \(4,\)"),
        ({"X_test": np.ones((0, 3))}, ValueError, "no samples"),
        ({"estimator": LinearSVC()}, TypeError, "no method predict_proba"),
        ({"estimator": make_pipeline(LinearSVC())}, TypeError, "no method predict_proba"),
        ({"n_baseline": 1}, ValueError, "takes no random_state"),
        ({"n_baseline": -1}, ValueError, "not be negative"),
    ],
)
def test_bad_input_is_refused_before_work_starts(changed, error, message):
    X, y, X_test = data()
    arguments = {"estimator": Untouched(), "X": X, "y": y, "X_test": X_test, "n_left_out": 3}
    with pytest.raises(error, match=message):
        leave_one_out(**{**arguments, **changed})
