"""Scores, and labels that cannot match, are refused with the reason."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression

from robfair import audit, boundary_distance

X, Y = make_classification(60, 4, n_informative=3, n_redundant=0, random_state=1)
MODEL = LogisticRegression().fit(X, Y)
TEXT = np.array(["no", "yes"])


class Predictor:
    """Like a booster, or a network of Keras: no tags and no classes."""

    def __init__(self, predict):
        self.predict = predict


SCORES = {
    "decision_function": MODEL.decision_function,
    "probability": lambda X: MODEL.predict_proba(X)[:, 1],
    "one column": lambda X: MODEL.predict_proba(X)[:, 1:],
}


@pytest.mark.parametrize("n", [3, 60])
@pytest.mark.parametrize("case", SCORES)
def test_scores(case, n):
    for model in (SCORES[case], Predictor(SCORES[case])):
        with pytest.raises(ValueError, match=r"returns scores such as.*> threshold"):
            boundary_distance(model, X[:n])
    with pytest.raises(ValueError, match="returns scores such as"):
        audit(SCORES[case], X, Y, sensitive_features=Y)


@pytest.mark.parametrize(
    "decide",
    [
        lambda labels: labels.astype(float),
        lambda labels: labels[:, None],  # CatBoost, of three classes and more
        lambda labels: labels == 1,
        lambda labels: np.where(labels, 0.5, 1.5),
        lambda labels: TEXT.astype(object)[labels],
    ],
    ids=["float", "column", "bool", "halves", "objects"],
)
def test_labels(decide):
    result = boundary_distance(lambda X: decide(MODEL.predict(X)), X[:4], budget=20)
    assert len(set(result.predicted)) <= 2
    assert result.predicted.shape == (4,)


MISMATCHED = {
    "numbers for text": (TEXT[Y], Y, "integer labels and predict string labels"),
    "text for numbers": (Y, Y.astype(str), "string labels and predict integer labels"),
    "bytes for text": (TEXT[Y], np.array([b"no", b"yes"])[Y], "bytes labels and predict string"),
    "with a dot": (TEXT[Y], np.array(["no.", "yes."])[Y], "no label is in both"),
    "with a blank": (TEXT[Y], np.array(["no", "yes "])[Y], "'yes ' and predict 'yes', which look"),
    "probabilities": (Y, np.where(Y, 0.9, 0.1), "y holds fractions such as 0.1, and predict whole"),
}


@pytest.mark.parametrize("case", MISMATCHED)
def test_labels_that_cannot_match(case):
    fitted, y, message = MISMATCHED[case]
    model = LogisticRegression().fit(X, fitted)
    with pytest.raises(ValueError, match=r"does not know.*its classes are"):
        boundary_distance(model, X, y=y)
    with pytest.raises((TypeError, ValueError), match=message):
        boundary_distance(lambda X: model.predict(X), X, y=y)


def test_labels_that_match_in_another_type():
    for y in (Y.astype(bool), Y.astype(float), Y.astype(object)):
        counts = boundary_distance(MODEL, X, y=y).counts()
        assert counts == boundary_distance(MODEL, X, y=Y).counts()
    wrong = boundary_distance(lambda X: np.zeros(len(X), int), X[:3], y=[1, 1, 1])
    assert wrong.counts() == {"skipped": 3}


@pytest.mark.parametrize("rows", [5, 60])
def test_scores_of_a_model_that_tells_its_classes(rows):
    """As LightGBM's classifier returns them for an objective of the user's."""
    lightgbm = pytest.importorskip("lightgbm")
    X, y = make_classification(200, 4, random_state=0)
    model = lightgbm.LGBMClassifier(
        n_estimators=3, verbose=-1, objective=lambda y, score: (score - y, np.ones(len(y)))
    ).fit(X, y)
    with (
        pytest.warns(UserWarning, match="Returning raw scores instead"),
        pytest.raises(ValueError, match=r"returns .*, which is not one of the classes 0, 1 that"),
    ):
        boundary_distance(model, X[:rows])
