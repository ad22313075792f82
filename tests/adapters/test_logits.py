import re
import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.linear_model import LogisticRegression, Perceptron, RidgeClassifier, SGDClassifier
from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, PolynomialFeatures, StandardScaler
from sklearn.svm import SVC, LinearSVC
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import nn

from oracles import check_adversarials, linear_layer, network
from robfair import (
    AdversarialClassifier,
    FarmurClassifier,
    NaturalClassifier,
    ThreatModel,
    boundary_distance,
)
from robfair.adapters import LogitModel, as_logits

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4)) * [1, 2, 0.5, 1] + [0, 1, 3, 0]
SCORE = X[:, 0] + 0.5 * X[:, 1] ** 2 + RNG.normal(size=90)
NAMES = {2: np.array(["yes", "no"]), 3: np.array(["c", "a", "b"])}
LABELS = {
    k: NAMES[k][np.searchsorted(np.quantile(SCORE, np.arange(1, k) / k), SCORE)] for k in (2, 3)
}

LINEAR = [
    LogisticRegression(),
    LogisticRegression(fit_intercept=False),
    LinearSVC(),
    SGDClassifier(random_state=0),
    RidgeClassifier(),
    Perceptron(),
    LinearDiscriminantAnalysis(),
]
MLPS = [
    MLPClassifier([8], activation=activation, max_iter=60, learning_rate_init=0.03, random_state=1)
    for activation in ("identity", "logistic", "tanh", "relu")
]
SMALL = {"hidden_layer_sizes": [8], "lr": 0.03, "batch_size": 16, "random_state": 0}
ROBFAIR = [
    NaturalClassifier(max_epochs=8, **SMALL),
    AdversarialClassifier(max_epochs=8, n_steps=1, beta=1, **SMALL),
    FarmurClassifier(max_epochs=6, retrain_epochs=2, n_steps=1, **SMALL),
]


def kind(model):
    return getattr(model, "__name__", type(model).__name__)


def fit(model, data, y):
    with warnings.catch_warnings():  # few epochs: they need not converge
        warnings.simplefilter("ignore")
        return clone(model).fit(data, y)


def argmax_labels(model, data=X):
    """The labels that the adapted model predicts, and its logits."""
    adapted = as_logits(model)
    inputs = adapted.inputs(data)
    with torch.no_grad(), adapted.forward(inputs.shape[1:]) as forward:
        logits = forward(adapted.tensor(inputs)).numpy()
    return adapted.labels(logits.argmax(axis=1)), logits


# --- The kinds of models


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("model", LINEAR + MLPS + ROBFAIR, ids=kind)
def test_classifiers_predict_what_they_predict(model, k):
    fitted = fit(model, X, LABELS[k])
    labels, logits = argmax_labels(fitted)
    assert_array_equal(labels, fitted.predict(X))
    assert len(set(labels)) == k
    if hasattr(fitted, "decision_function"):
        score = fitted.decision_function(X)
        assert_allclose(logits[:, 1] if k == 2 else logits, score, rtol=1e-9, atol=1e-12)
    elif hasattr(fitted, "predict_proba"):
        softmax = torch.from_numpy(logits).double().softmax(dim=1)
        assert_allclose(softmax, fitted.predict_proba(X), rtol=1e-4, atol=1e-12)
    result = boundary_distance(fitted, X)
    linear = model in LINEAR or getattr(model, "activation", None) == "identity"
    assert result.method == ("linear" if linear else "auto")
    assert np.isin(result.status, ["exact"] if linear else ["found"]).mean() > 0.8
    assert set(result.predicted) == set(fitted.classes_)
    check_adversarials(result, X, fitted.predict, rtol=2e-6 if linear else 1e-9)


def skorch_net(k, head, criterion, net=NeuralNetClassifier, epochs=15, **kwargs):
    module = nn.Sequential(network([4, 8, k], nn.ReLU, torch.float32), *head)
    options = {"max_epochs": epochs, "lr": 0.05, "train_split": None, "verbose": 0}
    return net(module, criterion=criterion, **options, **kwargs)


@pytest.mark.parametrize("k", [2, 3])
@pytest.mark.parametrize("head", [(nn.Softmax(dim=1),), ()], ids=["probabilities", "logits"])
def test_skorch_classifiers(k, head):
    net = skorch_net(k, head, nn.NLLLoss if head else nn.CrossEntropyLoss)
    data, y = X.astype(np.float32), np.unique(LABELS[k], return_inverse=True)[1]
    net.fit(data, y)
    labels, logits = argmax_labels(net, data)
    assert_array_equal(labels, net.predict(data))
    with torch.no_grad():
        expected = net.module_[0](torch.from_numpy(data)).numpy()
    if head:  # the logarithm of a softmax is the logits but for a constant per sample
        expected = torch.from_numpy(expected).log_softmax(dim=1).numpy()
    assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
    check_adversarials(boundary_distance(net, data), data, net.predict)


