"""What a model's own `predict` changes is set back: modes, and torch's random state."""

import numpy as np
import pytest
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch import NeuralNetClassifier
from torch import nn

from robfair import audit, boundary_distance
from robfair.adapters import leaves_as_found, left_as_found
from robfair.attacks import attack, least_eps, robust_accuracy
from robfair.plotting import ClassAccuracyDisplay
from robfair.scorers import neg_cau_scorer, neg_eou_scorer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


class Net(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(3, 8), nn.Dropout(), nn.ReLU(), nn.Linear(8, 2))


def net():
    return NeuralNetClassifier(Net, max_epochs=2, verbose=0, criterion=nn.CrossEntropyLoss)


def searched():
    return GridSearchCV(net(), {"max_epochs": [2]}, cv=2)


def state(module):
    return [part.training for part in module.modules()], torch.get_rng_state().tolist()


def frozen(module):
    """Put a module into training mode, one part of it excepted."""
    module.train()
    module[1].eval()
    return module


@pytest.mark.parametrize(
    "measure",
    [
        lambda m: boundary_distance(m, X),
        lambda m: boundary_distance(m, X[:2], method="decision", budget=30),
        lambda m: attack(model=m, X=X, y=Y, eps=0.1),
        lambda m: least_eps(m, X, Y, eps_max=1.0),
        lambda m: robust_accuracy(m, X, Y, eps=0.1),
        lambda m: audit(m, X, Y, sensitive_features=Y, favorable_label=1),
        lambda m: neg_cau_scorer(m, X, Y),
        lambda m: neg_eou_scorer(m, X, Y, sensitive_features=X[:, 1] > 0),
        lambda m: ClassAccuracyDisplay.from_estimator(m, X, Y),
    ],
)
def test_a_net_of_skorch_is_left_as_found(measure):
    clf = net().fit(X, Y)
    before = state(frozen(clf.module_))
    clf.predict(X)
    assert state(clf.module_) != before  # skorch itself does not
    before = state(frozen(clf.module_))
    measure(clf)
    assert state(clf.module_) == before


@pytest.mark.parametrize("named", [lambda m: m, lambda m: ("source", m)])
def test_a_net_that_examples_are_made_for_is_left_as_found(named):
    clf, source = net().fit(X, Y), net().fit(X, Y)
    before = state(frozen(source.module_))
    robust_accuracy(clf, X, Y, eps=0.1, transfer_from=named(source))
    attack(clf, X, Y, eps=0.1, transfer_from=named(source))
    assert state(source.module_) == before


@pytest.mark.parametrize("make", [lambda: make_pipeline(StandardScaler(), net()), searched])
def test_also_inside_of_scikit_learn(make):
    clf = make().fit(X, Y)
    inner = clf.best_estimator_ if hasattr(clf, "best_estimator_") else clf[-1]
    before = state(frozen(inner.module_))
    with pytest.raises(KeyError), left_as_found(clf):  # noqa: PT012
        clf.predict(X)
        raise KeyError
    assert state(inner.module_) == before


@pytest.mark.parametrize(
    "model", [None, lambda X: X[:, 0] > 0, make_pipeline("passthrough"), net()]
)
def test_what_has_no_module_is_passed_through(model):
    before = torch.get_rng_state().tolist()
    assert leaves_as_found(lambda model: torch.rand(1).item())(model) >= 0
    assert torch.get_rng_state().tolist() == before
