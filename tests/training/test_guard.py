"""Fast training, and the guard that watches each group while it goes on."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from skorch.callbacks import Callback

from robfair import AdversarialClassifier, FarmurClassifier, ThreatModel
from robfair.attacks import attack_success
from robfair.datasets import make_group_margins
from robfair.exceptions import OverfittingWarning
from robfair.training import Attack, GroupEvaluator, Snapshots

DATA = make_group_margins(300, n_features=3, random_state=0)
NAMES = np.array(["a", "b", "c"])[DATA.groups]
TINY = {
    "objective": "n-fgsm", "eps": 0.2, "n_steps": 3, "batch_size": 32, "max_epochs": 5,
    "hidden_layer_sizes": [4], "validation_fraction": 0.3, "random_state": 0,
}  # fmt: skip


@pytest.fixture
def points(monkeypatch):
    """What the attacks of training start from, and return."""
    seen = []
    call = Attack.__call__

    def spy(self, module, X, eps, loss, **options):
        found = call(self, module, X, eps, loss, **options)
        seen.append((X.clone(), found, self.n_steps, options["uniform_start"]))
        return found

    monkeypatch.setattr(Attack, "__call__", spy)
    return seen


@pytest.fixture
def script(monkeypatch):
    """Samples of the groups that withstand one step and ten, as the evaluator is to report them.

    Those that are right come first; without them, 40 of each group.
    """

    def set_to(*epochs):
        left = iter([each if len(each) == 3 else ([40] * 3, *each) for each in epochs])
        monkeypatch.setattr(
            GroupEvaluator,
            "robustly_correct",
            lambda self, module: tuple(map(np.array, next(left))),
        )

    return set_to


def fit(cls=AdversarialClassifier, **changes):
    return cls(**TINY | changes).fit(DATA.X, DATA.y, groups=NAMES)


def test_one_step_from_within_two_eps(points):
    fit(max_epochs=1)
    away = torch.cat([(found - X) for X, found, *_ in points]).abs()
    assert all(n_steps == 1 and uniform for *_, n_steps, uniform in points)
    # Noise of 2 eps and a step of eps to either side: up to 3 eps, and more than 2 eps at times.
    assert float(away.max()) <= 0.6 + 1e-6
    assert float((away > 0.4).float().mean()) > 0.1


def test_the_step_is_the_sign_of_the_gradient(monkeypatch):
    """With a step alone, every feature that may move ends at eps from its noisy start."""
    attack = Attack(1, 1.0, np.inf, ThreatModel(), None, spread=0.0, radius=3.0)

    class Still:
        def draw(self, distribution, X, rows=None):
            return torch.zeros_like(X)

    object.__setattr__(attack, "noise", Still())
    module = torch.nn.Linear(3, 2)
    X, y = torch.randn(8, 3), torch.arange(8) % 2

    def loss(out):
        return torch.nn.functional.cross_entropy(out, y, reduction="sum")

    def weights(out):
        return out.softmax(dim=1) - torch.nn.functional.one_hot(y, 2)

    found = attack(module, X, torch.full((8,), 0.3), weights, uniform_start=True)
    x = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(module(x)), x)
    assert_allclose(found.numpy(), (X + 0.3 * gradient.sign()).numpy(), rtol=1e-6)


def test_box_and_immutable_features_are_kept(points):
    low, high = DATA.X.min(axis=0), DATA.X.max(axis=0)
    fit(max_epochs=1, threat_model=ThreatModel(bounds=(low, high), mutable=[True, False, True]))
    X, found = (torch.cat([each[i] for each in points]) for i in (0, 1))
    assert torch.equal(X[:, 1], found[:, 1])
    assert bool((found >= torch.as_tensor(low, dtype=found.dtype)).all())
    assert bool((found <= torch.as_tensor(high, dtype=found.dtype)).all())


def test_a_group_that_collapses_is_named_and_the_epoch_taken_back(script, points):
    good = [30, 25, 30], [18, 22, 30]
    script(good, good, ([30, 25, 30], [18, 6, 30]))
    shots = Snapshots(range(1, 6))
    with pytest.warns(
        OverfittingWarning, match=r"epoch 3.* b \(of 40 .* 25 withstand .*, 6 withstand ten\)\. "
    ) as seen:
        clf = fit(callbacks=[shots])
    assert len(seen) == 1
    assert "group a" not in str(seen[0].message)
    second, third = shots.weights_[2], shots.weights_[3]
    assert all(torch.equal(second[name], third[name]) for name in second)
    steps = [n for *_, n, _ in points]
    per_epoch = len(steps) // 5
    assert steps == [1] * (3 * per_epoch) + [3] * (2 * per_epoch)
    assert len(clf.history_["epoch"]) == 5


def test_the_average_forgets_the_epoch_too(script):
    """As if its steps had not been made: the average is that of the epoch before."""
    good = [30, 25, 30], [18, 22, 30]
    script(good, ([30, 25, 30], [0, 22, 30]))
    with pytest.warns(OverfittingWarning):
        clf = fit(max_epochs=2, averaging=0.9)
    script(good)
    before = fit(max_epochs=1, averaging=0.9).module_.state_dict()
    assert all(torch.equal(value, before[name]) for name, value in clf.module_.state_dict().items())


def test_a_collapse_at_once_goes_back_to_the_beginning(script):
    script(([21, 25, 30], [0, 25, 30]))
    shots = Snapshots([1])
    with pytest.warns(OverfittingWarning, match="epoch 1.* a "):
        fit(callbacks=[shots], max_epochs=1)
    start = fit(objective="pgd", lr=1e-30, max_epochs=1).module_.state_dict()
    assert all(torch.allclose(value, start[name]) for name, value in shots.weights_[1].items())


def test_five_samples_are_enough_and_all_groups_are_named(script):
    script(([8, 8, 8], [5, 5, 5], [0, 5, 0]))
    with pytest.warns(OverfittingWarning, match=r"group a \([^()]*\), c \([^()]*\)\."):
        clf = fit(max_epochs=1)
    assert clf.history_["robust_accuracy"][0] == pytest.approx(5 / (3 * 30), rel=0.1)


def test_some_samples_of_each_group_are_attacked(monkeypatch):
    seen = []
    monkeypatch.setattr("robfair.training._guard.SAMPLES_PER_GROUP", 4)
    monkeypatch.setattr(
        GroupEvaluator,
        "robustly_correct",
        lambda self, module: seen.append(self.sizes().tolist()) or (np.ones(3),) * 3,
    )
    fit(max_epochs=1)
    assert seen == [[4, 4, 4]]


@pytest.mark.parametrize(
    "counts",
    [
        ([24, 24, 32], [6, 6, 8]),  # a quarter of them are left
        ([5, 5, 0], [4, 4, 0], [0, 0, 0]),  # few samples
        ([20, 20, 20], [0, 0, 0]),  # half of what is right withstands a step, and no more
        ([9, 0, 0], [9, 0, 0]),  # the network gets the others wrong, one step or ten
        ([8, 8, 8], [5, 5, 5], [1, 1, 1]),  # four samples may be chance
    ],
)
def test_less_is_no_collapse(script, counts):
    script(([25, 25, 25], [25, 25, 25]), counts)
    fit(max_epochs=2)


def test_the_counts_are_those_of_the_groups():
    class Watch(Callback):
        def on_epoch_end(self, net, **kwargs):
            evaluator = net.evaluator.part(2)
            groups = evaluator.groups
            self.sizes_ = evaluator.sizes().tolist()
            self.found_ = [part.tolist() for part in evaluator.robustly_correct(net.module_)]
            self.expected_ = []
            for eps, method in ((0.0, "pgd"), (0.2, "fgsm"), (0.2, "pgd")):
                fooled = attack_success(
                    net.module_, evaluator.X, evaluator.y, eps, method=method, n_steps=10,
                    random_state=0, threat_model=ThreatModel(norm=np.inf),
                )  # fmt: skip
                self.expected_.append([int((~fooled[groups == g]).sum()) for g in range(3)])
            self.first_ = np.array_equal(
                evaluator.X[groups == 1], net.evaluator.X[net.evaluator.groups == 1][:2]
            )

    watch = Watch()
    fit(callbacks=[watch], max_epochs=1)
    assert watch.found_ == watch.expected_
    assert watch.sizes_ == [2, 2, 2]
    assert watch.first_


def test_a_network_that_withstands_one_step_alone_is_found_out():
    """Catastrophic overfitting as it is: the gradient at a sample points the wrong way."""

    class Masked(torch.nn.Module):
        """Right where x > 0; the margin is x, but next to the samples it falls with x."""

        def forward(self, x):
            side = torch.where((x - 1).abs() < 0.01, 2 - x, x)[:, :1]
            return torch.cat([-side, side], dim=1)

    X = np.ones((40, 1), dtype=np.float32)
    y, groups = np.ones(40, dtype=int), np.arange(40) // 20
    evaluator = GroupEvaluator(
        Masked(), X, y, groups, 2, "auto", ThreatModel(), eps=1.2, norm=np.inf
    )
    right, single, several = evaluator.robustly_correct(Masked())
    assert right.tolist() == [20, 20]
    assert single.tolist() == [20, 20]
    assert (several < 5).all()


def test_farmur_can_be_fast(points):
    fit(FarmurClassifier, retrain_epochs=2)
    assert all(n_steps == 1 for *_, n_steps, _ in points)


@pytest.mark.slow
def test_it_withstands_attacks():
    data = make_group_margins(400, n_features=3, random_state=1)
    scale = {"eps": 0.3, "max_epochs": 30, "lr": 0.01, "random_state": 0}
    fast = AdversarialClassifier(objective="n-fgsm", **scale).fit(data.X, data.y)
    slow = AdversarialClassifier(objective="pgd", **scale).fit(data.X, data.y)
    rates = [
        1 - attack_success(clf, data.X, data.y, 0.3, threat_model=ThreatModel(norm=np.inf)).mean()
        for clf in (fast, slow)
    ]
    assert rates[0] > rates[1] - 0.02


def test_another_norm_is_an_error():
    with pytest.raises(ValueError, match=r"norm=numpy\.inf"):
        fit(norm=2)
