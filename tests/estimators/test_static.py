"""AdversarialClassifier(objective="static"), the one-time augmentation of paper B."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.base import clone
from skorch.callbacks import Callback
from torch import nn

from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier, ThreatModel
from robfair.training import Farmur

SHARED = {"hidden_layer_sizes": [6], "batch_size": 32, "max_epochs": 3, "lr": 0.02}
SHARED["random_state"] = 0
STATIC = {**SHARED, "objective": "static", "eps": 0.2, "n_steps": 4}


def weights(clf):
    return torch.cat([p.detach().flatten() for p in clf.module_.parameters()])


class Rows(Callback):
    """Rows of the last training that began, with their weights."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.inputs, self.y, self.judge = X, y, net.judge
        self.steps = []

    def on_batch_begin(self, net, batch=None, **kwargs):
        self.steps.append(len(batch[1]))


def fit(data, **changes):
    rows = Rows()
    clf = AdversarialClassifier(**{**STATIC, **changes}, callbacks=[rows])
    return clf.fit(data.X, data.y, groups=data.groups), rows


@pytest.mark.parametrize("norm", [2, np.inf])
def test_the_second_network_is_natural_training_on_the_union(data, norm):
    clf, rows = fit(data, norm=norm)
    X = data.X.astype(np.float32)
    assert np.array_equal(rows.inputs["X"][:120], X)
    copies = rows.inputs["X"][120:]
    assert np.array_equal(rows.inputs["groups"], np.tile(data.groups, 2))
    assert np.array_equal(rows.y, np.tile(data.y, 2))
    assert (np.linalg.norm(copies - X, norm, axis=1) <= 0.2 * (1 + 1e-5)).all()
    union = NaturalClassifier(**SHARED).fit(rows.inputs["X"], rows.y)
    assert torch.equal(weights(clf), weights(union))


def test_the_standard_network_is_the_natural_classifier(data):
    clf, rows = fit(data)
    natural = NaturalClassifier(**SHARED).fit(data.X, data.y)
    assert torch.equal(weights(clf.standard_), weights(natural))
    assert clf.standard_.get_params() == {**natural.get_params(), "callbacks": [rows]}
    clean, bad = (
        natural.predict_proba(X)[np.arange(120), data.y] for X in (data.X, rows.inputs["X"][120:])
    )
    assert (bad < clean).all()


def test_step_size_box_and_mutable_features(data):
    low, high = data.X.min(axis=0), data.X.max(axis=0)
    threat_model = ThreatModel(bounds=(low, high), mutable=np.array([True, False, True]))
    _, rows = fit(data, threat_model=threat_model, n_steps=1, step_size=1e-6)
    X, copies = rows.inputs["X"][:120], rows.inputs["X"][120:]
    assert np.array_equal(copies[:, 1], X[:, 1])
    assert (copies >= low - 1e-6).all()
    assert (copies <= high + 1e-6).all()
    # The step is tiny, and what is left is the random start: anywhere in the ball.
    inside = np.abs(copies[:, 0] - X[:, 0])
    assert 0.05 < np.median(inside) < 0.15


def test_history_is_that_of_the_second_network(data):
    clf, _ = fit(data)
    assert clf.history_["phase"].tolist() == ["augmented"] * 3
    assert clf.standard_.history_["phase"].tolist() == ["training"] * 3
    assert clf.history_["robust_loss"].isna().all()
    assert clf.net_.judge is None


@pytest.mark.parametrize("left_out", [0, 63])
def test_a_left_out_sample_is_left_out_of_both(data, left_out):
    weight = (np.arange(120) != left_out).astype(float)
    moved = data.X.copy()
    moved[left_out] = data.X[left_out] + 50
    fits = []
    for X in (data.X, moved):
        rows = Rows()
        clf = AdversarialClassifier(**STATIC, callbacks=[rows])
        fits.append(clf.fit(X, data.y, groups=data.groups, sample_weight=weight))
        assert np.array_equal(rows.inputs["weight"], np.tile(weight, 2))
        assert sum(rows.steps) == 3 * 2 * 119
    assert torch.equal(weights(fits[0]), weights(fits[1]))
    assert torch.equal(weights(fits[0].standard_), weights(fits[1].standard_))
    natural = NaturalClassifier(**SHARED).fit(data.X, data.y, sample_weight=weight)
    assert torch.equal(weights(fits[0].standard_), weights(natural))


