"""Confidences and the classes of their columns, through the measure that takes them."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from robfair.exceptions import UndefinedMetricWarning
from robfair.metrics import (
    equalized_odds_unfairness,
    group_confidence,
    leave_one_out_unfairness,
)

Y, P, G = [0, 0, 1, 1], [0.25, 0.5, 0.5, 1.0], ["f", "m", "f", "m"]


def test_absent_class():
    proba = np.array([[0.5, 0.25, 0.25], [0.5, 0.0, 0.5], [0.25, 0.5, 0.25], [0.0, 0.5, 0.5]])
    keywords = {"sensitive_features": list("abab")}
    with pytest.raises(ValueError, match=r"3 classes, and y_true holds 2: \[0, 1\].*labels="):
        equalized_odds_unfairness(Y, proba, **keywords)
    keywords["labels"] = [0, 1, 2]
    assert equalized_odds_unfairness(Y, proba, condition_on=None, **keywords) == 0.25
    table = group_confidence(Y, proba, condition_on=None, **keywords)
    assert table.loc["b", 2] == 0.5
    message = r"2 of 6 .*: 'a' where y_true is 2, 'b' where y_true is 2\."
    with pytest.warns(UndefinedMetricWarning, match=message) as record:
        assert np.isnan(equalized_odds_unfairness(Y, proba, **keywords))
    assert len(record) == 1
    with pytest.warns(UndefinedMetricWarning, match="mean confidence") as record:
        table = group_confidence(Y, proba, **keywords)
    assert len(record) == 1
    assert table.loc[2].isna().all(axis=None)
    assert table.loc[[0, 1]].notna().all(axis=None)


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame])
def test_columns_that_name_the_classes(frame):
    no = np.array(P)
    keywords = {"sensitive_features": G, "condition_on": None}
    ordered, swapped = frame({"no": no, "yes": 1 - no}), frame({"yes": 1 - no, "no": no})
    y = np.array(["no", "yes"])[Y]
    expected = group_confidence(y, ordered, **keywords)
    with pytest.raises(ValueError, match=r"columns of y_proba are \[yes, no\] and the classes \["):
        group_confidence(y, swapped, **keywords)
    named = group_confidence(y, swapped, labels=["yes", "no"], **keywords)
    pd.testing.assert_frame_equal(named[["no", "yes"]], expected)
    plain = pd.DataFrame(swapped.to_numpy())  # numbered by pandas, which names no class
    assert (
        group_confidence(Y, plain, labels=[1, 0], **keywords)[0].tolist() == expected["no"].tolist()
    )


def test_labels_give_the_order_of_the_columns():
    keywords = {"sensitive_features": G, "condition_on": None}
    assert list(group_confidence(Y, P, labels=[1, 0], **keywords).columns) == [0]
    with pytest.raises(ValueError, match=r"2 classes, and y_true holds 1: \[1\]"):
        group_confidence([1] * 4, P, **keywords)
    assert list(group_confidence([1] * 4, P, labels=[0, 1], **keywords).columns) == [1]


def test_rounding_of_a_softmax_is_forgiven():
    found = equalized_odds_unfairness(
        [0, 0, 1, 1], [0.0, 1.0 + 1e-7, -1e-7, 1.0], sensitive_features=G
    )
    assert found == 1.0


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, np.inf])
def test_what_is_not_a_confidence_is_refused(value):
    with pytest.raises(ValueError, match=r"y_proba must lie in \[0, 1\]; 1 of 2 values do not"):
        equalized_odds_unfairness([0, 1], [value, 0.5], sensitive_features=["a", "b"])
    with pytest.raises(ValueError, match=r"y_proba_left_out must lie in \[0, 1\]"):
        leave_one_out_unfairness([0.5, 0.5], [[value, 0.5]])


def test_labels_must_name_every_class_once():
    options = {"sensitive_features": ["a", "b"]}
    with pytest.raises(ValueError, match=r"labels must name 2 different classes .* \[0, 0\]"):
        equalized_odds_unfairness([0, 1], [0.5, 0.5], labels=[0, 0], **options)
    with pytest.raises(ValueError, match=r"y_true holds \[2\], which labels \[0, 1\] do not name"):
        equalized_odds_unfairness([0, 2], [0.5, 0.5], labels=[0, 1], **options)


def test_a_message_lists_at_most_ten_classes():
    with pytest.raises(ValueError, match=r"\[0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more\]"):
        equalized_odds_unfairness(range(12), [0.5] * 12, sensitive_features=["a", "b"] * 6)
