import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from robfair.adapters._steps import has_steps, last_step, without_transformers

X = np.random.default_rng(0).normal(size=(40, 3)) * 5
Y = (X[:, 0] > 0).astype(int)


class Reversed(Pipeline):
    """A Pipeline with an argument and a rule of its own."""

    def __init__(self, steps, sign=-1, *, memory=None, verbose=False):
        super().__init__(steps, memory=memory, verbose=verbose)
        self.sign = sign

    def predict(self, X):
        return (self.sign * self.decision_function(X) > 0).astype(int)


def steps(kind=Pipeline):
    return kind([("scale", StandardScaler()), ("last", LogisticRegression())])


@pytest.mark.parametrize(
    "model",
    [
        steps(),
        make_pipeline(StandardScaler(), steps()),
        GridSearchCV(steps(), {}, cv=2),
        make_pipeline(StandardScaler(), GridSearchCV(LogisticRegression(), {}, cv=2)),
        steps(Reversed),
        GridSearchCV(steps(Reversed), {}, cv=2),
        make_pipeline(StandardScaler(), steps(Reversed)),
    ],
)
def test_a_model_is_its_transformers_and_what_predicts_after_them(model):
    model.fit(X, Y)
    before = dict(vars(model))
    transform, last = last_step(model)
    assert type(last) is LogisticRegression
    assert has_steps(model)
    tail = without_transformers(model)
    assert_array_equal(tail.predict(transform(X)), model.predict(X))
    assert vars(model) == before


def test_other_models_have_no_steps():
    model = LogisticRegression()
    assert not has_steps(model)
    assert last_step(model) == (None, model)
    assert without_transformers(model) is model
