"""What the trainer hands to a strategy, and what it takes from it."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose
from skorch.callbacks import Callback

from robfair import AdversarialClassifier
from robfair.datasets import make_group_margins
from robfair.training import Strategy, TradesObjective

DATA = make_group_margins(60, n_features=3, random_state=0)
SETTINGS = {"n_steps": 2, "batch_size": 16, "max_epochs": 4, "random_state": 0}


def fit(strategy=None, **changes):
    clf = AdversarialClassifier(
        strategy=strategy, **{"hidden_layer_sizes": [6]} | SETTINGS | changes
    )
    return clf.fit(DATA.X, DATA.y, groups=DATA.groups)


class Watch(Callback):
    def __init__(self):
        self.weights = []

    def on_batch_end(self, net, **kwargs):
        weights = net.module_.state_dict()
        self.weights.append({name: value.clone() for name, value in weights.items()})


class Norm(Strategy):
    """Adds the squared norm of the weights: by hand, weight decay."""

    def __init__(self, rate=0.1):
        self.rate = rate

    def penalty(self, step):
        return self.rate / 2 * sum((p**2).sum() for p in step.module.parameters())


def test_a_penalty_has_a_gradient_of_its_own():
    sgd = {"optimizer": "sgd", "lr": 0.1}
    one = fit(Norm(0.1), **sgd)
    other = fit(**sgd, net_params={"optimizer__weight_decay": 0.1})
    assert_allclose(one.predict_proba(DATA.X), other.predict_proba(DATA.X), atol=1e-5)
    assert np.abs(one.predict_proba(DATA.X) - fit(**sgd).predict_proba(DATA.X)).max() > 0.01


class Look(Strategy):
    """Keeps what it is shown."""

    def __init__(self, seen=None):
        self.seen = seen

    def __sklearn_clone__(self):
        return self

    def penalty(self, step):
        self.seen.append(step)


@pytest.mark.parametrize("objective", ["trades", "pgd"])
@pytest.mark.parametrize("beta", [2.0, 0.0])
def test_logits_are_those_of_the_losses(objective, beta):
    look = Look([])
    fit(look, objective=objective, beta=beta, max_epochs=1)
    assert [step.place for step in look.seen] == list(range(look.seen[0].n_batches))
    for step in look.seen:
        found = step.losses
        clean = found.adversarial_logits if found.logits is None else found.logits
        if objective == "pgd" and beta:
            loss = F.cross_entropy(clean, step.y, reduction="none")
            assert_allclose(loss.detach(), found.robust.detach())
            continue
        loss = F.cross_entropy(clean, step.y, reduction="none")
        assert_allclose(loss.detach(), found.natural.detach())
        assert (found.adversarial_logits is None) == (beta == 0)
        if beta:
            p, bad = clean.softmax(1), found.adversarial_logits.log_softmax(1)
            divergence = (p * (p.log() - bad)).sum(1)
            assert_allclose(divergence.detach() * 2, found.robust.detach(), atol=1e-6)


class SomeAttacked(Look):
    def start(self, plan):
        return replace(super().start(plan), beta=torch.tensor([2.0, 0.0, 2.0]))


def test_logits_of_samples_that_are_not_attacked_are_clean():
    look = SomeAttacked([])
    fit(look, max_epochs=1)
    for step in look.seen:
        spared = step.groups == 1
        same = (step.losses.logits == step.losses.adversarial_logits).all(dim=1)
        assert torch.equal(same, spared)


class Late(Strategy):
    """Averages from the third epoch on."""

    def accepts_average(self, epoch):
        return epoch >= 2


def test_the_average_begins_with_a_phase():
    watch = Watch()
    clf = fit(Late(), averaging=0.9, callbacks=[watch])
    steps = watch.weights[len(watch.weights) // 2 :]
    expected = {name: value.double() for name, value in steps[0].items()}
    for n, weights in enumerate(steps[1:], start=1):
        decay = min(0.9, (1 + n) / (10 + n))
        expected = {k: decay * v + (1 - decay) * weights[k] for k, v in expected.items()}
    for name, value in clf.module_.state_dict().items():
        assert_allclose(value, expected[name], atol=1e-6)


class Replaced(Strategy):
    """Trains on from weights of its own, and ends with others."""

    needs_held_out = True

    def after_epoch(self, end):
        assert (end.n_epochs, end.optimizer.param_groups[0]["lr"]) == (4, 1e-3)
        if end.epoch == 1:
            end.module.load_state_dict({n: v / 2 for n, v in end.module.state_dict().items()})
        average = end.average()
        self.means_ = {n: 2 * v for n, v in average.state_dict().items()}
        self.train_ = end.evaluator.training(5).robustness(tau_max=1)

    def final_weights(self):
        return self.means_

    def record(self):
        return {"train": self.train_, "most": self.train_.max()} if hasattr(self, "train_") else {}


@pytest.mark.parametrize("early_stopping", [False, True])
def test_weights_of_the_strategy(early_stopping):
    watch = Watch()
    settings = {"averaging": 0.5, "callbacks": [watch], "early_stopping": early_stopping}
    clf = fit(Replaced(), **settings, n_iter_no_change=9)
    middle = len(watch.weights) // 2
    for name, value in watch.weights[middle].items():  # a step of Adam is at most lr
        assert_allclose(value, watch.weights[middle - 1][name] / 2, atol=2e-3)
    if not early_stopping:
        for name, value in clf.module_.state_dict().items():
            assert torch.equal(value, clf.strategy_.means_[name])
    assert clf.history_["train"].shape == (4, 3)
    assert_allclose(clf.history_["train"].max(axis=1), clf.history_["most"])
    assert (clf.history_["train"][2] != clf.history_["train"][3]).any()


class Named(Strategy):
    def record(self):
        return {"lr": 1.0}


def test_a_recorded_name_is_not_one_of_the_history():
    with pytest.raises(ValueError, match=r"Named.record\(\) returns 'lr', a name that the history"):
        fit(Named())


class FirstHalf(Strategy):
    """Attacks the first half of the training samples, whatever their groups."""

    def on_samples(self, plan, groups, rows):
        samples = plan.of(groups)
        return replace(samples, beta=samples.beta * (rows < 30))


def test_a_plan_of_samples():
    rows = []

    class Spy(TradesObjective):
        def __call__(self, module, X, y, eps, beta, attack):
            rows.append((X, beta))
            return super().__call__(module, X, y, eps, beta, attack)

    fit(FirstHalf(), objective=Spy(), max_epochs=1)
    X, beta = (torch.cat(parts) for parts in zip(*rows, strict=True))
    first = {row.tobytes() for row in DATA.X[:30].astype(np.float32)}
    assert [row.tobytes() in first for row in X.numpy()] == (beta > 0).tolist()


def test_an_objective_of_ones_own():
    """As an instance it is what its name stands for, and a class is refused."""
    one, other = fit(objective=TradesObjective()), fit(objective="trades")
    assert np.array_equal(one.predict_proba(DATA.X), other.predict_proba(DATA.X))
    with pytest.raises(TypeError, match="an instance or a name; got the class TradesObjective"):
        fit(objective=TradesObjective)
