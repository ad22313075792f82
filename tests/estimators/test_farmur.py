"""FarmurClassifier: who is judged vulnerable, on which rows, and what retraining attacks."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose
from skorch.callbacks import Callback
from torch import nn

from robfair import FarmurClassifier, NaturalClassifier, ThreatModel, boundary_distance
from robfair.datasets import make_group_margins
from robfair.metrics import classifier_robustness, group_robustness
from robfair.training import Attack

SETTINGS = {
    "hidden_layer_sizes": [6],
    "batch_size": 32,
    "max_epochs": 3,
    "retrain_epochs": 2,
    "n_steps": 2,
    "lr": 0.02,
    "validation_fraction": 0.3,
    "random_state": 0,
}


class Watch(Callback):
    """Copies of the module as each epoch begins, the training rows, and the held-out ones."""

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        self.modules_ = []
        self.train_ = X["X"], X["groups"], y
        self.judge_ = net.evaluator

    def on_epoch_begin(self, net, **kwargs):
        self.modules_.append(copy.deepcopy(net.module_))


@pytest.fixture
def attacked(monkeypatch):
    """Rows attacked in each call of the attack."""
    rows = []
    call = Attack.__call__

    def spy(self, module, X, eps, loss, **options):
        found = call(self, module, X, eps, loss, **options)
        rows.append((X.clone(), found))
        return found

    monkeypatch.setattr(Attack, "__call__", spy)
    return rows


def fit(data, names=None, **changes):
    watch = Watch()
    groups = data.groups if names is None else np.asarray(names)[data.groups]
    clf = FarmurClassifier(**{**SETTINGS, **changes}, callbacks=[watch])
    return clf.fit(data.X, data.y, groups=groups), watch


@pytest.mark.parametrize("objective", ["trades", "pgd"])
@pytest.mark.parametrize("norm", [2, np.inf])
def test_vulnerable_is_definition_5_on_held_out_rows(data, objective, norm):
    threat_model = ThreatModel(norm=norm)
    clf, watch = fit(data, ["x", "y", "z"], objective=objective, threat_model=threat_model)
    evaluator = watch.judge_
    module = watch.modules_[SETTINGS["max_epochs"]]  # as the fourth epoch begins
    found = boundary_distance(module, evaluator.X, y=evaluator.y, threat_model=threat_model)
    args = {"distance": found.distance, "sensitive_features": evaluator.groups}
    rob = group_robustness(evaluator.y, found.predicted, **args)
    rob_f = classifier_robustness(evaluator.y, found.predicted, **args)
    assert clf.groups_.tolist() == ["x", "y", "z"]
    assert_allclose(clf.group_robustness_, rob)
    expected = clf.groups_[rob < rob_f]
    assert np.array_equal(clf.vulnerable_groups_, expected)
    assert 0 < len(expected) < 3


def test_the_judged_module_is_not_that_of_another_epoch(data):
    """The check above can tell: Rob(P) changes from epoch to epoch."""
    clf, watch = fit(data)
    evaluator = watch.judge_
    robs = []
    for module in watch.modules_[1:]:
        found = boundary_distance(module, evaluator.X, y=evaluator.y)
        values = np.where(found.status == "skipped", 0, found.distance)
        robs.append([values[evaluator.groups == g].mean() for g in range(3)])
    matches = [np.allclose(rob, clf.group_robustness_) for rob in robs]
    assert matches == [False, False, True, False]


def test_held_out_rows_are_not_trained_on(data):
    _, watch = fit(data)
    train, held = watch.train_[0], watch.judge_.X
    assert len(held) == 36
    assert np.bincount(watch.judge_.groups).tolist() == [12, 12, 12]
    both = np.concatenate([train, held])
    assert len(np.unique(both, axis=0)) == len(both) == len(data.X)
    order = [np.flatnonzero((data.X.astype(np.float32) == row).all(axis=1))[0] for row in both]
    groups = np.concatenate([watch.train_[1], watch.judge_.groups])
    assert np.array_equal(groups, data.groups[order])
    y = np.concatenate([watch.train_[2], watch.judge_.y])
    assert np.array_equal(y, data.y[order])


@pytest.mark.parametrize("objective", ["trades", "pgd"])
def test_retraining_attacks_the_vulnerable_groups_only(data, attacked, objective):
    clf, watch = fit(data, objective=objective)
    train, groups = watch.train_[0], watch.train_[1]
    n_first = SETTINGS["max_epochs"] * -(-len(train) // SETTINGS["batch_size"])

    def groups_of(calls):
        rows = torch.cat([X for X, _ in calls]).numpy()
        return np.concatenate([groups[(train == row).all(axis=1)] for row in rows])

    first, second = groups_of(attacked[:n_first]), groups_of(attacked[n_first:])
    assert len(first) == SETTINGS["max_epochs"] * len(train)
    vulnerable = np.isin(groups, clf.vulnerable_groups_)
    assert set(second) == set(clf.vulnerable_groups_)
    assert len(second) == SETTINGS["retrain_epochs"] * vulnerable.sum()


def test_history(data):
    clf, _ = fit(data)
    assert clf.history_["phase"].tolist() == ["adversarial"] * 3 + ["retraining"] * 2
    assert clf.history_["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert np.isfinite([clf.history_["natural_loss"], clf.history_["robust_loss"]]).all()


def one_step(data, reduction, objective):
    """Evaluate a given linear module, then one step of SGD on the whole batch."""
    module = nn.Linear(3, 2)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(np.stack([-data.coef, data.coef])))
        module.bias.copy_(torch.tensor([-data.intercept, data.intercept]))
    watch = Watch()
    clf = FarmurClassifier(
        module=module, max_epochs=0, retrain_epochs=1, batch_size=999, optimizer="sgd", lr=0.1,
        reduction=reduction, objective=objective, beta=2.0, callbacks=[watch], random_state=0,
    )  # fmt: skip
    return module, clf.fit(data.X, data.y, groups=data.groups), watch


@pytest.mark.parametrize("reduction", ["subset", "batch"])
@pytest.mark.parametrize("objective", ["trades", "pgd"])
def test_equation_11_of_a_step(data, attacked, reduction, objective):
    module, clf, watch = one_step(data, reduction, objective)
    ((X_bad, adversarial),) = attacked
    train, groups, y = (torch.from_numpy(np.asarray(a)) for a in watch.train_)
    vulnerable = torch.from_numpy(np.isin(groups, clf.vulnerable_groups_))
    rows = [int((train == row).all(dim=1).nonzero()[0]) for row in X_bad]
    y_bad = y[rows]
    clean, bad = module(X_bad), module(adversarial)
    robust = (
        F.cross_entropy(bad, y_bad, reduction="none")
        if objective == "pgd"
        else F.cross_entropy(clean, y_bad, reduction="none")
        + 2 * (clean.softmax(1) * (clean.log_softmax(1) - bad.log_softmax(1))).sum(1)
    )
    natural = F.cross_entropy(module(train[~vulnerable]), y[~vulnerable], reduction="none")
    if reduction == "subset":
        loss = robust.mean() + natural.mean()
    else:
        loss = (robust.sum() + natural.sum()) / len(train)
    (gradient,) = torch.autograd.grad(loss, module.weight)
    expected = (module.weight - 0.1 * gradient).detach()
    assert_allclose(clf.module_.weight.detach(), expected, rtol=1e-4, atol=1e-6)
    assert len(X_bad) == int(vulnerable.sum())


def test_max_epochs_0_judges_the_given_module(data):
    """A linear module that is the true rule is judged by the closed form."""
    module, clf, watch = one_step(data, "subset", "trades")
    assert_allclose(clf.group_robustness_, [0.5, 1.0, 1.5], rtol=0.2)  # held-out rows are a sample
    found = boundary_distance(module, watch.judge_.X)
    for group, rob in zip(clf.groups_, clf.group_robustness_, strict=True):
        assert found.distance[watch.judge_.groups == group].mean() == pytest.approx(rob)
    rob = clf.group_robustness_
    assert clf.vulnerable_groups_.tolist() == clf.groups_[rob < rob.mean()].tolist()
    assert clf.history_["phase"].tolist() == ["retraining"]


def test_max_epochs_0_with_a_trained_classifiers_module(data):
    natural = NaturalClassifier(hidden_layer_sizes=[6], max_epochs=10, lr=0.02, random_state=0)
    natural.fit(data.X, data.y)
    before = natural.predict_proba(data.X)
    clf, watch = fit(data, module=natural.module_, max_epochs=0, retrain_epochs=1)
    assert np.array_equal(natural.predict_proba(data.X), before)
    found = boundary_distance(natural, watch.judge_.X, y=watch.judge_.y)
    rob = group_robustness(
        watch.judge_.y,
        found.predicted,
        distance=found.distance,
        sensitive_features=watch.judge_.groups,
    )
    assert_allclose(clf.group_robustness_, rob)


def test_a_tie_is_robust():
    """Every sample at the same distance: nobody is vulnerable, and nobody is attacked."""
    X = np.array([[1.0], [-1.0]] * 20)
    y = (X[:, 0] > 0).astype(int)
    module = nn.Linear(1, 2)
    with torch.no_grad():
        module.weight.copy_(torch.tensor([[-1.0], [1.0]]))
        module.bias.zero_()
    clf = FarmurClassifier(module=module, max_epochs=0, retrain_epochs=1, random_state=0)
    clf.fit(X, y, groups=np.arange(40) // 20)
    assert clf.group_robustness_.tolist() == [1.0, 1.0]
    assert len(clf.vulnerable_groups_) == 0
    assert np.isnan(clf.history_["robust_loss"]).all()


def test_wrong_predictions_make_a_group_vulnerable():
    problem = make_group_margins(
        200, n_features=3, margins=(1.0, 1.0), flip=(0.3, 0.0), random_state=2
    )
    _, clf, _ = one_step(problem, "subset", "trades")
    assert clf.vulnerable_groups_.tolist() == [0]


def test_groups_of_several_columns(data):
    frame = pd.DataFrame({"race": np.array(["a", "b", "c"])[data.groups], "sex": data.y})
    clf = FarmurClassifier(**SETTINGS).fit(data.X, data.y, groups=frame)
    assert clf.groups_.tolist() == [(race, sex) for race in "abc" for sex in (0, 1)]
    assert set(clf.vulnerable_groups_) < set(clf.groups_)


def test_synonyms(data):
    one, other = (
        FarmurClassifier(**SETTINGS).fit(data.X, data.y, **{name: data.groups})
        for name in ("groups", "sensitive_features")
    )
    assert np.array_equal(one.predict_proba(data.X), other.predict_proba(data.X))


def test_distance_method_is_used(data):
    quick, paper = (fit(data, distance_method=m)[0] for m in ("deepfool", "paper"))
    ratio = paper.group_robustness_ / quick.group_robustness_
    assert (ratio < 0.95).all()


@pytest.mark.parametrize(("retrain_epochs", "first"), [(1, 3), (4, 5), (5, 5)])
def test_the_average_of_retraining_has_the_second_half_of_its_epochs(retrain_epochs, first):
    """The mean by hand, of copies after each epoch; three epochs come before retraining."""
    data = make_group_margins(60, random_state=0)
    weights = []

    class Keep(Callback):
        def on_epoch_end(self, net, **kwargs):
            weights.append(copy.deepcopy(net.module_.state_dict()))

    settings = SETTINGS | {"retrain_epochs": retrain_epochs, "callbacks": [Keep()]}
    clf = FarmurClassifier(averaging="retraining", **settings)
    clf.fit(data.X, data.y, groups=data.groups)
    for name, value in clf.module_.state_dict().items():
        mean = torch.stack([each[name] for each in weights[first:]]).mean(dim=0)
        assert_allclose(value, mean, rtol=1e-4, atol=1e-6)


def test_a_soft_farmur_that_was_interrupted_ends_alike(tmp_path):
    """Betas, Rob(f) when retraining began and the average are in the checkpoint."""

    class Stop(Callback):
        def on_epoch_begin(self, net, **kwargs):
            if len(net.history) == 6:  # the last of three epochs of retraining has begun
                raise RuntimeError

    data = make_group_margins(60, random_state=0)
    settings = SETTINGS | {"soft_beta": True, "averaging": "retraining", "retrain_epochs": 3}
    whole = FarmurClassifier(**settings).fit(data.X, data.y, groups=data.groups)
    settings["checkpoint"] = tmp_path / "run.safetensors"
    with pytest.raises(RuntimeError):
        FarmurClassifier(**settings, callbacks=[Stop()]).fit(data.X, data.y, groups=data.groups)
    resumed = FarmurClassifier(**settings).fit(data.X, data.y, groups=data.groups)
    assert np.array_equal(resumed.predict_proba(data.X), whole.predict_proba(data.X))
    plain = FarmurClassifier(**SETTINGS | {"retrain_epochs": 3})
    plain.fit(data.X, data.y, groups=data.groups)
    assert not np.array_equal(plain.predict_proba(data.X), whole.predict_proba(data.X))
