"""Early stopping on held-out samples."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier
from robfair.attacks import robust_accuracy
from robfair.datasets import make_group_margins
from robfair.training import GroupEvaluator, Snapshots


@pytest.fixture(scope="module")
def data():
    return make_group_margins(100, n_features=3, random_state=0)


@pytest.fixture
def script(monkeypatch):
    """Robust accuracies that the evaluator is to report, one after the other."""

    def set_to(values):
        left = iter(values)
        monkeypatch.setattr(GroupEvaluator, "robust_accuracy", lambda self, module: next(left))

    return set_to


def fit(data, cls=AdversarialClassifier, epochs=8, **params):
    shots = Snapshots(range(1, epochs + 1))
    clf = cls(
        hidden_layer_sizes=[4], max_epochs=epochs, n_steps=1, callbacks=[shots],
        early_stopping=True, random_state=0, **params,
    )  # fmt: skip
    return clf.fit(data.X, data.y, groups=data.groups), shots.weights_


def has_weights(clf, weights):
    return all(
        torch.equal(value, weights[name]) for name, value in clf.module_.state_dict().items()
    )


def test_the_best_epoch_is_kept_and_the_run_ends(data, script):
    script([0.3, 0.5, 0.4, 0.5, 0.1, 0.2, 0.9, 0.9])
    clf, weights = fit(data, n_iter_no_change=3)
    assert len(clf.history_["epoch"]) == 5  # 0.5 is no better than 0.5
    assert clf.history_["robust_accuracy"].tolist() == [0.3, 0.5, 0.4, 0.5, 0.1]
    assert has_weights(clf, weights[2])
    assert not has_weights(clf, weights[5])


def test_a_rise_begins_the_wait_anew(data, script):
    script([0.3, 0.2, 0.4, 0.3, 0.5, 0.4, 0.4, 0.4])
    clf, weights = fit(data, n_iter_no_change=2)
    assert len(clf.history_["epoch"]) == 7
    assert has_weights(clf, weights[5])


def test_farmur_is_not_stopped_before_its_groups_are_judged(data, script):
    script([0.9, 0.1, 0.1, 0.1, 0.2, 0.3, 0.1, 0.1, 0.1])
    clf, _ = fit(data, FarmurClassifier, epochs=4, retrain_epochs=5, n_iter_no_change=2)
    assert clf.history_["phase"].tolist() == ["adversarial"] * 4 + ["retraining"] * 4
    assert len(clf.vulnerable_groups_)
    # The best epoch of the retraining, although one before was better.
    assert clf.history_["robust_accuracy"].tolist()[4:] == [0.2, 0.3, 0.1, 0.1]


def test_the_accuracy_is_that_of_held_out_samples_under_attack(data):
    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            evaluator = net.evaluator
            model = nn.Sequential(net.module_)
            self.found_ = robust_accuracy(
                model, evaluator.X, evaluator.y, 0.2, n_steps=10, random_state=0,
                threat_model=evaluator.threat_model.__class__(norm=np.inf),
            )  # fmt: skip
            self.n_ = len(evaluator.y)

    watch = Watch()
    clf = AdversarialClassifier(
        eps=0.2, max_epochs=1, early_stopping=True, validation_fraction=0.3, callbacks=[watch],
        random_state=0,
    ).fit(data.X, data.y)  # fmt: skip
    assert clf.history_["robust_accuracy"][-1] == pytest.approx(float(watch.found_))
    assert watch.n_ == pytest.approx(0.3 * len(data.y), abs=2)


def test_natural_training_is_stopped_by_accuracy(data):
    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            with torch.no_grad():
                out = net.module_(torch.as_tensor(net.evaluator.X)).argmax(dim=1).numpy()
            self.found_ = (out == net.evaluator.y).mean()

    watch = Watch()
    clf = NaturalClassifier(
        max_epochs=1, early_stopping=True, callbacks=[watch], random_state=0
    ).fit(data.X, data.y)
    assert clf.history_["robust_accuracy"][-1] == watch.found_


def test_averaged_weights_are_those_that_are_judged(data, monkeypatch):
    judged = []
    monkeypatch.setattr(
        GroupEvaluator, "robust_accuracy", lambda self, module: judged.append(module) or len(judged)
    )
    clf, weights = fit(data, averaging=0.9, epochs=2)
    assert all(module is not clf.module_ for module in judged)
    assert not has_weights(clf, weights[2])


def test_without_it_nothing_is_held_out(data):
    class Watch(Callback):
        def on_train_begin(self, net, X=None, **kwargs):
            self.n_ = len(X["X"])

    watch = Watch()
    AdversarialClassifier(max_epochs=1, n_steps=1, callbacks=[watch]).fit(data.X, data.y)
    assert watch.n_ == len(data.y)
