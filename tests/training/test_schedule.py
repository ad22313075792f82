"""Learning rates over a run."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback

from robfair import FarmurClassifier, NaturalClassifier
from robfair.training import SCHEDULES

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((25, 3)), np.arange(25) % 2
TINY = {"hidden_layer_sizes": [4], "batch_size": 10, "max_epochs": 4, "random_state": 0}


class Rates(Callback):
    """The learning rate of every step."""

    def on_train_begin(self, net, **kwargs):
        self.rates_ = []

    def on_batch_end(self, net, **kwargs):
        self.rates_.append(net.optimizer_.param_groups[0]["lr"])


def rates(cls=NaturalClassifier, **params):
    watch = Rates()
    cls(callbacks=[watch], lr=0.01, **TINY | params).fit(X, Y, groups=Y)
    return np.array(watch.rates_)


@pytest.mark.parametrize(
    ("name", "done", "factor"),
    [
        ("step", [0, 0.49, 0.5, 0.74, 0.75, 1], [1, 1, 0.1, 0.1, 0.01, 0.01]),
        ("cosine", [0, 0.5, 1], [1, 0.5, 0]),
        ("cyclic", [0, 0.2, 0.4, 0.7, 1], [0, 0.5, 1, 0.5, 0]),
    ],
)
def test_factors(name, done, factor):
    np.testing.assert_allclose([SCHEDULES[name](part) for part in done], factor, atol=1e-15)


def test_every_batch_has_the_factor_of_its_middle():
    middles = (np.arange(12) + 0.5) / 12  # four epochs of three batches
    np.testing.assert_allclose(rates(lr_schedule=lambda done: done), 0.01 * middles)


def test_a_schedule_runs_over_both_phases_of_farmur():
    found = rates(FarmurClassifier, retrain_epochs=2, n_steps=1, lr_schedule=lambda done: done)
    n = 6 * 3
    np.testing.assert_allclose(found, 0.01 * (np.arange(n) + 0.5) / n)


def test_no_schedule_leaves_the_rate_alone():
    assert (rates() == 0.01).all()


def test_a_constant_schedule_is_no_schedule():
    fits = [NaturalClassifier(lr_schedule=s, **TINY).fit(X, Y) for s in (None, lambda done: 1.0)]
    one, other = (clf.predict_proba(X) for clf in fits)
    assert np.array_equal(one, other)


def test_groups_of_parameters_keep_their_ratio():
    class Two(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = torch.nn.Linear(3, 3), torch.nn.Linear(3, 2)

        def forward(self, x):
            return self.b(self.a(x))

    clf = NaturalClassifier(
        module=Two,
        lr=0.01,
        lr_schedule="cosine",
        net_params={"optimizer__param_groups": [("a.*", {"lr": 0.1})]},
        **{k: v for k, v in TINY.items() if k != "hidden_layer_sizes"},
    ).fit(X.astype(np.float32), Y)
    first, second = (group["lr"] for group in clf.net_.optimizer_.param_groups)
    assert first == pytest.approx(10 * second)
    assert second < 0.01


def test_the_order_of_batches_counts_those_left_out():
    """With a batch of one sample that is left out, the others keep their learning rates."""
    weight = np.ones(25)
    weight[3] = 0
    params = TINY | {"batch_size": 1, "max_epochs": 1}
    every, fewer = Rates(), Rates()
    for watch, w in ((every, None), (fewer, weight)):
        NaturalClassifier(callbacks=[watch], lr_schedule="cosine", **params).fit(
            X, Y, sample_weight=w
        )
    assert set(fewer.rates_) < set(every.rates_)
    assert len(fewer.rates_) == 24


@pytest.mark.parametrize("factor", [-0.5, np.nan, np.inf])
def test_a_bad_factor_is_an_error(factor):
    with pytest.raises(ValueError, match="finite factor"):
        NaturalClassifier(lr_schedule=lambda done: factor, **TINY).fit(X, Y)


def test_an_unknown_schedule_is_an_error():
    with pytest.raises(ValueError, match="lr_schedule"):
        NaturalClassifier(lr_schedule="linear", **TINY).fit(X, Y)


def test_the_history_has_the_rate():
    history = NaturalClassifier(lr_schedule="step", lr=0.01, **TINY).fit(X, Y).history_
    np.testing.assert_allclose(history["lr"], [0.01, 0.01, 0.001, 0.0001])
