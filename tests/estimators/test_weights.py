"""sample_weight: weighted means, and samples that are left out without a trace."""

from dataclasses import replace

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.model_selection import cross_validate
from skorch.callbacks import Callback
from torch import nn

from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier
from robfair.datasets import make_group_margins
from robfair.training import Strategy
from robfair.training import _objectives as objectives

# A tiny network that is barely trained may predict one class for all of the held-out samples.
pytestmark = pytest.mark.filterwarnings("ignore::robfair.exceptions.CensoredDistanceWarning")

SMALL = make_group_margins(45, n_features=3, random_state=1)
N = len(SMALL.X)
X32 = SMALL.X.astype(np.float32)


def weights(clf):
    return torch.cat([p.detach().flatten() for p in clf.module_.parameters()])


def linear(n_classes=2):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Linear(3, n_classes)


def without(*left_out):
    return (~np.isin(np.arange(N), left_out)).astype(float)


def index(rows):
    """Positions in SMALL of the samples in a batch."""
    return [int(np.flatnonzero((row == X32).all(axis=1))[0]) for row in np.asarray(rows)]


class Watch(Callback):
    """The rows of every batch, and the evaluator."""

    def __init__(self):
        self.rows = []

    def on_train_begin(self, net, **kwargs):
        self.evaluator = net.evaluator

    def on_batch_begin(self, net, batch=None, **kwargs):
        self.rows.append(index(batch[0]["X"]))


class SecondAndThirdGroup(Strategy):
    """Attack two groups out of three, so that only part of a batch is attacked."""

    def start(self, setting):
        return replace(super().start(setting), beta=torch.tensor([0.0, 6.0, 6.0]))


@pytest.fixture
def starts(monkeypatch):
    """Random starts of every sample, in the order of the epochs."""
    seen = {i: [] for i in range(N)}
    search = objectives.projected_gradient

    def spy(forward_vjp, weights, ball, *, start, step, n_steps):
        for i, point in zip(index(ball.X), start, strict=True):
            seen[i].append(point.tolist())
        return search(forward_vjp, weights, ball, start=start, step=step, n_steps=n_steps)

    monkeypatch.setattr(objectives, "projected_gradient", spy)
    return seen


@pytest.mark.parametrize("left_out", [[0], [17], [44], [3, 4, 30]])
def test_a_weight_of_0_is_a_step_less_and_nothing_else(left_out):
    """Batches of one: training is a loop over the order, from which samples are taken out."""
    by_hand, watch = linear(), Watch()
    params = {"module": linear, "optimizer": "sgd", "lr": 0.1, "batch_size": 1, "max_epochs": 2}
    every = NaturalClassifier(**params, random_state=0, callbacks=[watch]).fit(X32, SMALL.y)
    found = NaturalClassifier(**params, random_state=0)
    found.fit(X32, SMALL.y, sample_weight=without(*left_out))
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.1)
    assert len(watch.rows) == 2 * N
    for (row,) in watch.rows:
        if row not in left_out:
            optimizer.zero_grad()
            logits = by_hand(torch.from_numpy(X32[[row]]))
            nn.functional.cross_entropy(logits, torch.tensor([SMALL.y[row]])).backward()
            optimizer.step()
    assert torch.equal(found.module_.weight, by_hand.weight)
    assert torch.equal(found.module_.bias, by_hand.bias)
    assert not torch.equal(every.module_.weight, by_hand.weight)


@pytest.mark.parametrize("objective", ["trades", "pgd"])
@pytest.mark.parametrize("strategy", [None, SecondAndThirdGroup()])
@pytest.mark.parametrize("left_out", [[0], [31, 32]])
def test_order_batches_and_random_starts_of_the_others_stay(starts, objective, strategy, left_out):
    found = []
    for weight in (None, without(*left_out)):
        watch = Watch()
        AdversarialClassifier(
            objective=objective, strategy=strategy, hidden_layer_sizes=[4], n_steps=1,
            batch_size=16, max_epochs=2, random_state=3, callbacks=[watch],
        ).fit(SMALL.X, SMALL.y, groups=SMALL.groups, sample_weight=weight)  # fmt: skip
        found.append((watch.rows, {i: list(points) for i, points in starts.items()}))
        for points in starts.values():
            points.clear()
    (every, all_starts), (some, some_starts) = found
    assert some == [[row for row in batch if row not in left_out] for batch in every]
    attacked = [i for i in range(N) if strategy is None or SMALL.groups[i] > 0]
    for i in range(N):
        assert len(all_starts[i]) == (2 if i in attacked else 0)
        assert some_starts[i] == ([] if i in left_out else all_starts[i])


