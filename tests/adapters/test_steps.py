import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from robfair import boundary_distance
from robfair.adapters._steps import has_steps, last_step, without_transformers
from robfair.attacks import attack

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


class Sampler(BaseEstimator):
    """A step of imbalanced-learn's, which takes part in fit alone."""

    def fit_resample(self, X, y):
        return X, y


class SamplingPipeline(Pipeline):
    """Passes samplers by, as the Pipeline of imbalanced-learn does."""

    def predict(self, X):
        for _, step in self.steps[:-1]:
            X = step.transform(X) if hasattr(step, "transform") else X
        return self.steps[-1][1].predict(X)


@pytest.mark.slow
@pytest.mark.parametrize("place", [0, 1])
def test_samplers_are_passed_by(place):
    plain = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    steps = list(plain.steps)
    steps.insert(place, ("sampler", Sampler()))
    model, expected = SamplingPipeline(steps), boundary_distance(plain, X)
    for method in ("auto", "decision"):
        distance = boundary_distance(model, X, method=method).distance
        assert_allclose(distance, boundary_distance(plain, X, method=method).distance)
    assert_array_equal(boundary_distance(model, X).predicted, expected.predicted)
    assert attack(model, X, eps=float(expected.distance.max()) * 1.1).success.all()


def test_a_sampler_alone_before_the_classifier():
    classifier = LogisticRegression().fit(X, Y)
    model = SamplingPipeline([("sampler", Sampler()), ("classifier", classifier)])
    expected = boundary_distance(classifier, X).distance
    assert_array_equal(boundary_distance(model, X).distance, expected)
