"""EvenMargins: what it evens out, and when it does nothing, stops, or takes an epoch back."""

import pickle
import warnings

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.utils import Bunch

from robfair import AdversarialClassifier, ThreatModel, boundary_distance
from robfair.datasets import make_group_margins
from robfair.exceptions import ControlWarning
from robfair.training import GroupEvaluator, MarginControl, Snapshots, StartFrom, Strategy
from robfair.training._cells import Cells
from robfair.training._cheap_distance import CheapDistance

# Of a run so short, or so disturbed, that it is undone at its end.
undone = pytest.mark.filterwarnings("ignore:margins are not evened out")

SETTINGS = {
    "hidden_layer_sizes": [16], "n_steps": 2, "max_epochs": 14, "batch_size": 32, "lr": 0.01,
    "averaging": 0.9, "validation_fraction": 0.2, "random_state": 0,
}  # fmt: skip
BEGIN = 6


def imbalanced(sizes=((60, 60), (90, 20), (20, 90))):
    """Pairs of clusters: one group alike, and two whose smaller class the boundary is near."""
    rng = np.random.default_rng(0)
    X, y, groups = [], [], []
    for group, pair in enumerate(sizes):
        for label, n in enumerate(pair):
            X.append(rng.normal((2 * label - 1, 4 * group - 4), 0.45, (n, 2)))
            y.append(np.full(n, label))
            groups.append(np.full(n, group))
    return Bunch(X=np.concatenate(X), y=np.concatenate(y), groups=np.concatenate(groups))


UNEVEN = imbalanced()
# The groups to even out: the classes, one of which has a third of the samples.
MORE_OF_ONE = imbalanced(((90, 20), (100, 30)))


class HoldOut(Strategy):
    needs_held_out = True


def fit(strategy=None, data=UNEVEN, groups=None, **changes):
    strategy = MarginControl(BEGIN) if strategy is None else strategy
    clf = AdversarialClassifier(strategy=strategy, **SETTINGS | changes)
    return clf.fit(data.X, data.y, groups=data.groups if groups is None else groups)


def robustness(clf, data=UNEVEN, groups=None, **threat):
    found = boundary_distance(
        clf, data.X, y=data.y, method="strong", threat_model=ThreatModel(**threat)
    )
    distance = np.where(found.status == "skipped", 0, found.distance)
    groups = data.groups if groups is None else groups
    return np.array([distance[groups == group].mean() for group in np.unique(groups)])


def same(one, other):
    mine, theirs = one.module_.state_dict(), other.module_.state_dict()
    return all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.slow
@pytest.mark.parametrize("norm", [2, np.inf])
def test_margins_are_evened_out(norm):
    """By "strong": the spread falls by more than half, and the worst group gains."""
    threat = {"norm": norm}
    settings = {
        "data": MORE_OF_ONE, "groups": MORE_OF_ONE.y, "threat_model": ThreatModel(**threat),
        "batch_size": 16,
    }  # fmt: skip
    plain, even = fit(HoldOut(), **settings), fit(**settings)
    before, after = (robustness(clf, MORE_OF_ONE, MORE_OF_ONE.y, **threat) for clf in (plain, even))
    assert after.std() / after.mean() < 0.5 * before.std() / before.mean()
    assert after.min() > before.min()
    assert even.score(MORE_OF_ONE.X, MORE_OF_ONE.y) > 0.95
    strategy = even.strategy_
    assert strategy.state_ == "controlling"
    assert strategy.agreement_ > 0.95
    assert even.history_["phase"].tolist() == ["adversarial"] * BEGIN + ["even margins"] * 8
    coefficient = even.history_["coefficient"]
    assert coefficient.shape == (14, 2)
    assert np.isnan(coefficient[:BEGIN]).all()
    assert coefficient[BEGIN, 1] > coefficient[BEGIN, 0]  # the weaker class is pushed
    assert len(pickle.dumps(even)) < 3 * len(pickle.dumps(plain))  # no copies are left


def test_nothing_is_done_where_groups_are_even():
    """The same network, to the last bit, as without the strategy."""
    data = make_group_margins(300, n_features=3, margins=(1.0, 1.0, 1.0), random_state=0)
    groups = np.random.default_rng(1).permutation(data.groups)
    changes = {"max_epochs": 6, "groups": groups, "data": data}
    even = fit(MarginControl(3), **changes)
    assert even.strategy_.state_ == "even"
    assert same(even, fit(HoldOut(), **changes))
    assert "coefficient" not in even.history_


