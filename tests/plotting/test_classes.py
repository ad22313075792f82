"""Accuracy of the classes, with Wilson's interval from its formula."""

import numpy as np
import pandas as pd
import pytest

from robfair.exceptions import GroupsWarning
from robfair.plotting import ClassAccuracyDisplay

TRUE = ["cat"] * 40 + ["dog"] * 10
PRED = ["cat"] * 30 + ["dog"] * 10 + ["dog"] * 10


def wilson(k, n, z):
    middle = (k + z**2 / 2) / (n + z**2)
    half = z / (n + z**2) * np.sqrt(k * (n - k) / n + z**2 / 4)
    return middle - half, middle + half


@pytest.mark.parametrize(("confidence", "z"), [(0.95, 1.959964), (0.9, 1.644854)])
def test_numbers_by_hand(confidence, z):
    display = ClassAccuracyDisplay.from_predictions(TRUE, PRED, confidence=confidence)
    assert display.by_class["size"].to_dict() == {"cat": 40, "dog": 10}
    assert display.by_class["accuracy"].to_dict() == {"cat": 0.75, "dog": 1.0}
    for name, k, n in (("cat", 30, 40), ("dog", 10, 10)):
        ends = display.by_class.loc[name, ["lower", "upper"]].astype(float)
        assert ends.tolist() == pytest.approx(wilson(k, n, z), abs=1e-6)
    assert display.cau == 0.25


def test_marks_and_words():
    display = ClassAccuracyDisplay.from_predictions(TRUE, PRED, name="a model").plot()
    assert [t.get_text() for t in display.ax_.get_yticklabels()] == ["cat (n=40)", "dog (n=10)"]
    assert [t.get_text() for t in display.ax_.get_legend().get_texts()] == [
        "CAU = 0.25", "95 % interval (Wilson)", "accuracy", "hollow: n < 30"
    ]  # fmt: skip
    full, hollow = display.dots_
    assert (full.get_xdata()[0], hollow.get_xdata()[0]) == (0.75, 1.0)
    assert hollow.get_markerfacecolor() == "white"
    (span,) = display.ax_.patches
    assert (span.get_x(), span.get_width()) == (0.75, 0.25)
    assert display.ax_.get_title() == "a model"


def test_a_declared_class_without_samples_is_left_out():
    true = pd.Categorical(TRUE, categories=["cat", "dog", "unicorn"])
    with pytest.warns(GroupsWarning, match="unicorn") as record:
        display = ClassAccuracyDisplay.from_predictions(true, PRED)
    assert len(record) == 1
    assert list(display.by_class.index) == ["cat", "dog"]


def test_a_confidence_in_percent_is_refused():
    with pytest.raises(ValueError, match="confidence must be between 0 and 1; got 95"):
        ClassAccuracyDisplay.from_predictions(TRUE, PRED, confidence=95)
