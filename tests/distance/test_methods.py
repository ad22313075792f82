"""Which method runs on which model, what each promises, and what is refused."""

from dataclasses import fields

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier
from torch import nn

from oracles import network
from robfair import ThreatModel, boundary_distance
from robfair.distance import METHODS, DistanceOptions
from small_models import AFFINE, RELU, X, Y, small_forest

# --- What "auto" chooses


@pytest.mark.parametrize("method", ["auto", "strong", "exact", "linear"])
@pytest.mark.parametrize("model", AFFINE)
def test_affine_models_are_linear(model, method):
    result = boundary_distance(model, X, method=method)
    assert result.method == "linear"
    assert set(result.status) == {"exact"}
    assert_allclose(result.lower, result.distance, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "method"),
    [
        (RELU, "auto"),
        (network([3, 5, 1]), "auto"),
        (MLPClassifier([4], max_iter=5, random_state=0), "auto"),
        (make_pipeline(StandardScaler(), MLPClassifier([4], max_iter=5, random_state=0)), "auto"),
        (DecisionTreeClassifier(max_depth=3, random_state=0), "exact"),
        (ExtraTreeClassifier(max_depth=3, random_state=0), "exact"),
        (
            make_pipeline(StandardScaler(), DecisionTreeClassifier(max_depth=3, random_state=0)),
            "exact",
        ),
        (
            GridSearchCV(DecisionTreeClassifier(random_state=0), {"max_depth": [2, 3]}, cv=2),
            "exact",
        ),
        (RandomForestClassifier(5, max_depth=3, random_state=0), "exact"),
        (GradientBoostingClassifier(n_estimators=5, random_state=0), "exact"),
        (KNeighborsClassifier(), "decision"),
        (make_pipeline(StandardScaler(), KNeighborsClassifier()), "decision"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_auto_takes_what_suits_the_model(model, method):
    if hasattr(model, "fit"):
        model.fit(X, Y)
    result = boundary_distance(model, X[:6], threat_model=ThreatModel(np.inf))
    same = boundary_distance(model, X[:6], threat_model=ThreatModel(np.inf), method=method)
    assert result.method == same.method == method
    assert_array_equal(result.distance, same.distance)
    status = {"auto": "found", "exact": "exact", "decision": "found"}[method]
    assert set(result.status) <= {status, "censored"}
    assert status in result.status
    assert (result.lower is None) == (method != "exact")
    if method == "exact":
        assert_allclose(result.lower, result.distance, rtol=1e-9)


# --- What is refused


def refused(match, model=RELU, error=ValueError, data=X[:4], **options):
    with pytest.raises(error, match=match):
        boundary_distance(model, data, **options)


def test_methods_that_do_not_fit_the_model():
    refused('"linear" needs an affine model.*"auto"', method="linear")
    refused(r'layer 1, Tanh\(\).*"auto"', network([3, 5, 3]), method="exact")
    refused('an affine model, a tree, an ensemble.*or a small ReLU.*KNeigh.*"auto"',
            KNeighborsClassifier().fit(X, Y), method="exact")  # fmt: skip
    tree = DecisionTreeClassifier(random_state=0).fit(X, Y)
    for method in ("strong", "linear", "deepfool", "paper"):
        refused("cannot differentiate a model of type Dec", tree, TypeError, method=method)
    for method in ("auto", "decision"):
        refused("only a classifier", LinearRegression().fit(X, Y), TypeError, method=method)
        refused("an instance|not a fitted instance", nn.ReLU, TypeError, method=method)
        refused("cannot get labels from a model of type int", 3, TypeError, method=method)
    refused(f"must be one of {', '.join(METHODS)}", method="cw")


def test_options_that_do_not_fit_the_method():
    for method in ("linear", "exact", "deepfool", "paper"):
        refused(f"budget is for .*got method='{method}'", budget=100, method=method)
    for method in ("auto", "strong", "decision", "deepfool"):
        refused(f"time_limit is for .*got method='{method}'", time_limit=1, method=method)
    for method in ("auto", "strong", "linear", "exact", "decision"):
        for option, value in {"max_iter": 5, "overshoot": 0.1, "n_candidates": 1}.items():
            refused(f"{option} is for method=\"deepfool\" or \"paper\"; got method='{method}'",
                    method=method, **{option: value})  # fmt: skip
    for limit in (0, -1.0, np.nan):
        refused("time_limit must be a positive", time_limit=limit, method="exact")
    refused("budget must be at least 1; got 0", budget=0)
    refused("integer", error=TypeError, budget=50.5)
    for model in (KNeighborsClassifier().fit(X, Y), lambda data: data[:, 0] > 0):
        refused("certify=True needs a model with logits.*'decision'", model, certify=True)
    refused("certify=True needs a model with logits", method="decision", certify=True)
    for random_state in (-1, "one"):
        refused("random_state must be", random_state=random_state)


def test_labels_that_the_model_does_not_know():
    for model in (LogisticRegression().fit(X, Y), small_forest()):
        refused(r"does not know: \[7\].*0 1", model, y=[0, 1, 7, 1])
    refused(r"does not know: \[3\]", y=[0, 1, 3, 1])
    refused("inconsistent numbers", small_forest(), y=[0, 1])
    refused("out of bounds|leaves the bounds", small_forest(),
            threat_model=ThreatModel(bounds=(0, 0.1)))  # fmt: skip


# --- The registry


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_each_entry_is_complete(method):
    assert method is METHODS[method.name]
    assert set(method.uses) <= {field.name for field in fields(DistanceOptions)}
    assert set(method.checked_by) <= set(METHODS) - {method.name}
    for (_, threat), runner in method.runners.items():
        if isinstance(runner, str):  # which must be able to take the case over
            assert any(threat == other for _, other in METHODS[runner].runners)
        else:
            assert set(runner.uses or ()) <= set(method.uses)


@pytest.mark.parametrize(
    ("model", "method", "proof"),
    [
        (AFFINE[0], "auto", "exact"),
        (DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, Y), "auto", "exact"),
        (RELU, "exact", "exact"),
        (RELU, "auto", "upper bound"),
        (small_forest(), "auto", "exact"),
        (small_forest(), "decision", "upper bound"),
        (RELU, "deepfool", "upper bound"),
        (RELU, "paper", "neither"),
    ],
)
def test_what_a_method_proves_is_what_its_status_says(model, method, proof):
    result = boundary_distance(model, X[:4], method=method)
    assert METHODS[result.method].proves == proof
    assert ("exact" in result.status) == (proof == "exact")