@pytest.mark.parametrize("class_weight", ["balanced", {0: 3.0, 1: 0.5}, "oversample"])
def test_class_weights_reach_both_networks(data, class_weight):
    y = (np.arange(120) % 3 == 0).astype(int)
    rows = Rows()
    clf = AdversarialClassifier(**STATIC, class_weight=class_weight, callbacks=[rows])
    clf.fit(data.X, y)
    natural = NaturalClassifier(**SHARED, class_weight=class_weight).fit(data.X, y)
    assert torch.equal(weights(clf.standard_), weights(natural))
    if class_weight == "oversample":
        assert np.bincount(rows.y).tolist() == [160, 160]
    else:
        ratio = rows.inputs["weight"][y[np.arange(240) % 120] == 1].max()
        ratio /= rows.inputs["weight"][y[np.arange(240) % 120] == 0].max()
        assert_allclose(ratio, 2.0 if class_weight == "balanced" else 0.5 / 3.0, rtol=1e-5)


def test_held_out_samples_are_in_neither_network(data):
    clf, rows = fit(data, strategy=Farmur(1), validation_fraction=0.25)
    held = {tuple(row) for row in rows.judge.X}
    assert len(held) == 30
    assert len(rows.inputs["X"]) == 2 * 90
    assert held.isdisjoint(map(tuple, rows.inputs["X"]))
    trained = rows.inputs["X"][:90]
    natural = NaturalClassifier(**SHARED).fit(trained, rows.y[:90])
    assert torch.equal(weights(clf.standard_), weights(natural))


def test_same_seed_same_bits(data):
    fits = [fit(data, random_state=seed)[0] for seed in (5, np.random.RandomState(5))]
    again = fit(data, random_state=np.random.RandomState(5))[0]
    assert torch.equal(weights(fits[1]), weights(again))
    assert torch.equal(weights(fits[0]), weights(fit(data, random_state=5)[0]))
    before = torch.get_rng_state()
    free = [fit(data, random_state=None, module=lambda: nn.Linear(3, 2))[0] for _ in range(2)]
    assert not torch.equal(*map(weights, free))
    assert torch.equal(torch.get_rng_state(), before)


def test_labels_names_copies_and_pickles(data):
    frame = pd.DataFrame(data.X, columns=["a", "b", "c"])
    labels = np.array(["no", "yes"])[data.y]
    clf = AdversarialClassifier(**STATIC).fit(frame, labels)
    assert clf.standard_.classes_.tolist() == ["no", "yes"]
    assert clf.standard_.predict(frame).shape == (120,)  # without a warning about names
    again = pickle.loads(pickle.dumps(clf))
    assert np.array_equal(again.predict_proba(frame), clf.predict_proba(frame))
    assert np.array_equal(again.standard_.predict(frame), clf.standard_.predict(frame))
    assert not hasattr(clone(clf), "standard_")


def test_warm_start_continues_both(data):
    clf = AdversarialClassifier(**{**STATIC, "lr": 1e-9}, warm_start=True)
    clf.fit(data.X, data.y)
    with torch.no_grad():
        for part in (clf, clf.standard_):
            for p in part.module_.parameters():
                p.mul_(3)
    kept = weights(clf).clone(), weights(clf.standard_).clone()
    clf.fit(data.X, data.y)
    assert_allclose(weights(clf), kept[0], atol=1e-5)
    assert_allclose(weights(clf.standard_), kept[1], atol=1e-5)


def test_another_objective_leaves_no_standard_network(data):
    clf, _ = fit(data)
    clf.set_params(objective="pgd", callbacks=None).fit(data.X, data.y)
    assert not hasattr(clf, "standard_")


def test_images_and_double_precision():
    images = np.random.default_rng(0).random((20, 1, 3, 3))
    rows = Rows()
    clf = AdversarialClassifier(
        module=lambda: nn.Sequential(nn.Flatten(), nn.Linear(9, 2)).double(),
        **STATIC,
        callbacks=[rows],
    )
    clf.fit(images, np.arange(20) % 2)
    assert rows.inputs["X"].shape == (40, 1, 3, 3)
    assert rows.inputs["X"].dtype == np.float64
    assert clf.predict(images).shape == (20,)


def test_farmur_does_not_take_it(data):
    with pytest.raises(ValueError, match="'objective' parameter of FarmurClassifier"):
        FarmurClassifier(objective="static").fit(data.X, data.y, groups=data.groups)


def test_errors_come_before_any_training(data, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("trained")

    monkeypatch.setattr(AdversarialClassifier, "_fit_standard", never)
    for changes, message in (({"eps": -1}, "'eps'"), ({"module": nn.Linear(3, 3)}, "3 logits")):
        with pytest.raises(ValueError, match=message):
            fit(data, **changes)
    with pytest.raises(ValueError, match="groups has 3 samples"):
        AdversarialClassifier(**STATIC).fit(data.X, data.y, groups=[1, 2, 3])
