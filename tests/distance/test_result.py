import copy
import pickle
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_array_equal
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from robfair import BoundaryDistance, ThreatModel, boundary_distance
from robfair.datasets import load_adult

STATUS = np.array(["found", "censored", "skipped", "found", "exact"])


def result(distance=(1.0, np.inf, np.nan, 2.0, 6.0), status=STATUS):
    n = len(distance)
    return BoundaryDistance(
        distance=np.array(distance),
        lower=None,
        predicted=np.zeros(n, dtype=int),
        status=np.array(status),
        adversarial=None,
        method="deepfool",
        threat_model=ThreatModel(norm=np.inf),
        n_forward=np.ones(n, dtype=np.int32),
        n_backward=np.ones(n, dtype=np.int32),
    )


def test_len_is_the_number_of_samples():
    assert len(result()) == 5


def test_counts_leave_out_what_does_not_occur():
    assert result().counts() == {"found": 2, "exact": 1, "censored": 1, "skipped": 1}
    assert result([np.inf], ["censored"]).counts() == {"censored": 1}


def test_repr_says_how_the_mean_came_about():
    assert repr(result()) == (
        "BoundaryDistance(5 samples: 2 found, 1 exact, 1 censored, 1 skipped; "
        "mean distance 3; method='deepfool', ThreatModel(norm=inf))"
    )
    assert "mean distance none" in repr(result([np.inf], ["censored"]))


def test_frozen_pickled_and_copied():
    original = result()
    with pytest.raises(AttributeError):
        original.method = "linear"
    for other in (pickle.loads(pickle.dumps(original)), copy.deepcopy(original)):
        assert_array_equal(other.distance, original.distance)
        assert other.threat_model == original.threat_model


def test_as_rows_says_what_changed_and_what_was_not_searched():
    X = pd.DataFrame({"age": [30, 40, 50], "income": [1.0, 2.0, 4.0]}, index=["a", "b", "c"])
    scale = StandardScaler().fit(X)
    threat_model = ThreatModel.from_transformer(scale, X, sensitive_features="income")
    points = scale.transform(X.assign(age=33))
    points[1:] = np.nan
    found = replace(
        result([1.0, np.inf, np.nan], ["found", "censored", "skipped"]),
        adversarial=points,
        threat_model=threat_model,
        X=X,
    )
    rows = found.as_rows()
    assert rows["changed"].to_dict() == {
        "a": "age 30 -> 33",
        "b": "no change found",
        "c": "not searched: the model is wrong here",
    }
    assert rows["age"].tolist() == [33, pd.NA, pd.NA]
    assert rows.loc["a", "income"] == 1
    for change in ({"adversarial": None}, {"X": None}):
        with pytest.raises(ValueError, match="return_adversarial=True"):
            replace(found, **change).as_rows()
    with pytest.raises(ValueError, match=r"ThreatModel\.from_transformer"):
        replace(found, threat_model=ThreatModel()).as_rows()


def test_the_rows_written_down_are_predicted_differently():
    data, target = load_adult(return_X_y=True)
    X, y = data.iloc[:400], target.iloc[:400]
    encode = make_column_transformer(
        (OneHotEncoder(drop="first"), make_column_selector(dtype_include="category")),
        remainder=StandardScaler(),
    )
    model = make_pipeline(encode, LogisticRegression(max_iter=500)).fit(X, y)
    threat_model = ThreatModel.from_transformer(
        model[:-1], X, mutable=["hours-per-week", "capital-gain", "occupation"]
    )
    X = X.iloc[:30]
    found = boundary_distance(model, X, threat_model=threat_model)
    rows = found.as_rows()
    moved = rows.pop("changed") != "no change found"
    assert moved.sum() > 20
    goal = rows[moved].astype(X.dtypes)
    assert (model.predict(goal) != found.predicted[moved]).all()
    stay = X.columns.difference(["hours-per-week", "capital-gain", "occupation"])
    pd.testing.assert_frame_equal(goal[stay], X.loc[moved, stay])


def test_a_notebook_sees_the_quantiles_and_a_figure_the_shares():
    shown = result()._repr_html_()
    assert "2 found, 1 exact, 1 censored, 1 skipped" in shown
    cells = re.findall(r">([0-9.]+)</td>", shown)
    assert cells == ["1", "1.5", "2", "4", "6", "3"]  # quantiles and mean of 1, 2 and 6
    ax = result().plot(ax=Figure().subplots())
    share = dict(zip(*ax.lines[0].get_data(), strict=True))
    assert share == {0.0: 1.0, 1.0: 0.75, 2.0: 0.5, 6.0: 0.25}  # the censored one is farther
    assert "unknown" in result([np.nan], np.array(["skipped"]))._repr_html_()
