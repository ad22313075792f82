import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from numpy.testing import assert_array_equal

from robfair import metrics
from robfair._validation import check_confidence, check_vector, to_array
from robfair.metrics import classifier_robustness, robustness_curve, robustness_score

Y, P, D, G = [0, 0, 1, 1], [0, 0, 1, 0], [1.0, 3.0, 2.0, 0.5], ["a", "a", "b", "b"]

WITH_GROUPS = [
    metrics.group_robustness,
    metrics.classifier_robustness,
    metrics.robustness_variance,
    metrics.robustness_dispersion,
    metrics.worst_group_robustness,
    metrics.robustness_gap,
    metrics.group_robustness_curves,
    metrics.robustness_curve,
]


@pytest.mark.parametrize("container", [list, tuple, np.array, pd.Series, pl.Series, torch.tensor])
def test_to_array_of_any_container(container):
    assert_array_equal(to_array(container([1.0, 2.0])), [1.0, 2.0])


def test_to_array_of_a_tensor_that_requires_a_gradient():
    assert_array_equal(to_array(torch.ones(2, requires_grad=True)), [1.0, 1.0])


def test_missing_label_in_a_list_of_strings_stays_missing():
    assert pd.isna(to_array(["a", np.nan])[1])


@pytest.mark.parametrize("measure", WITH_GROUPS)
@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"y_pred": [0, 1]}, ValueError, "y_pred has 2 samples and y_true has 4"),
        ({"distance": [1.0]}, ValueError, "distance has 1 samples and y_true has 4"),
        (
            {"sensitive_features": ["a"]},
            ValueError,
            "sensitive_features has 1 samples and y_true has 4",
        ),
        ({"y_true": []}, ValueError, "y_true is empty"),
        ({"y_true": [[0], [0], [1], [1]]}, ValueError, r"y_true must .* list of shape \(4, 1\)"),
        ({"y_pred": np.eye(4)}, ValueError, r"y_pred must .* ndarray of shape \(4, 4\)"),
        ({"y_true": 3}, ValueError, r"y_true must .* int of shape \(\)"),
        ({"y_true": [0, 0, 1, None]}, ValueError, "y_true is missing .* 1 of 4"),
        ({"y_pred": [0, np.nan, 1, np.nan]}, ValueError, "y_pred is missing .* 2 of 4"),
        ({"y_true": ["0", "0", "1", "1"]}, TypeError, "string labels and y_pred integer labels"),
        ({"distance": None}, TypeError, "distance is None.*boundary_distance"),
        ({"distance": [1.0, -2.0, 3.0, -0.5]}, ValueError, "negative for 2 of 4.*least is -2"),
        ({"distance": [1.0, np.nan, 3.0, np.nan]}, ValueError, "NaN for 1 of 3 correctly"),
        ({"distance": ["near", "far", "x", "y"]}, TypeError, "distance must hold numbers"),
        ({"distance": [[1.0, 3.0, 2.0, 0.5]]}, ValueError, r"distance must .* shape \(1, 4\)"),
        ({"tau_max": 0}, ValueError, "tau_max must be a positive, finite distance; got 0"),
        ({"tau_max": -1.0}, ValueError, "tau_max must be"),
        ({"tau_max": np.inf}, ValueError, "tau_max must be .* got inf"),
        ({"tau_max": np.nan}, ValueError, "tau_max must be .* got nan"),
    ],
)
def test_wrong_argument(measure, changed, error, message):
    good = {"y_true": Y, "y_pred": P, "distance": D, "sensitive_features": G}
    with pytest.raises(error, match=message):
        measure(**{**good, **changed})


@pytest.mark.parametrize("measure", [robustness_score, *WITH_GROUPS])
def test_distance_is_required(measure):
    more = {} if measure is robustness_score else {"sensitive_features": G}
    with pytest.raises(TypeError, match="distance"):
        measure(Y, P, **more)


@pytest.mark.parametrize("measure", [m for m in WITH_GROUPS if m is not robustness_curve])
def test_sensitive_features_are_required(measure):
    with pytest.raises(TypeError, match="sensitive_features"):
        measure(Y, P, distance=D)
    with pytest.raises(TypeError, match="sensitive_features is None"):
        measure(Y, P, distance=D, sensitive_features=None)


def test_keywords_only():
    with pytest.raises(TypeError, match="positional"):
        classifier_robustness(Y, P, D, G)


@pytest.mark.parametrize("measure", [metrics.robustness_variance, metrics.robustness_dispersion])
@pytest.mark.parametrize("ddof", [2, -1, None, 0.5])
def test_wrong_ddof(measure, ddof):
    with pytest.raises(ValueError, match="ddof must be 0"):
        measure(Y, P, distance=D, sensitive_features=G, ddof=ddof)


def test_nan_and_nothing_else_is_ignored_where_the_prediction_is_wrong():
    assert robustness_score(Y, P, distance=[1.0, 3.0, 2.0, np.nan]) == 1.5
    assert robustness_score(Y, P, distance=[1.0, 3.0, 2.0, np.inf]) == 1.5


def test_labels_of_any_type_are_compared():
    text = ["no", "no", "yes", "yes"]
    assert robustness_score(text, np.array(text), distance=D) == np.mean(D)
    assert robustness_score(pd.Categorical(text), text, distance=D) == np.mean(D)
    assert robustness_score([True, False], [1, 0], distance=[1, 2]) == 1.5
    assert robustness_score([1, 0], [1.0, 0.0], distance=[1, 2]) == 1.5


def test_nullable_distance():
    distance = pd.array([1.0, 3.0, 2.0, None], dtype="Float64")
    assert robustness_score(Y, P, distance=distance) == 1.5


def test_check_vector_names_the_type_that_it_got():
    with pytest.raises(ValueError, match="a dict of shape"):
        check_vector({"a": 1}, "distance", 1)


def test_warnings_point_at_the_caller():
    with pytest.warns(UserWarning, match="infinite") as record:
        classifier_robustness(Y, P, distance=[np.inf] * 4, sensitive_features=G)
    assert record[0].filename == __file__


def test_the_room_is_a_leaf():
    import subprocess
    import sys

    code = (
        "import sys, types; sys.modules['robfair'] = r = types.ModuleType('robfair');"
        f"r.__path__ = [{str(metrics.__path__[0]).rsplit('/', 1)[0]!r}];"
        "import robfair.metrics; print(*{'torch', 'sklearn'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_confidence_is_a_probability():
    check_confidence(0.95)
    check_confidence(None)
    for wrong in (0, 1, 95, np.nan):
        with pytest.raises(ValueError, match=r"between 0 and 1; got .* or None for no intervals"):
            check_confidence(wrong)
    with pytest.raises(ValueError, match=r"got None\. Pass 0\.95, say\.$"):
        check_confidence(None, none=False)
