"""Warnings name the line of the user, not one of robfair's."""

import threading
import warnings

from robfair._warnings import each_once, warn
from robfair.exceptions import UndefinedMetricWarning
from robfair.metrics import worst_group_robustness


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


def test_other_threads_are_not_silenced():
    with warnings.catch_warnings(record=True) as caught, each_once():
        warnings.simplefilter("always")
        warn("a", UndefinedMetricWarning)
        thread = threading.Thread(target=warn, args=("a", UndefinedMetricWarning))
        thread.start()
        thread.join()
    assert len(caught) == 2
