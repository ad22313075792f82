"""Training on adversarial copies made once, and measures by class beside numbers by hand."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from torch import nn

from robfair import NaturalClassifier, ThreatModel
from robfair.datasets import make_group_margins
from robfair.models import tabular_network
from robfair.reproduction._records import Run
from robfair.reproduction.fairness._protocol import (
    StaticallyAugmentedClassifier,
    add_accuracy,
    add_success,
)


def network():
    return tabular_network(3, 2, [6])


SHARED = {"module": network, "batch_size": 8, "max_epochs": 5, "random_state": 0}
STATIC = {**SHARED, "eps": 0.2, "n_steps": 4, "threat_model": ThreatModel(norm=np.inf)}


@pytest.fixture(scope="module")
def data():
    return make_group_margins(120, n_features=3, random_state=0)


@pytest.fixture
def trained_on(monkeypatch):
    """Every X, y and weight that a network is trained on."""
    fits = []
    fit = NaturalClassifier.fit

    def record(self, X, y, **params):
        fits.append((X, y, params.get("sample_weight")))
        return fit(self, X, y, **params)

    monkeypatch.setattr(NaturalClassifier, "fit", record)
    return fits


def weights(clf):
    return torch.cat([p.detach().flatten() for p in clf.module_.parameters()])


def test_both_networks_are_natural_training(data, trained_on):
    clf = StaticallyAugmentedClassifier(**STATIC).fit(data.X, data.y)
    X, y, weight = trained_on[1]
    assert np.array_equal(X[:120], data.X)
    assert np.array_equal(y, np.tile(data.y, 2))
    assert weight is None
    assert (np.abs(X[120:] - data.X) <= 0.2 * (1 + 1e-5)).all()
    standard = NaturalClassifier(**SHARED).fit(data.X, data.y)
    assert torch.equal(weights(clf.standard_), weights(standard))
    assert torch.equal(weights(clf), weights(NaturalClassifier(**SHARED).fit(X, y)))
    each = np.arange(120), data.y
    assert (standard.predict_proba(X[120:])[each] < standard.predict_proba(data.X)[each]).all()


@pytest.mark.parametrize("batch_size", [32, 1000])
def test_closed_form_of_a_linear_network(data, trained_on, batch_size):
    """The cross-entropy is largest in the corner of the ball on the side of the other class."""
    linear = {"module": lambda: nn.Linear(3, 2), "batch_size": batch_size}
    labels = np.array(["no", "yes"])[data.y]
    clf = StaticallyAugmentedClassifier(**STATIC | linear).fit(data.X, labels)
    weight = clf.standard_.module_.weight.detach().numpy()
    away = np.where(data.y == 1, -1, 1)[:, None] * np.sign(weight[1] - weight[0])
    assert_allclose(trained_on[1][0][120:] - data.X, 0.2 * away, rtol=1e-4, atol=1e-6)


def test_box_and_mutable_features(data, trained_on):
    low, high = data.X.min(axis=0), data.X.max(axis=0)
    threat_model = ThreatModel(bounds=(low, high), mutable=np.array([True, False, True]))
    StaticallyAugmentedClassifier(**STATIC | {"threat_model": threat_model}).fit(data.X, data.y)
    copies = trained_on[1][0][120:]
    assert np.array_equal(copies[:, 1], data.X[:, 1].astype(np.float32))
    assert (copies >= low - 1e-6).all()
    assert (copies <= high + 1e-6).all()


@pytest.mark.slow
@pytest.mark.parametrize("left_out", [0, 63])
def test_a_left_out_sample_is_left_out_of_both(data, left_out):
    weight = (np.arange(120) != left_out).astype(float)
    moved = data.X.copy()
    moved[left_out] = data.X[left_out] + 50
    fits = [
        StaticallyAugmentedClassifier(**STATIC).fit(X, data.y, sample_weight=weight)
        for X in (data.X, moved)
    ]
    assert torch.equal(weights(fits[0]), weights(fits[1]))
    assert torch.equal(weights(fits[0].standard_), weights(fits[1].standard_))
    assert fits[0].leaves_out_by_weight


def test_clones_are_unfitted_and_train_the_same(data):
    clf = StaticallyAugmentedClassifier(**STATIC, class_weight="oversample").fit(data.X, data.y)
    other = clone(clf)
    assert not hasattr(other, "standard_")
    assert torch.equal(weights(other.fit(data.X, data.y)), weights(clf))


Y = np.array(["cat"] * 4 + ["dog"] * 4)
PREDICTED = np.array(["cat"] * 4 + ["dog", "dog", "cat", "cat"])


def added(function, *arguments, **options):
    run = Run("pets", "small", 0)

    def add(measure, value, **where):
        run.add("part", "paper", "A", measure, value, **where)

    function(add, *arguments, **options)
    return {(row["measure"], row.get("group")): row["value"] for row in run.parts["part"]}


def test_accuracy():
    assert added(add_accuracy, Y, PREDICTED) == {
        ("accuracy", None): 0.75,
        ("class accuracy", "cat"): 1.0,
        ("class accuracy", "dog"): 0.5,
        ("CAU", None): 0.5,
    }


def test_success_counts_the_correct_samples():
    success = np.array([True, False, False, False, True, True, True, True])
    measured = added(add_success, Y, PREDICTED, success, 0.1, of_all=True)
    assert measured["success", "cat"] == 0.25
    assert measured["success", "dog"] == 1.0
    assert measured["CRU_s", None] == pytest.approx(0.75)
    assert measured["CRU_s of all", None] == pytest.approx(0.75)
    assert ("CRU_s of all", None) not in added(add_success, Y, PREDICTED, success, 0.1)
