"""Warnings name the line of the user, not one of robfair's."""

import warnings

from robfair._warnings import warn
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