def test_a_distance_that_is_not_to_be_trusted_steers_nothing(monkeypatch):
    """With one start and none of its steps, the cheap distance is far off."""
    changes = {"max_epochs": 6}
    plain = fit(HoldOut(), **changes)
    monkeypatch.setattr(
        GroupEvaluator, "distances", lambda self, tau_max=None: np.arange(len(self.X)) % 7 / 7
    )
    with pytest.warns(ControlWarning, match="margins are not evened out: .* correlation of"):
        distrusted = fit(MarginControl(3), **changes)
    assert distrusted.strategy_.state_ == "distrusted"
    assert same(distrusted, plain)


@undone
def test_more_starts_are_taken_where_they_are_needed(monkeypatch):
    """As often as they agree with "strong" too little.

    "strong" takes by far most of the time on large networks, and searches the same rows once.
    """
    answers = iter([(0.6, 1.0), (0.9, 1.0), (0.9, 1.0)])
    monkeypatch.setattr(CheapDistance, "agreement", lambda *args: next(answers))
    searched = []
    search = CheapDistance.search

    def spy(self, module, X, *args):
        searched.append((self.n_starts, len(X)))
        return search(self, module, X, *args)

    monkeypatch.setattr(CheapDistance, "search", spy)
    strong, asked = CheapDistance.strong, []
    monkeypatch.setattr(
        CheapDistance, "strong", lambda self, some: asked.append(1) or strong(self, some)
    )
    clf = fit(MarginControl(1), max_epochs=2)
    assert clf.strategy_.starts_ == 8
    assert len(asked) == 2  # before the control, for both numbers of starts, and at the end
    batches = [n for n, size in searched if size == SETTINGS["batch_size"]]
    assert batches == [8] * 4  # every other batch of the eight of the one epoch


@pytest.mark.parametrize(
    ("n_starts", "n_steps", "n_batches", "stride"),
    [(4, 10, 500, 2), (16, 10, 500, 8), (4, 2, 500, 5), (16, 2, 500, 19), (16, 2, 37, 3),
     (16, 2, 9, 2)],
)  # fmt: skip
def test_the_term_comes_as_often_as_its_searches_are_worth(n_starts, n_steps, n_batches, stride):
    """They take 0.7 of the passes of the objective at most, unless batches are few."""
    strategy = MarginControl(0)
    strategy.n_classes_, strategy.starts_, strategy.scale_ = 10, n_starts, 1.0
    step = Bunch(attack=Bunch(n_steps=n_steps), n_batches=n_batches)
    assert strategy._stride(step) == stride
    strategy.gain = 0.0
    assert strategy._stride(step) >= stride
    if stride not in (2, 3):
        assert (n_starts * 4 + 1.5) / stride <= 0.7 * (n_steps + 3)


def test_distrust_at_the_end_brings_the_beginning_back(monkeypatch):
    answers = iter([(0.99, 1.0), (0.99, 1.3)])
    monkeypatch.setattr(CheapDistance, "agreement", lambda *args: next(answers))
    with pytest.warns(ControlWarning, match="1.30 times their mean"):
        clf = fit(MarginControl(3), max_epochs=6)
    assert same(clf, fit(HoldOut(), max_epochs=3))


def test_epochs_that_ruin_the_network_are_taken_back(monkeypatch):
    """After three in a row, training goes on from where control began."""
    monkeypatch.setattr(MarginControl, "_has_fallen", lambda self, evaluator: True)
    with pytest.warns(ControlWarning, match="accuracy or Rob.f. fell in 3 epochs in a row"):
        clf = fit(MarginControl(3), max_epochs=6)
    assert (clf.strategy_.taken_back_, clf.strategy_.state_) == (3, "in vain")
    assert (clf.strategy_.control_["gain"] <= 7 / 2**3).all()
    assert same(clf, fit(HoldOut(), max_epochs=3))
    with pytest.warns(ControlWarning):
        longer = fit(MarginControl(3), max_epochs=7)
    assert longer.strategy_.taken_back_ == 3
    assert not same(longer, clf)


