"""The net: one step by hand, the history, the calls of a strategy, and divergence."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.testing import assert_allclose
from torch import nn

from robfair.threat import ThreatModel
from robfair.training import (
    Attack,
    GroupPlan,
    NaturalObjective,
    Noise,
    PgdObjective,
    RobustNet,
    Strategy,
    TensorBatches,
    TradesObjective,
)

CPU = torch.device("cpu")


def sample(n=10):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, 3)).astype(np.float32)
    return {"X": X, "groups": np.arange(n) % 2}, (X[:, 0] > 0).astype(np.int64)


def make_net(module, objective=None, strategy=None, n_groups=2, max_epochs=1, **params):
    noise = Noise(0)
    settings = {
        "optimizer": torch.optim.SGD,
        "lr": 0.1,
        "batch_size": 100,
        "train_split": None,
        "callbacks__valid_loss": None,
        "verbose": 0,
        "iterator_train": TensorBatches,
        "iterator_train__generator": torch.Generator().manual_seed(0),
        "iterator_train__noise": noise,
        "iterator_train__device": CPU,
    }
    return RobustNet(
        module,
        objective=NaturalObjective() if objective is None else objective,
        strategy=Strategy() if strategy is None else strategy,
        attack=Attack(2, 0.5, torch.inf, ThreatModel(), noise),
        evaluator=None,
        plan=GroupPlan.uniform(n_groups, 0.3, 6.0),
        max_epochs=max_epochs,
        **(settings | params),
    )


def test_one_weighted_step_by_hand():
    X, y = sample()
    X["weight"] = np.linspace(0, 1, 10, dtype=np.float32)  # the first is left out
    module = nn.Linear(3, 2)
    by_hand = nn.Linear(3, 2)
    by_hand.load_state_dict(module.state_dict())
    losses = F.cross_entropy(
        by_hand(torch.from_numpy(X["X"])), torch.from_numpy(y), reduction="none"
    )
    loss = (losses * torch.from_numpy(X["weight"])).sum() / X["weight"].sum()
    loss.backward()
    net = make_net(module).fit(X, y)
    expected = (by_hand.weight - 0.1 * by_hand.weight.grad).detach()
    assert_allclose(net.module_.weight.detach(), expected, rtol=1e-5, atol=1e-7)
    assert net.history[-1]["natural_loss"] == pytest.approx(loss.item(), rel=1e-5)


def test_one_step_by_hand():
    X, y = sample()
    module = nn.Linear(3, 2)
    by_hand = nn.Linear(3, 2)
    by_hand.load_state_dict(module.state_dict())
    F.cross_entropy(by_hand(torch.from_numpy(X["X"])), torch.from_numpy(y)).backward()
    net = make_net(module).fit(X, y)
    assert_allclose(
        net.module_.weight.detach(),
        (by_hand.weight - 0.1 * by_hand.weight.grad).detach(),
        rtol=1e-5,
        atol=1e-7,
    )


def test_one_trades_step_by_hand():
    """The outer loss is the mean of both losses, and the attacked points carry no gradient."""
    X, y = sample()
    module = nn.Linear(3, 2)
    by_hand = nn.Linear(3, 2)
    by_hand.load_state_dict(module.state_dict())
    kept = []

    class Keep(TradesObjective):
        def __call__(self, module, X, y, eps, beta, attack):
            def keep(*args, **kwargs):
                kept.append((X, attack(*args, **kwargs), y))
                return kept[0][1]

            assert_allclose(eps, 0.3)
            assert_allclose(beta, 6)
            return super().__call__(module, X, y, eps, beta, keep)

    net = make_net(module, Keep()).fit(X, y)
    ((X_batch, attacked, y_batch),) = kept
    clean, bad = by_hand(X_batch), by_hand(attacked)
    divergence = F.kl_div(
        bad.log_softmax(1), clean.log_softmax(1), log_target=True, reduction="none"
    ).sum(1)
    (F.cross_entropy(clean, y_batch) + 6 * divergence.mean()).backward()
    expected = (by_hand.weight - 0.1 * by_hand.weight.grad).detach()
    assert_allclose(net.module_.weight.detach(), expected, rtol=1e-4, atol=1e-6)


def test_history_holds_means_over_samples():
    X, y = sample(10)
    module = nn.Linear(3, 2)
    expected = F.cross_entropy(module(torch.from_numpy(X["X"])), torch.from_numpy(y)).item()
    # Batches of 4, 4 and 2: a mean of batch means would be another number.
    net = make_net(module, batch_size=4, lr=1e-12).fit(X, y)
    assert net.history[-1]["natural_loss"] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(net.history[-1]["robust_loss"])
    assert net.history[-1]["phase"] == "training"


def test_history_of_two_losses():
    class FirstGroupOnly(Strategy):
        def start(self, plan):
            plan = super().start(plan)
            return replace(plan, beta=torch.tensor([1.0, 0.0]))

    X, y = sample()
    module = nn.Linear(3, 2)
    loss = F.cross_entropy(
        module(torch.from_numpy(X["X"])), torch.from_numpy(y), reduction="none"
    ).detach()
    net = make_net(module, PgdObjective(), FirstGroupOnly(), batch_size=4, lr=1e-12).fit(X, y)
    row = net.history[-1]
    assert row["natural_loss"] == pytest.approx(loss[1::2].mean().item(), rel=1e-5)
    assert row["robust_loss"] > loss[0::2].mean().item()


def test_history_of_weighted_losses():
    X, y = sample(10)
    X["weight"] = np.linspace(0.1, 1, 10, dtype=np.float32)
    module = nn.Linear(3, 2)
    losses = F.cross_entropy(
        module(torch.from_numpy(X["X"])), torch.from_numpy(y), reduction="none"
    ).detach()
    net = make_net(module, batch_size=4, lr=1e-12).fit(X, y)
    expected = np.average(losses, weights=X["weight"])
    assert net.history[-1]["natural_loss"] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(net.history[-1]["robust_loss"])


def test_a_strategy_sees_the_weights():
    seen = []

    class Look(Strategy):
        def on_batch(self, plan, losses, groups):
            seen.append((groups, losses.weight))
            return plan

    X, y = sample()
    X["weight"] = np.where(X["groups"] == 0, 0.5, 1).astype(np.float32)
    make_net(nn.Linear(3, 2), strategy=Look(), batch_size=4).fit(X, y)
    assert len(seen) == 3
    for groups, weight in seen:
        assert_allclose(weight, np.where(groups == 0, 0.5, 1))


def test_the_strategy_is_asked_in_order():
    asked = []

    class Log(Strategy):
        def start(self, plan):
            asked.append("start")
            return super().start(plan)

        def on_epoch(self, epoch, plan, evaluator):
            asked.append(epoch)
            return replace(plan, phase=f"phase {epoch}")

        def on_batch(self, plan, losses, groups):
            asked.append((plan.phase, len(groups), losses.natural.requires_grad))
            return plan

    X, y = sample()
    net = make_net(nn.Linear(3, 2), strategy=Log(), batch_size=6, max_epochs=2).fit(X, y)
    assert asked == [
        "start",
        *(0, ("phase 0", 6, False), ("phase 0", 4, False)),
        *(1, ("phase 1", 6, False), ("phase 1", 4, False)),
    ]
    assert [row["phase"] for row in net.history] == ["phase 0", "phase 1"]


def test_a_plan_of_a_batch_lasts_for_that_batch():
    """on_batch decides the reduction of its own batch, and nothing after it."""
    seen = []

    class Silence(Strategy):
        def on_batch(self, plan, losses, groups):
            seen.append(plan)
            return replace(plan, natural_weight=0 * plan.natural_weight)

    X, y = sample()
    module = nn.Linear(3, 2)
    before = module.weight.detach().clone()
    make_net(module, strategy=Silence(), batch_size=5, max_epochs=2).fit(X, y)
    assert torch.equal(module.weight, before)
    assert all(plan is seen[0] for plan in seen)


def test_each_sample_gets_the_plan_of_its_group():
    class Rising(Strategy):
        def start(self, plan):
            plan = super().start(plan)
            return replace(plan, eps=torch.tensor([0.1, 0.2]), beta=torch.tensor([1.0, 2.0]))

    class Look(NaturalObjective):
        def __call__(self, module, X, y, eps, beta, attack):
            group = (X[:, 2] > 0).float()
            assert_allclose(eps, 0.1 * (group + 1))
            assert_allclose(beta, group + 1)
            self.seen = getattr(self, "seen", 0) + len(X)
            return super().__call__(module, X, y, eps, beta, attack)

    X, y = sample()
    X["X"][:, 2] = X["groups"] - 0.5
    look = Look()
    make_net(nn.Linear(3, 2), look, Rising(), batch_size=4).fit(X, y)
    assert look.seen == 10


def test_training_mode_in_every_step():
    class Look(NaturalObjective):
        def __call__(self, module, *args):
            assert module.training
            module.eval()  # as a careless objective would leave it
            return super().__call__(module, *args)

    X, y = sample()
    make_net(nn.Linear(3, 2), Look(), batch_size=4, max_epochs=2).fit(X, y)


def test_divergence_is_an_error():
    X, y = sample()
    X["X"] *= 100
    with pytest.raises(ValueError, match=r"in epoch \d: training diverged.*Lower lr"):
        make_net(nn.Linear(3, 2), lr=1e38, max_epochs=4).fit(X, y)
