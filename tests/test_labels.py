import enum

import numpy as np
import pandas as pd
import pytest

from robfair.exceptions import LabelsWarning
from robfair.metrics import (
    class_accuracy_unfairness,
    class_robustness_unfairness,
    robustness_score,
    robustness_variance,
)

Y = np.array([0, 1] * 6)
TEXT = np.array(["<=50K", ">50K"])
D = np.linspace(0.1, 1.2, 12)


class Income(enum.Enum):
    LOW = 0
    HIGH = 1


def v_f(y_true, y_pred):
    return robustness_variance(y_true, y_pred, distance=D, sensitive_features=list("abc") * 4)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "error", "message"),
    [
        (Y, np.where(Y, 0.9, 0.1), ValueError, r"y_pred holds fractions such as 0\.1.*predict"),
        (Y, np.where(Y, 0.9, 0.0), ValueError, "y_pred holds fractions"),  # some are 0
        (np.where(Y, 0.9, 0.1), Y, ValueError, "y_true holds fractions"),
        (Y.astype(bool), np.where(Y, 2.5, -1.5), ValueError, "y_pred holds fractions"),
        (Y, Y + 5, ValueError, "no label is in both"),
        (TEXT.astype("S")[Y], TEXT[Y], TypeError, "bytes labels and y_pred string labels"),
        (np.array(["<=50K.", ">50K."])[Y], TEXT[Y], ValueError, "no label is in both"),
        (np.array(["<=50K.", ">50K."])[Y], ["<=50K"] * 12, ValueError, "no label is in both"),
        (np.array(["<=50K", ">50K "])[Y], TEXT[Y], ValueError, "'>50K ' .* '>50K', which look"),
        (np.array(["Jos\u00e9", "x"])[Y], np.array(["Jose\u0301", "x"])[Y], ValueError, "alike"),
        (Y.astype(bool), np.array(["False", "True"])[Y], TypeError, "boolean labels and y_pred"),
        (Y.astype(str), Y, TypeError, "string labels and y_pred integer"),
        (pd.Series(Y.astype(str), dtype="category"), Y, TypeError, "string labels and y_pred int"),
        (np.array([0, "1"], dtype=object)[Y], Y, TypeError, "y_true mixes numbers and strings"),
        (Y, np.array(["0", True], dtype=object)[Y], TypeError, "y_pred mixes numbers and strings"),
        ([Income(i) for i in Y], Y, TypeError, "mixed labels and y_pred integer"),
        ([Income(i) for i in Y], [Income(i).name for i in Y], TypeError, "y_pred string labels"),
        (np.ma.masked_array(Y, mask=Y == 1), Y, ValueError, "y_true is missing .* for 6 of 12"),
        (pd.Series(Y, dtype="int64[pyarrow]").where(Y == 0), Y, ValueError, "y_true is missing"),
    ],
)
def test_labels_that_cannot_match(y_true, y_pred, error, message):
    for y in (y_true, list(y_true)):
        with pytest.raises(error, match=message):
            v_f(y, y_pred)
    with pytest.raises(error, match=message):
        class_accuracy_unfairness(y_true, y_pred)
    with pytest.raises(error, match=message):
        class_robustness_unfairness(y_true, y_pred, least_eps=D)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "message"),
    [
        (Y, 1 - Y, r"no prediction of 12 is right.* y_true holds \[0, 1\] and y_pred \[1, 0\]"),
        ([1] * 12, [0] * 12, "no prediction of 12 is right"),
        (2 * Y - 1, Y, r"y_pred never says \[-1\], and y_true never \[0\]"),
        (Y + 1, Y, "no prediction of 12 is right"),
        (np.tile([1, 3, 3], 4), np.tile([1, 0, 0], 4), r"never says \[3\].* never \[0\]"),
        (np.array(["no", "yes"])[Y], np.array(["no", "Yes"])[Y], "same coding"),
    ],
)
def test_labels_that_hardly_match(y_true, y_pred, message):
    with pytest.warns(LabelsWarning, match=message) as record:
        v_f(y_true, y_pred)
    assert len(record) == 1


@pytest.mark.parametrize(
    ("y_true", "y_pred"),
    [
        (Y, Y.astype(float)),
        (Y, Y.astype(bool)),
        (Y.astype(np.uint8), pd.array(Y, dtype="Int64")),
        (TEXT[Y], pd.Series(TEXT[Y], dtype="string")),
        (TEXT[Y].astype(object), TEXT[Y]),
        (Y + 0.5, Y + 0.5),
        ([Income(i) for i in Y], [Income(i) for i in Y]),
        (np.ma.masked_array(Y, mask=False), Y),
        (np.tile([0, 1, 2, 3], 3), np.tile([0, 1, 2, 2], 3)),  # a rare class is never predicted
    ],
)
def test_labels_that_match(y_true, y_pred):
    right = np.equal(list(y_true), list(y_pred))
    robustness = [np.where(right, D, 0)[i::3].mean() for i in range(3)]
    assert v_f(y_true, y_pred) == pytest.approx(np.var(robustness))


def test_all_of_one_group_may_be_wrong():
    """As where fairlearn's MetricFrame takes the measure group by group."""
    assert robustness_score([1] * 12, [0] * 12, distance=D) == 0
    assert robustness_score([3, 5], [1, 2], distance=[1.0, 1.0]) == 0
    with pytest.raises(ValueError, match="fractions"):
        robustness_score([1] * 12, [0.5] * 12, distance=D)
