"""What is measured is what predicts: readings against `predict` of the model itself."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from skorch import NeuralNetBinaryClassifier, NeuralNetClassifier
from torch import nn

from robfair import NaturalClassifier, boundary_distance
from robfair.attacks import attack, least_eps, robust_accuracy

X, Y = make_classification(120, 4, n_informative=3, n_redundant=0, random_state=1)
X32 = X.astype(np.float32)
OPTIONS = {
    MLPClassifier: {"hidden_layer_sizes": [8], "max_iter": 20, "random_state": 0},
    DecisionTreeClassifier: {"max_depth": 3, "random_state": 0},
    NaturalClassifier: {"max_epochs": 3, "random_state": 0},
    GridSearchCV: {"estimator": make_pipeline(StandardScaler(), LogisticRegression())}
    | {"param_grid": {}, "cv": 2},
    Pipeline: {"steps": [("scale", StandardScaler()), ("last", LogisticRegression())]},
}


def cautious(base):
    """A class that decides at a probability of 0.2."""

    class Cautious(base):
        def predict(self, X):
            return self.classes_[(self.predict_proba(X)[:, 1] > 0.2).astype(int)]

    return Cautious


def skorch(net=NeuralNetClassifier, module=None, **options):
    module = nn.Linear(4, 2) if module is None else module
    net = net(module, max_epochs=5, verbose=0, train_split=None, **options)
    torch.manual_seed(0)
    return net.fit(X32, Y)


def replaced():
    """A classifier, one method of which was replaced by a function."""
    model = LogisticRegression().fit(X, Y)
    score = model.decision_function
    model.decision_function = lambda X: score(X) + 1.4
    return model


def shift(out):
    return (out + torch.tensor([0.0, 2.0])).softmax(dim=1)


def test_the_distance_is_that_to_the_boundary_of_predict():
    model = cautious(LogisticRegression)().fit(X, Y)
    true = np.abs(model.decision_function(X) - np.log(0.25)) / np.linalg.norm(model.coef_)
    result = boundary_distance(model, X[:20])
    assert_array_equal(result.predicted, model.predict(X[:20]))
    assert_allclose(result.distance, true[:20], rtol=0.01)
    assert set(result.status) == {"found"}
    (text,) = result.warnings_
    n = int((model.predict(X[:20]) != LogisticRegression.predict(model, X[:20])).sum())
    assert f"Cautious.predict gives another label than its logits at {n} of 20 rows" in text


@pytest.mark.parametrize("rows", [1, 20])
@pytest.mark.parametrize("base", OPTIONS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_classes_that_decide_by_a_rule_of_their_own(base, rows):
    model = cautious(base)(**OPTIONS[base]).fit(X, Y)
    result = boundary_distance(model, X[:rows], budget=20)
    assert_array_equal(result.predicted, model.predict(X[:rows]))
    assert result.method == "decision"
    rule = "is not that of scikit-learn" if base is DecisionTreeClassifier else "rule of its own"
    assert any(rule in text for text in result.warnings_)
    for method in ("exact",) if base is DecisionTreeClassifier else ("exact", "strong", "paper"):
        with pytest.raises(ValueError, match=f'method="{method}" needs what was read'):
            boundary_distance(model, X[:rows], method=method)
    if base is not DecisionTreeClassifier:
        with pytest.raises(ValueError, match="an attack follows what was read"):
            attack(model, X[:rows], eps=0.1)
        with pytest.raises(ValueError, match="certify=True needs what was read"):
            boundary_distance(model, X[:rows], certify=True)


@pytest.mark.parametrize(
    "make",
    [
        lambda: skorch(criterion=nn.CrossEntropyLoss, predict_nonlinearity=shift),
        lambda: skorch(cautious(NeuralNetClassifier), criterion=nn.CrossEntropyLoss),
        replaced,
    ],
    ids=["prior shift", "skorch", "replaced method"],
)
def test_other_rules(make):
    model = make()
    result = boundary_distance(model, X32[:10], budget=60)
    assert_array_equal(result.predicted, model.predict(X32[:10]))
    flipped = model.predict(result.adversarial.astype(np.float32))
    assert (flipped != result.predicted).mean() >= 0.9  # but for what float32 rounds
    assert len(result.warnings_) == 1
    assert "a rule of its own" in result.warnings_[0]


def test_what_says_the_same_is_read():
    class Logged(LogisticRegression):
        def predict(self, X):
            return super().predict(X)

    assert boundary_distance(Logged().fit(X, Y), X).method == "linear"
    tied = LogisticRegression().fit(X, Y)
    on = X - (tied.decision_function(X) / np.sum(tied.coef_**2))[:, None] * tied.coef_
    assert boundary_distance(tied, np.concatenate([X[:40], on])).method == "linear"
    module = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0))
    net = NeuralNetBinaryClassifier(module, max_epochs=5, verbose=0, threshold=0.2)
    assert boundary_distance(net.fit(X32, Y.astype(np.float32)), X32).warnings_ == ()


def test_a_random_model_is_named():
    rng = np.random.default_rng(0)

    class Noisy(LogisticRegression):
        def predict(self, X):
            return super().predict(X) ^ (rng.random(len(X)) < 0.2)

    model = Noisy().fit(X, Y)
    result = boundary_distance(model, X, budget=30)
    assert "the model is random" in result.warnings_[0]
    assert set(result.status) == {"found"}
    with pytest.raises(ValueError, match="the model is random, and method"):
        boundary_distance(model, X, method="linear")


def test_a_function_in_place_of_predict_of_a_pipeline_sees_x_alone():
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    model.predict = lambda X: (model.predict_proba(X)[:, 1] > 0.2).astype(int)
    with pytest.raises(ValueError, match=r"Pipeline\.predict skips.*lambda X: predict\(X\)"):
        boundary_distance(model, X)
    assert boundary_distance(lambda X: model.predict(X), X[:5]).method == "decision"


# --- Columns

FRAME = pd.DataFrame(X, columns=list("abcd"))
CHANGED = {
    "order": (FRAME[list("dcba")], "in another order: 'd' stands where 'a' stood"),
    "renamed": (FRAME.rename(columns={"a": "z"}), "lacks column 'a' and has besides column 'z'"),
    "one more": (FRAME.assign(e=0), "has besides column 'e'"),
}


@pytest.mark.parametrize("case", CHANGED)
@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(),
        make_pipeline(StandardScaler(), LogisticRegression()),
        DecisionTreeClassifier(),
    ],
    ids=["linear", "pipeline", "tree"],
)
def test_other_columns_are_refused_by_name(model, case):
    frame, match = CHANGED[case]
    model.fit(FRAME, Y)
    with pytest.raises(ValueError, match=match):
        boundary_distance(model, frame)
    if not isinstance(model, DecisionTreeClassifier):
        with pytest.raises(ValueError, match=match):
            robust_accuracy(model, frame, Y, 0.1)
        with pytest.raises(ValueError, match=match):
            least_eps(model, frame, Y, eps_max=1.0)


def test_columns_without_names_are_taken_by_position():
    model = LogisticRegression().fit(FRAME, Y)
    expected = boundary_distance(model, FRAME).distance
    assert_array_equal(boundary_distance(model, X).distance, expected)
    assert_array_equal(boundary_distance(model, X.tolist()).distance, expected)
    assert_array_equal(boundary_distance(model, torch.from_numpy(X)).distance, expected)
    assert_array_equal(boundary_distance(model, FRAME.astype(object)).distance, expected)


class Categorical(LogisticRegression):
    """Predicts tables with a column of categories only, as LightGBM does."""

    def predict(self, X):
        if not isinstance(X, pd.DataFrame) or X["c"].dtype != "category":
            raise ValueError("train and valid dataset categorical_feature do not match.")
        return super().predict(X)


def test_a_model_that_needs_a_type_of_column():
    frame = FRAME.assign(c=pd.cut(FRAME["c"], 4, labels=[0, 1, 2, 3]))
    model = Categorical().fit(frame, Y)
    for measure in (boundary_distance, lambda m, X: attack(m, X, eps=0.1)):
        with pytest.raises(ValueError, match=r"without the type of column 'c'.*make_pipeline"):
            measure(model, frame)


def test_a_model_that_cannot_predict_x_is_named():
    class Needy(LogisticRegression):
        def predict(self, X, *, sensitive_features):
            return super().predict(X)

    with pytest.raises(TypeError, match=r"predict needs sensitive_features besides X.*lambda X: "):
        boundary_distance(Needy().fit(X, Y), X)

    class Broken(LogisticRegression):
        def predict(self, X):
            raise OSError("no connection")

    with pytest.raises(ValueError, match=r"Broken\.predict fails on rows of X.*no connection"):
        boundary_distance(Broken().fit(X, Y), X)
