import joblib
import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC
from torch import nn

from robfair import NaturalClassifier
from robfair.adapters import LabelModel, as_labels, as_logits

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3))
Y = np.array(["low", "mid", "top"])[np.digitize(X[:, 0] + X[:, 1] ** 2, [0, 1.2])]

CLASSIFIERS = [
    RandomForestClassifier(5, random_state=0),
    HistGradientBoostingClassifier(max_iter=5),
    SVC(),
    KNeighborsClassifier(),
    CalibratedClassifierCV(GaussianNB(), cv=2),
    VotingClassifier([("a", GaussianNB()), ("b", KNeighborsClassifier())]),
    GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [1, 3]}, cv=2),
    LogisticRegression(),
]


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("model", CLASSIFIERS, ids=lambda m: type(m).__name__)
def test_classifiers(model, named):
    data = pd.DataFrame(X, columns=["a", "b", "c"]) if named else X
    fitted = model.fit(data, Y)
    adapted = as_labels(fitted)
    inputs = adapted.inputs(data)
    assert isinstance(inputs, np.ndarray)
    assert_array_equal(adapted.predict(inputs), fitted.predict(data))
    assert_array_equal(adapted.classes, ["low", "mid", "top"])
    assert_array_equal(adapted.labels(np.array([2, 0])), ["top", "low"])
    assert adapted.transform is None
    assert hasattr(adapted.estimator, "predict")


def test_pipeline_is_transformed_once():
    data = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": np.where(X[:, 2] > 0, "x", "y")})
    prepare = make_column_transformer((StandardScaler(), ["a", "b"]), (OneHotEncoder(), ["c"]))
    for output in ("default", "pandas"):
        prepare.set_output(transform=output)
        if output == "pandas":
            prepare.set_params(onehotencoder__sparse_output=False)
        inner = make_pipeline(StandardScaler(with_mean=False), SVC())
        pipeline = make_pipeline(prepare, inner).fit(data, Y)
        adapted = as_labels(pipeline)
        inputs = adapted.inputs(data)
        assert inputs.shape == (80, 4)
        assert_array_equal(adapted.predict(inputs), pipeline.predict(data))
        assert adapted.estimator is inner[-1]
    assert as_labels(make_pipeline(SVC()).fit(X, Y)).transform is None


def test_what_has_logits_has_labels():
    net = NaturalClassifier(hidden_layer_sizes=[4], max_epochs=2, random_state=0).fit(X, Y)
    adapted = as_labels(net)
    assert adapted.estimator is net
    module = net.module_
    codes = np.searchsorted(net.classes_, net.predict(X))
    assert_array_equal(adapted.predict(X), net.predict(X))
    assert_array_equal(as_labels(as_logits(net)).predict(X), net.predict(X))
    assert_array_equal(as_labels(module).predict(X), codes)
    assert as_labels(module).classes is None
    assert_array_equal(as_labels(module).labels(codes), codes)
    images = as_labels(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)))
    assert images.predict(np.zeros((5, 1, 2, 2))).shape == (5,)


def test_a_function():
    adapted = as_labels(lambda X: np.where(X[:, 0] > 0, "up", "down"))
    assert as_labels(adapted) is adapted
    assert_array_equal(adapted.predict(np.array([[1.0], [-1.0]])), ["up", "down"])
    assert adapted.classes is None
    assert adapted.estimator is None
    assert isinstance(adapted, LabelModel)
    assert adapted.dtype == torch.float64
    assert adapted.tensor(np.zeros((2, 3), dtype=np.float32)).dtype == torch.float64
    assert adapted.inputs(np.zeros((2, 3), dtype=np.float32)).dtype == np.float32
    with pytest.raises(ValueError, match="NaN"):
        adapted.inputs([[np.nan]])
    listed = as_labels(lambda X: ["a"] * len(X))
    assert_array_equal(listed.predict(X[:2]), ["a", "a"])


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (lambda X: np.zeros((len(X), 2)), r"ndarray of shape \(80, 2\)"),
        (lambda X: X[0, 0] > 0, r"shape \(\)"),
        (lambda X: np.zeros(len(X) - 1), r"shape \(79,\)"),
        (lambda X: None, r"NoneType"),
    ],
)
def test_functions_that_return_something_else(function, what):
    with pytest.raises(ValueError, match=what):
        as_labels(function).predict(X)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (RandomForestRegressor(2), "a regressor"),
        (KMeans(2, n_init=1), "a clusterer"),
        (IsolationForest(n_estimators=2), "an outlier detector"),
        (make_pipeline(StandardScaler(), RandomForestRegressor(2)), "a regressor"),
    ],
)
def test_what_is_no_classifier(model, kind):
    model.fit(X, X[:, 0])
    with pytest.raises(TypeError, match=f"is {kind}.*> threshold"):
        as_labels(model)


def test_other_errors():
    with pytest.raises(NotFittedError):
        as_labels(RandomForestClassifier())
    with pytest.raises(NotFittedError):
        as_labels(make_pipeline(StandardScaler(), SVC()))
    with pytest.raises(TypeError, match="the class SVC"):
        as_labels(SVC)
    with pytest.raises(TypeError, match="type int"):
        as_labels(3)
    with pytest.raises(TypeError, match="passthrough"):
        as_labels(make_pipeline(StandardScaler(), "passthrough").fit(X))
    several = KNeighborsClassifier().fit(X, np.stack([Y, Y], axis=1))
    with pytest.raises(TypeError, match="several outputs"):
        as_labels(several)
    search = GridSearchCV(GaussianNB(), {}, refit=False, cv=2).fit(X, Y)
    with pytest.raises(TypeError, match="refit=False"):
        as_labels(search)


class Foreign:
    """Like a classifier of another library: no tags, no check of its own."""

    def predict(self, X):
        return X[:, 0] > 0


def test_a_foreign_object_with_predict():
    assert_array_equal(as_labels(Foreign()).predict(X), X[:, 0] > 0)


def test_one_class_has_no_boundary():
    forest = RandomForestClassifier(2).fit(X, np.full(len(X), "low"))
    with pytest.raises(
        ValueError, match="knows one class only, 'low': it has no decision boundary"
    ):
        as_labels(forest)


@pytest.mark.parametrize("outside", [{}, {"backend": "threading", "n_jobs": 3}])
def test_an_estimator_predicts_without_workers(outside):
    """In threads a forest adds up its trees in any order, and a tied row has a class by chance."""

    class Asks(ClassifierMixin, BaseEstimator):
        classes_ = np.arange(3)

        def __sklearn_is_fitted__(self):
            return True

        def predict(self, X):
            return np.full(len(X), joblib.effective_n_jobs(-1))

    with joblib.parallel_config(**{"backend": "loky", **outside}):
        assert as_labels(Asks()).predict(np.zeros((2, 1))).tolist() == [1, 1]