def test_a_good_epoch_in_between_lets_the_control_go_on(monkeypatch):
    """Each time with half the coefficients; the comparison at the end has the last word."""
    fallen = iter([True, True, False, True, True])
    monkeypatch.setattr(MarginControl, "_has_fallen", lambda self, evaluator: next(fallen))
    monkeypatch.setattr(MarginControl, "_review", lambda self, evaluator: None)
    clf = fit(MarginControl(3), max_epochs=8)
    assert (clf.strategy_.taken_back_, clf.strategy_.state_) == (4, "controlling")
    assert (clf.strategy_.control_["gain"] <= 7 / 2**4).all()
    assert not same(clf, fit(HoldOut(), max_epochs=3))


class Broken(MarginControl):
    """Pushes the weaker class over the boundary."""

    def penalty(self, step):
        super().penalty(step)
        if self.state_ == "controlling":
            return -3 * ((step.y == 1) * step.losses.natural).mean()
        return None


@pytest.mark.parametrize("sees", [True, False])
def test_a_control_that_does_harm_is_undone(sees, monkeypatch):
    """The user has the network from before, and is told, even if what steers sees nothing."""
    monkeypatch.setattr(MarginControl, "_has_fallen", lambda self, evaluator: False)
    if not sees:
        spreads = iter((0, 1))  # after, and before
        monkeypatch.setattr(Cells, "spread", lambda *args: next(spreads))
    settings = {"data": MORE_OF_ONE, "groups": MORE_OF_ONE.y, "validation_fraction": 0.4}
    harm = "training samples is not more even" if sees else "V_f rose from .* held-out samples"
    with pytest.warns(ControlWarning, match=harm):
        clf = fit(Broken(3), max_epochs=6, **settings)
    assert clf.strategy_.state_ == "in vain"
    assert same(clf, fit(HoldOut(), max_epochs=3, **settings))


@pytest.mark.slow
def test_a_gain_out_of_all_proportion_does_no_harm():
    """No NaN, no runaway: epochs are taken back, and accuracy stays."""
    plain = fit(HoldOut())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ControlWarning)  # it may have to be undone
        clf = fit(MarginControl(BEGIN, gain=3000.0))
    assert all(bool(torch.isfinite(v).all()) for v in clf.module_.state_dict().values())
    assert clf.score(UNEVEN.X, UNEVEN.y) > plain.score(UNEVEN.X, UNEVEN.y) - 0.06
    ratio = robustness(clf).mean() / robustness(plain).mean()
    assert 0.8 < ratio < 1.5


@undone
def test_within_labels():
    """Groups are compared with the mean of their class, in which each counts once."""
    even = fit(MarginControl(3, within_labels=True), max_epochs=5)
    assert even.history_["coefficient"].shape == (5, 2, 3)
    strategy = even.strategy_
    found = strategy.group_robustness()
    assert_allclose(strategy.base_.reshape(2, 3), np.repeat(found.mean(1)[:, None], 3, axis=1))
    first = even.history_["coefficient"][3]
    weakest = found.argmin(axis=1)
    assert (first[[0, 1], weakest] > first.mean(axis=1)).all()


@undone
def test_without_a_warm_up_and_without_averages():
    clf = fit(MarginControl(0), max_epochs=2, averaging=None)
    assert clf.history_["phase"].tolist() == ["even margins"] * 2
    assert np.isfinite(clf.history_["train_robustness"]).all()


@pytest.mark.slow
@undone
def test_a_run_that_goes_on_from_another_one():
    """From shared adversarial training, as if it had been its own; without averages, to the bit."""
    snapshots, settings = Snapshots([3]), {"averaging": None}
    fit(HoldOut(), max_epochs=3, callbacks=[snapshots], **settings)
    start = StartFrom(snapshots.states_[3])
    shared = fit(MarginControl(3), max_epochs=5, callbacks=[start], **settings)
    assert same(shared, fit(MarginControl(3), max_epochs=5, **settings))
    assert shared.history_["phase"].tolist() == ["training"] * 3 + ["even margins"] * 2


@undone
def test_the_first_epoch_of_all_can_be_taken_back(monkeypatch):
    monkeypatch.setattr(MarginControl, "_has_fallen", lambda self, evaluator: True)
    clf = fit(MarginControl(0), max_epochs=1, averaging=None)
    assert clf.strategy_.taken_back_ == 1