BINARY = {
    "logits": ((), nn.BCEWithLogitsLoss, {}),
    "one column": ((nn.Unflatten(0, (-1, 1)),), nn.BCEWithLogitsLoss, {}),
    "threshold": ((), nn.BCEWithLogitsLoss, {"threshold": 0.8}),
    "probabilities": ((nn.Sigmoid(),), nn.BCELoss, {}),
}


@pytest.mark.parametrize("case", BINARY)
def test_skorch_binary_classifier(case):
    head, criterion, options = BINARY[case]
    net = skorch_net(1, (nn.Flatten(0), *head), criterion, NeuralNetBinaryClassifier, **options)
    data, y = X.astype(np.float32), (LABELS[2] == "no").astype(np.float32)
    net.fit(data, y)
    predicted = np.ravel(net.predict(data))
    assert 0 < predicted.mean() < 1
    result = boundary_distance(net, data)
    assert_array_equal(result.predicted, predicted)
    check_adversarials(result, data, lambda points: np.ravel(net.predict(points)))


def test_saturated_probabilities_keep_finite_logits():
    net = skorch_net(2, (nn.Softmax(dim=1),), nn.NLLLoss, epochs=1)
    net.fit(X.astype(np.float32), (LABELS[2] == "no").astype(int))
    _, logits = argmax_labels(net, X * 1e4)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("k", [2, 3])
def test_pipeline_perturbs_the_input_of_its_last_step(k):
    pipeline = fit(make_pipeline(PolynomialFeatures(2), StandardScaler(), LINEAR[0]), X, LABELS[k])
    labels, _ = argmax_labels(pipeline)
    assert_array_equal(labels, pipeline.predict(X))
    result, inner = boundary_distance(pipeline, X), pipeline[:-1].transform(X)
    assert result.adversarial.shape == inner.shape == (90, 15)
    check_adversarials(result, inner, pipeline[-1].predict, rtol=2e-6)
    assert_allclose(result.distance, boundary_distance(pipeline[-1], inner).distance)
    alone = Pipeline([("only", pipeline[-1])])
    assert_allclose(boundary_distance(alone, inner).distance, result.distance)


@pytest.mark.parametrize("last", [LINEAR[0], MLPS[3], ROBFAIR[0]], ids=kind)
def test_pipeline_with_sparse_one_hot_columns(last):
    frame = pd.DataFrame(X, columns=list("abcd")).assign(e=np.where(X[:, 0] > 0.3, "u", "v"))
    columns = ColumnTransformer(
        [("onehot", OneHotEncoder(), ["e"]), ("scale", StandardScaler(), list("abcd"))],
        sparse_threshold=1.0,
    )
    dense = make_pipeline(columns, last)
    if last is ROBFAIR[0]:  # which takes no sparse X
        columns.sparse_threshold = 0.0
    pipeline = fit(dense, frame, LABELS[3])
    transformed = pipeline[:-1].transform(frame)
    assert sparse.issparse(transformed) == (last is not ROBFAIR[0])
    result = boundary_distance(pipeline, frame, threat_model=ThreatModel())
    assert_array_equal(result.predicted, pipeline.predict(frame))
    inner = transformed.toarray() if sparse.issparse(transformed) else transformed
    check_adversarials(result, inner, pipeline[-1].predict, rtol=2e-6)


@pytest.mark.parametrize("search", [GridSearchCV, HalvingGridSearchCV])
def test_searches_are_their_best_estimator(search):
    pipeline = make_pipeline(StandardScaler(), LogisticRegression())
    search = search(pipeline, {"logisticregression__C": [0.1, 1.0]}, cv=2)
    with pytest.raises(NotFittedError):
        as_logits(search)
    search.fit(X, LABELS[2])
    found = boundary_distance(search, X)
    assert_array_equal(found.predicted, search.predict(X))
    assert_allclose(found.distance, boundary_distance(search.best_estimator_, X).distance)


def test_a_search_without_refit_has_no_model():
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 1.0]}, cv=2, refit=False)
    with pytest.raises(TypeError, match="refit=False"):
        as_logits(search.fit(X, LABELS[2]))