def test_dropout_of_other_batches_stays():
    masks = []

    class Dropout(nn.Module):
        def forward(self, X):
            mask = nn.functional.dropout(torch.ones_like(X), training=self.training)
            if self.training:
                masks.append(mask)
            return X * mask

    watch, found = Watch(), []
    for weight in (None, without(7)):
        NaturalClassifier(
            module=nn.Sequential(Dropout(), linear()), batch_size=8, max_epochs=3,
            random_state=0, callbacks=[watch],
        ).fit(SMALL.X, SMALL.y, sample_weight=weight)  # fmt: skip
        found.append(list(masks))
        masks.clear()
    same = [torch.equal(a, b) for a, b in zip(*found, strict=True)]
    assert same == [7 not in rows for rows in watch.rows[: len(same)]]
    assert same.count(False) == 3


def test_batch_statistics_are_those_of_the_others():
    clf = NaturalClassifier(
        module=nn.Sequential(nn.BatchNorm1d(3, momentum=None), linear()), max_epochs=1,
        batch_size=999, random_state=0,
    ).fit(1000 * without(5)[:, None] + SMALL.X, SMALL.y, sample_weight=without(5))  # fmt: skip
    expected = 1000 + SMALL.X[without(5) > 0].mean(axis=0)
    assert_allclose(clf.module_[0].running_mean, expected, rtol=1e-4)


def fit_farmur(weight=None, **changes):
    watch = Watch()
    clf = FarmurClassifier(
        hidden_layer_sizes=[4], n_steps=1, batch_size=16, max_epochs=1, retrain_epochs=1,
        validation_fraction=0.3, random_state=0, callbacks=[watch], **changes,
    )  # fmt: skip
    clf.fit(SMALL.X, SMALL.y, groups=SMALL.groups, sample_weight=weight)
    return clf, watch


def test_farmur_holds_out_and_judges_the_same_others():
    _, full = fit_farmur()
    held = index(full.evaluator.X)
    trained = {row for rows in full.rows for row in rows}
    assert sorted([*held, *trained]) == list(range(N))
    for left_out in (held[0], min(trained)):
        _, found = fit_farmur(without(left_out))
        assert index(found.evaluator.X) == [row for row in held if row != left_out]
        assert found.rows[:2] == [[r for r in rows if r != left_out] for rows in full.rows[:2]]
        assert left_out not in {row for rows in found.rows for row in rows}


def test_a_group_without_weight_cannot_be_judged():
    _, full = fit_farmur()
    held = np.isin(np.arange(N), index(full.evaluator.X))
    in_group = SMALL.groups == 1
    for zero, what in ((held, "held out"), (~held, "trained on"), (held | ~held, "held out")):
        weight = np.where(in_group & zero, 0.0, 1.0)
        with pytest.raises(ValueError, match=rf"group 1 has no sample of weight above 0.*{what}"):
            fit_farmur(weight)


def test_nothing_is_learnt_from_a_left_out_sample(make, data):
    """Not in training, not in the judgement of groups, wherever the sample lies."""
    groups, weight = np.arange(120) % 2, np.ones(120)
    weight[[3, 50, 51, 119]] = 0
    far = data.X + 50 * (weight == 0)[:, None]
    fits = [make().fit(X, data.y, groups=groups, sample_weight=weight) for X in (data.X, far)]
    assert torch.equal(*map(weights, fits))
    for name in fits[0].history_.keys() - {"dur"}:
        np.testing.assert_array_equal(fits[0].history_[name], fits[1].history_[name])


def test_equal_weights_are_no_weights(make, data):
    fits = [
        make().fit(data.X, data.y, groups=data.groups, sample_weight=weight)
        for weight in (None, np.ones(120), [7] * 120, np.full(120, 1e-300))
    ]
    assert all(torch.equal(weights(fits[0]), weights(fit)) for fit in fits[1:])


def test_only_ratios_matter(make, data):
    weight = np.random.default_rng(0).random(120)
    weight[:9] = 0
    given = weight.copy()
    fits = [
        make().fit(data.X, data.y, groups=data.groups, sample_weight=values)
        for values in (given, 2.0**70 * weight, 2.0**-900 * weight)
    ]
    assert all(torch.equal(weights(fits[0]), weights(fit)) for fit in fits[1:])
    plain = make().fit(data.X, data.y, groups=data.groups)
    assert not torch.equal(weights(fits[0]), weights(plain))
    assert np.array_equal(given, weight)


