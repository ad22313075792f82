import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, make_scorer
from sklearn.model_selection import cross_validate

from robfair.exceptions import UndefinedMetricWarning
from robfair.metrics import class_accuracy_unfairness

LABELS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=30).filter(
    lambda pairs: len({true for true, _ in pairs}) > 1 and any(t == p for t, p in pairs)
)


@given(LABELS)
@pytest.mark.filterwarnings("ignore::robfair.exceptions.LabelsWarning")  # few are right by chance
def test_definition_1(pairs):
    worst = 0.0
    accuracy = {}
    for c in {true for true, _ in pairs}:
        hits = [true == pred for true, pred in pairs if true == c]
        accuracy[c] = sum(hits) / len(hits)
    for first in accuracy.values():
        for second in accuracy.values():
            worst = max(worst, abs(first - second))
    y_true, y_pred = zip(*pairs, strict=True)
    found = class_accuracy_unfairness(y_true, y_pred)
    assert found == pytest.approx(worst)
    assert 0 <= found <= 1


@pytest.mark.parametrize("container", [list, np.array, pd.Series, pl.Series, torch.tensor])
def test_containers(container):
    assert class_accuracy_unfairness(container([0, 0, 1, 1]), container([0, 1, 1, 1])) == 0.5


@pytest.mark.parametrize("level", [None, 0.9])
def test_one_class(level):
    with pytest.warns(
        UndefinedMetricWarning, match=r"CAU is undefined.*only one group \(1\)"
    ) as record:
        value = class_accuracy_unfairness([1, 1], [1, 0], confidence_level=level)
    assert len(record) == 1
    assert np.isnan(value)
    assert value.interval is None if level is None else np.isnan(value.interval).all()


def test_interval():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [400, 100])
    pred = np.where(rng.random(500) < np.where(y == 0, 0.9, 0.5), y, 1 - y)
    cau = class_accuracy_unfairness(y, pred, confidence_level=0.95)
    matrix = confusion_matrix(y, pred, normalize="true")
    a, b = matrix[0, 0], matrix[1, 1]
    half = 1.96 * np.sqrt(a * (1 - a) / 400 + b * (1 - b) / 100)
    assert cau == pytest.approx(a - b)
    assert cau.interval == pytest.approx((cau - half, cau + half), abs=half / 8)


@pytest.mark.parametrize(
    ("y_true", "y_pred", "error", "message"),
    [
        ([0, 1], [0], ValueError, "y_pred has 1 samples and y_true has 2"),
        ([], [], ValueError, "y_true is empty"),
        ([[0], [1]], [0, 1], ValueError, r"y_true must .* shape \(2, 1\)"),
        ([0, 1], [[0.5, 0.5], [0.1, 0.9]], ValueError, r"y_pred must .* shape \(2, 2\)"),
        ([0.0, np.nan], [0, 1], ValueError, "y_true is missing"),
        (["a", "b"], [0, 1], TypeError, "string labels and y_pred integer"),
    ],
)
def test_wrong_arguments(y_true, y_pred, error, message):
    with pytest.raises(error, match=message):
        class_accuracy_unfairness(y_true, y_pred)


def test_scorer():
    X, y = make_classification(150, n_classes=3, n_informative=4, random_state=0)
    scorer = make_scorer(class_accuracy_unfairness, greater_is_better=False)
    scores = cross_validate(
        LogisticRegression(), X, y, scoring=scorer, cv=3, error_score="raise", n_jobs=1
    )["test_score"]
    assert scores.shape == (3,)
    assert ((scores <= 0) & (scores >= -1)).all()
    model = LogisticRegression().fit(X, y)
    assert scorer(model, X, y) == -class_accuracy_unfairness(y, model.predict(X))