def test_coefficients_may_be_sparse():
    dense = fit(LINEAR[0], X, LABELS[3])
    distance = boundary_distance(dense, X).distance
    assert_allclose(boundary_distance(dense.sparsify(), X).distance, distance)


# --- What is refused

FOREST = RandomForestClassifier(2, random_state=0).fit(X, LABELS[2])


@pytest.mark.parametrize(
    "model",
    [
        FOREST,
        SVC().fit(X, LABELS[2]),
        make_pipeline(StandardScaler(), FOREST),
        GridSearchCV(FOREST, {"max_depth": [1]}, cv=2).fit(X, LABELS[2]),
        lambda data: data,
        None,
        "model",
        LogisticRegression,
        MLPClassifier,
        NaturalClassifier,
        NeuralNetClassifier,
        nn.Linear,
    ],
    ids=kind,
)
def test_other_models_are_refused_with_a_list(model):
    with pytest.raises(TypeError, match=r"torch\.nn\.Module.*skorch.*MLPClassifier.*Pipeline"):
        as_logits(model)


@pytest.mark.parametrize("last", ["passthrough", None])
def test_a_pipeline_must_end_in_a_classifier(last):
    with pytest.raises(TypeError, match="passthrough"):
        as_logits(Pipeline([("scale", StandardScaler()), ("last", last)]).fit(X))


@pytest.mark.parametrize("model", [MLPS[0], RidgeClassifier()], ids=kind)
def test_multilabel_is_refused(model):
    both = np.column_stack([LABELS[2] == "no", SCORE > 2, SCORE > 0]).astype(int)
    with pytest.raises(TypeError, match="multilabel"):
        as_logits(fit(model, X, both))


@pytest.mark.parametrize(
    "model",
    [LINEAR[0], MLPS[0], ROBFAIR[0], skorch_net(2, (), nn.CrossEntropyLoss)],
    ids=kind,
)
def test_unfitted(model):
    with pytest.raises(NotFittedError):
        as_logits(model)
    with pytest.raises(NotFittedError):
        as_logits(make_pipeline(StandardScaler(), model))


# --- LogitModel


def test_one_output_is_the_logit_of_the_second_class():
    layer = linear_layer([[2.0, 0.0]], [1.0])
    for module in (layer, nn.Sequential(layer, nn.Flatten(0))):
        with torch.no_grad(), LogitModel(module).forward((2,)) as forward:
            logits = forward(torch.tensor([[1.0, 5.0], [-2.0, 5.0]], dtype=torch.float64))
        assert_array_equal(logits, [[0, 3], [0, -3]])


def test_codes_and_labels_are_inverse():
    model = LogitModel(nn.Identity(), classes=np.array(["c", "a", "b"]))
    assert_array_equal(model.codes(["a", "b", "c"], 3), [1, 2, 0])
    assert_array_equal(model.labels(np.array([1, 2, 0])), ["a", "b", "c"])
    assert_array_equal(LogitModel(nn.Identity()).codes([2, 0], 3), [2, 0])
    with pytest.raises(ValueError, match=re.escape("['d']")):
        model.codes(["a", "d"], 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tensor_is_a_copy_in_the_dtype_of_the_module(dtype):
    data = np.arange(12, dtype=dtype_name(dtype)).reshape(2, 3, 2)
    tensor = LogitModel(nn.Linear(2, 2).to(dtype)).tensor(data)
    assert tensor.dtype == dtype
    assert tensor.shape == (2, 6)
    tensor.zero_()
    assert data.sum() == 66
    assert LogitModel(nn.ReLU()).dtype == torch.float32


def dtype_name(dtype):
    return str(dtype).removeprefix("torch.")


class Refuses(nn.Module):
    """Reshapes by the size of the batch, as attention does, and says one class of most rows."""

    def __init__(self):
        super().__init__()
        self.layer = linear_layer(np.array([[1.0, -1.0]]), np.array([9.0]))

    def forward(self, x):
        return self.layer(x.reshape(len(x), -1, 2).flatten(1))


def test_no_empty_batch_reaches_a_module():
    module, X = Refuses().double(), np.random.default_rng(0).normal(size=(5, 2))
    with as_logits(module).forward_vjp((2,)) as forward_vjp:
        logits, vjp = forward_vjp(torch.zeros(0, 2, dtype=torch.float64))
        assert logits.shape == (0, 2)
        assert vjp(logits).shape == (0, 2)
    # No row is predicted otherwise, at which the search could start.
    assert boundary_distance(module, X, method="deepfool", max_iter=1).counts()
    assert boundary_distance(module, X).counts()