@settings(max_examples=15)
@given(st.lists(st.integers(0, 4), min_size=N, max_size=N))
def test_whole_weights_are_repetitions(times):
    """In batches that hold all samples, where order and batches cannot make a difference."""
    times = np.array(times)
    times[:2] = 1
    y = np.arange(N) % 2
    params = {"module": linear, "optimizer": "sgd", "lr": 0.3, "batch_size": 999, "max_epochs": 4}
    one, other = (NaturalClassifier(**params, random_state=0) for _ in range(2))
    one.fit(SMALL.X, y, sample_weight=times)
    other.fit(SMALL.X.repeat(times, axis=0), y.repeat(times))
    assert_allclose(weights(one), weights(other), rtol=1e-4, atol=1e-5)
    assert_allclose(one.history_["natural_loss"], other.history_["natural_loss"], rtol=1e-4)


def test_a_weight_too_small_for_float32_leaves_nobody_out():
    """Batches of one: any weight above 0 is a step, and a whole one."""
    params = {"hidden_layer_sizes": [3], "batch_size": 1, "max_epochs": 1, "random_state": 0}
    plain = NaturalClassifier(**params).fit(SMALL.X, SMALL.y)
    weight = np.where(np.arange(N) < 9, 1e-200, 1.0)
    tiny = NaturalClassifier(**params).fit(SMALL.X, SMALL.y, sample_weight=weight)
    assert_allclose(weights(tiny), weights(plain), rtol=1e-6)


@pytest.mark.parametrize("wrap", [list, tuple, pd.Series, pl.Series, torch.tensor])
def test_containers(wrap):
    weight = np.linspace(0, 1, N)
    clf, other = (NaturalClassifier(hidden_layer_sizes=[3], random_state=0) for _ in range(2))
    clf.fit(SMALL.X, SMALL.y, sample_weight=wrap(weight.tolist()))
    other.fit(SMALL.X, SMALL.y, sample_weight=np.asarray(wrap(weight.tolist())))
    assert torch.equal(weights(clf), weights(other))


BAD = [
    (-without(3) * (np.arange(N) == 1), "sample_weight is negative for 1 of 45 .*least is -1"),
    (np.where(np.arange(N) == 4, np.nan, 1), "sample_weight contains NaN"),
    (np.where(np.arange(N) == 4, np.inf, 1), "sample_weight contains infinity"),
    (np.zeros(N), "sample_weight is zero for all samples"),
    (np.ones(N - 1), r"shape \(45,\); got shape \(44,\)"),
    (np.ones((N, 1)), r"shape \(45,\); got shape \(45, 1\)"),
    (2.0, r"shape \(45,\); got shape \(\)"),
    (["heavy"] * N, "could not convert string to float"),
    (SMALL.y, r"weight above 0 have 1 of the classes in y, \[1\].*needs at least two"),
]


@pytest.mark.parametrize(("weight", "message"), BAD, ids=[m for _, m in BAD])
def test_bad_weights(make, weight, message):
    with pytest.raises(ValueError, match=message):
        make().fit(SMALL.X, SMALL.y, groups=SMALL.groups, sample_weight=weight)


def test_a_class_that_is_left_out_keeps_its_output():
    """So that the others start from the same initial weights."""
    y = np.arange(N) % 3
    clf = NaturalClassifier(hidden_layer_sizes=[8], lr=0.05, batch_size=8, random_state=0)
    clf.fit(SMALL.X, y, sample_weight=(y != 2).astype(float))
    assert clf.classes_.tolist() == [0, 1, 2]
    assert not (clf.predict(SMALL.X) == 2).any()


def test_it_is_requested_like_any_metadata(make, data):
    """By the user, as everywhere in scikit-learn; groups are requested by the class."""
    seen = []

    class Look(Callback):
        def on_batch_begin(self, net, batch=None, **kwargs):
            seen.append("weight" in batch[0])

    params = {"groups": data.groups, "sample_weight": np.linspace(0.5, 1, 120)}
    clf = make(callbacks=[Look()])
    with sklearn.config_context(enable_metadata_routing=True):
        with pytest.raises(sklearn.exceptions.UnsetMetadataPassedError, match="sample_weight"):
            cross_validate(clf, data.X, data.y, cv=2, params=params)
        clf.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        cross_validate(clf, data.X, data.y, cv=2, params=params, error_score="raise")
    assert seen
    assert all(seen)


def test_it_says_that_it_leaves_out_by_weight(make):
    assert make().leaves_out_by_weight is True
