"""Warnings name the line of the user, not one of robfair's."""

import threading
import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from robfair import audit
from robfair._warnings import each_once, warn, warn_undefined
from robfair.datasets import make_group_margins
from robfair.exceptions import UndefinedMetricWarning
from robfair.metrics import robustness_dispersion, robustness_gini, worst_group_robustness


def test_the_line_of_the_caller_is_named():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn("careful", UndefinedMetricWarning)
    assert [w.filename for w in caught] == [__file__]
    assert caught[0].category is UndefinedMetricWarning


def test_frames_of_robfair_are_passed_over():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        worst_group_robustness(
            [0, 1], [0, 1], distance=[float("inf"), 1.0], sensitive_features=["a", "b"]
        )
    assert [w.filename for w in caught] == [__file__]


def test_each_once():
    @each_once()
    def measured():
        for message in ("a", "b", "a"):
            warn(message, UndefinedMetricWarning)
        inner()

    @each_once()
    def inner():
        warn("b", UndefinedMetricWarning)
        warn("b", UserWarning)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        measured()
        measured()
        warn("a", UndefinedMetricWarning)
    assert [str(w.message) for w in caught] == ["a", "b", "b"] * 2 + ["a"]
    assert {w.filename for w in caught} == {__file__}


def told(call):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    assert {w.filename for w in caught} <= {__file__}
    return [str(w.message) for w in caught]


def test_what_a_cause_leaves_undefined_is_told_in_one_sentence():
    @each_once()
    def measured():
        for subject in ("V_f", "The gap", "V_f", "The ratio"):
            warn_undefined(subject, "too few.")
        warn_undefined("Gini", "too many.")

    several = "V_f, the gap and the ratio are undefined and NaN is returned: too few."
    one = "Gini is undefined and NaN is returned: too many."
    assert told(measured) == [several, one]
    assert told(lambda: warn_undefined("Gini", "too many.")) == [one]


def test_what_another_warning_explains_is_not_told():
    @each_once()
    def measured(error=False):
        warn_undefined("Gini", "it is zero.", "zero")
        warn_undefined("V_f", "it is one.", "one")
        warn("the labels are wrong", UserWarning, explains="zero")
        if error:
            raise ZeroDivisionError

    explained = "the labels are wrong"
    assert told(measured) == [explained, "V_f is undefined and NaN is returned: it is one."]
    with pytest.raises(ZeroDivisionError), pytest.warns(UserWarning, match=explained) as record:
        measured(error=True)  # which says more than what would have been undefined
    assert len(record) == 1
    assert len(told(measured)) == 2  # of the call that failed nothing is left


@pytest.mark.parametrize("measure", [robustness_dispersion, robustness_gini])
def test_a_measure_of_rows_that_are_all_wrong_warns_once(measure):
    y, groups = np.zeros(12, int), np.repeat(["a", "b"], 6)
    options = {"distance": 1.0 + y, "sensitive_features": groups, "confidence_level": 0.9}
    (message,) = told(lambda: measure(y, 1 - y, **options))
    assert message.startswith("no prediction of 12 is right")


@pytest.mark.parametrize("certify", [False, True])
def test_an_audit_of_one_group_tells_so_once_for_all_measures(certify):
    data = make_group_margins(60, random_state=0)
    model = LogisticRegression().fit(data.X, data.y)
    one = np.zeros(60, int)
    assert told(lambda: audit(model, data.X, data.y, sensitive_features=one, certify=certify)) == [
        "V_f, CV, the gap, the ratio and Gini are undefined and NaN is returned: there is only one "
        "group (0) to compare. Use data of two or more."
    ]


def test_an_audit_of_labels_the_wrong_way_round_warns_once():
    data = make_group_margins(60, random_state=0)
    model = LogisticRegression().fit(data.X, data.y)
    y = 1 - model.predict(data.X)  # CV, ratio, Gini and intervals are undefined for this reason
    (message,) = told(lambda: audit(model, data.X, y, sensitive_features=data.groups))
    assert message.startswith("no prediction of 60 is right")


def test_other_threads_are_not_silenced():
    with warnings.catch_warnings(record=True) as caught, each_once():
        warnings.simplefilter("always")
        warn("a", UndefinedMetricWarning)
        thread = threading.Thread(target=warn, args=("a", UndefinedMetricWarning))
        thread.start()
        thread.join()
    assert len(caught) == 2
