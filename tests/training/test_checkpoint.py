"""Runs that are interrupted, and go on: the same weights, to the last bit."""

import os
import signal
import subprocess
import sys
import textwrap
from dataclasses import replace

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn

from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier
from robfair._tensorfile import read_tree, write_tree
from robfair.datasets import make_group_margins
from robfair.exceptions import OverfittingWarning, ResultsError
from robfair.training import GroupEvaluator, MarginControl, Snapshots, StartFrom, Strategy

DATA = make_group_margins(60, n_features=3, random_state=0)
TINY = {"max_epochs": 4, "batch_size": 16, "random_state": 0}
MOMENTUM = {"optimizer__momentum": 0.9, "optimizer__weight_decay": 1e-3}
SGD = {"optimizer": "sgd", "lr": 0.05, "net_params": MOMENTUM}


class Noisy(nn.Module):
    """Batch normalisation and dropout: state that is no weight, and draws of its own."""

    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2)
        )

    def forward(self, x):
        return self.net(x)


class Harder(Strategy):
    """Learns something in every epoch that the next one depends on."""

    def start(self, plan):
        self.seen_ = np.zeros(2)
        self.factor_ = 1.0
        return super().start(plan)

    def on_epoch(self, epoch, plan, evaluator):
        self.seen_ = self.seen_ + epoch
        self.factor_ *= 1 + 0.1 * float(self.seen_.sum())
        return replace(self.uniform_, eps=self.uniform_.eps * self.factor_)


class Hooked(Strategy):
    """Learns from the batches and the weights, draws, and samples groups by what it has learnt."""

    def start(self, plan):
        self.sum_, self.weights_ = 0.0, None
        return super().start(plan)

    def on_epoch(self, epoch, plan, evaluator):
        self.robustness_ = torch.from_numpy(evaluator.training(10).robustness())
        return replace(plan, sampling=1 / (0.1 + self.robustness_))

    def penalty(self, step):
        noise = step.attack.noise.draw(torch.randn, step.X)
        self.sum_ += float(step.losses.natural.detach().mean())
        return self.sum_ * 1e-3 * step.module(step.X + 0.1 * noise).square().mean()

    def accepts_average(self, epoch):
        return epoch != 1

    def after_epoch(self, end):
        now = end.average().state_dict()
        self.weights_ = {n: v.clone() for n, v in now.items()} if self.weights_ is None else {
            n: (v + now[n]) / 2 if v.is_floating_point() else v for n, v in self.weights_.items()
        }  # fmt: skip
        if end.epoch == 2:
            end.module.load_state_dict(now)

    def final_weights(self):
        return self.weights_

    def record(self):
        return {"sum": self.sum_, "rob": self.robustness_}


class Killed(Exception):
    pass


class Kill(Callback):
    """Ends the process, as it were, in the middle of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def on_batch_end(self, net, **kwargs):
        if net.epoch_ + 1 == self.epoch and net.batches_.place == 1:
            raise Killed


# A run so short evens out nothing, and would be undone at its end.
Unreviewed = type("Unreviewed", (MarginControl,), {"_review": lambda self, evaluator: None})
CASES = {
    "natural": (NaturalClassifier, {}),
    "trades": (AdversarialClassifier, {"n_steps": 2}),
    "pgd": (AdversarialClassifier, {"n_steps": 2, "objective": "pgd"}),
    "fast": (AdversarialClassifier, {"n_steps": 2, "objective": "n-fgsm"}),
    "strategy": (AdversarialClassifier, {"n_steps": 2, "strategy": Harder()}),
    "hooks": (
        AdversarialClassifier,
        {"n_steps": 2, "strategy": Hooked(), "averaging": 0.9, "module": Noisy},
    ),
    "even": (
        AdversarialClassifier,
        {"n_steps": 2, "strategy": Unreviewed(1), "averaging": 0.9, "lr": 0.01},
    ),
    "farmur": (FarmurClassifier, {"n_steps": 2, "retrain_epochs": 2, "max_epochs": 2}),
    "sgd": (AdversarialClassifier, {"n_steps": 2, **SGD}),
    "noisy": (FarmurClassifier, {"n_steps": 2, "module": Noisy, "max_epochs": 3}),
    "all": (
        FarmurClassifier,
        {
            "n_steps": 2, "retrain_epochs": 2, "max_epochs": 2, "module": Noisy, "averaging": 0.9,
            "early_stopping": True, "lr_schedule": "cyclic", **SGD,
        },
    ),
}  # fmt: skip


def fit(case, checkpoint=None, callbacks=(), **changes):
    cls, params = CASES[case]
    clf = cls(**TINY | params | changes, checkpoint=checkpoint, callbacks=list(callbacks))
    return clf.fit(DATA.X, DATA.y, groups=DATA.groups)


def assert_same(one, other):
    mine, theirs = one.module_.state_dict(), other.module_.state_dict()
    assert mine.keys() == theirs.keys()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert one.history_.keys() == other.history_.keys()
    for name in one.history_.keys() - {"dur"}:
        np.testing.assert_array_equal(one.history_[name], other.history_[name])


@pytest.fixture(scope="module")
def whole():
    return {name: fit(name) for name in CASES}


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [1, 2, 3, 4])
@pytest.mark.parametrize("case", CASES)
def test_killed_in_any_epoch(case, epoch, whole, tmp_path):
    path = tmp_path / "run.safetensors"
    with pytest.raises(Killed):
        fit(case, path, [Kill(epoch)])
    torch.manual_seed(99)  # nothing may depend on the state in which the process starts
    assert_same(fit(case, path), whole[case])
    if case == "farmur":
        resumed = fit(case, path)
        assert np.array_equal(resumed.vulnerable_groups_, whole[case].vulnerable_groups_)
        assert np.array_equal(resumed.group_robustness_, whole[case].group_robustness_)


@pytest.mark.slow
def test_killed_twice(whole, tmp_path):
    path = tmp_path / "run.safetensors"
    for epoch in (2, 4):
        with pytest.raises(Killed):
            fit("all", path, [Kill(epoch)])
    assert_same(fit("all", path), whole["all"])


def test_a_finished_run_is_not_run_again(whole, tmp_path):
    path = tmp_path / "run.safetensors"
    fit("all", path)
    assert_same(fit("all", path, [Kill(n) for n in range(1, 9)]), whole["all"])


def test_a_run_that_stopped_early_stays_stopped(tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    monkeypatch.setattr(GroupEvaluator, "robust_accuracy", lambda self, module: 0.5)
    params = {"early_stopping": True, "n_iter_no_change": 1}
    first = fit("trades", path, **params)
    again = fit("trades", path, [Kill(n) for n in range(1, 9)], **params)
    assert len(first.history_["epoch"]) == 2
    assert_same(again, first)


def test_a_collapse_is_remembered(tmp_path, monkeypatch):
    """After the guard has given up single steps, a resumed run does not go back to them."""
    several = iter([])
    single = np.full(3, 100)
    monkeypatch.setattr(
        GroupEvaluator,
        "robustly_correct",
        lambda self, module: (single, single, np.full(3, next(several))),
    )
    whole = []
    for kill in (None, 4):
        several = iter([90, 10])
        path = tmp_path / f"{kill}.safetensors"
        if kill:
            with pytest.warns(OverfittingWarning), pytest.raises(Killed):
                fit("fast", path, [Kill(kill)])
            whole.append(fit("fast", path))
        else:
            with pytest.warns(OverfittingWarning):
                whole.append(fit("fast", path))
    assert_same(*whole)


@pytest.mark.slow
def test_a_real_kill(tmp_path):
    """``kill -9`` between two batches of the third epoch of another process."""
    path = tmp_path / "run.safetensors"
    script = textwrap.dedent(
        """
        import os, signal, sys
        from skorch.callbacks import Callback
        from robfair import FarmurClassifier
        from robfair.datasets import make_group_margins

        class Kill(Callback):
            def on_batch_end(self, net, **kwargs):
                if net.epoch_ == 2:
                    os.kill(os.getpid(), signal.SIGKILL)

        data = make_group_margins(60, n_features=3, random_state=0)
        FarmurClassifier(
            max_epochs=2, retrain_epochs=2, n_steps=2, batch_size=16, random_state=0,
            checkpoint=sys.argv[1], callbacks=[Kill()],
        ).fit(data.X, data.y, groups=data.groups)
        """
    )
    file = tmp_path / "script.py"
    file.write_text(script)
    run = [sys.executable, str(file), str(path)]
    killed = subprocess.run(run, capture_output=True, env=os.environ)
    assert killed.returncode == -signal.SIGKILL
    assert len(read_tree(path)["content"]["history"]) == 2
    assert not list(tmp_path.glob(".run*"))
    options = {
        "max_epochs": 2, "retrain_epochs": 2, "n_steps": 2, "batch_size": 16, "random_state": 0,
    }  # fmt: skip
    done, whole = (
        FarmurClassifier(checkpoint=file, **options).fit(DATA.X, DATA.y, groups=DATA.groups)
        for file in (path, None)
    )
    assert len(done.history_["epoch"]) == 4
    state = done.module_.state_dict()
    assert all(
        torch.equal(value, state[name]) for name, value in whole.module_.state_dict().items()
    )


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"lr": 0.5}, r"estimator's lr \(0.001, now 0.5\)"),
        ({"random_state": 1}, "random_state"),
        ({"max_epochs": 5}, "max_epochs"),
        ({"lr_schedule": "step"}, "lr_schedule"),
    ],
)
def test_another_run_is_refused(changes, named, tmp_path):
    path = tmp_path / "run.safetensors"
    fit("trades", path)
    before = path.read_bytes()
    with pytest.raises(ResultsError, match=named):
        fit("trades", path, **changes)
    assert path.read_bytes() == before


def test_other_data_are_refused(tmp_path):
    clf = NaturalClassifier(checkpoint=tmp_path / "run", **TINY).fit(DATA.X, DATA.y)
    with pytest.raises(ResultsError, match="X"):
        clf.fit(DATA.X + 1, DATA.y)
    with pytest.raises(ResultsError, match="sample_weight"):
        clf.fit(DATA.X, DATA.y, sample_weight=np.arange(len(DATA.y)))
    with pytest.raises(ResultsError, match="groups"):
        clf.fit(DATA.X, DATA.y, groups=DATA.groups)


def test_what_the_weights_do_not_depend_on_may_change(tmp_path, whole, capfd):
    path = tmp_path / "run.safetensors"
    with pytest.raises(Killed):
        fit("trades", path, [Kill(3)])
    assert_same(fit("trades", path, verbose=1), whole["trades"])
    shown = capfd.readouterr().err.replace("\r", "\n")
    assert "2/4" in shown.strip().splitlines()[0]  # the bar begins where the file ends
    path.rename(tmp_path / "moved")
    assert_same(fit("trades", tmp_path / "moved"), whole["trades"])


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_file_is_refused(content, tmp_path):
    path = tmp_path / "run.safetensors"
    path.write_bytes(content)
    with pytest.raises(ResultsError, match="damaged"):
        fit("trades", path)


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "run.safetensors"
    write_tree(path, {"weights": torch.zeros(3)})
    with pytest.raises(ResultsError, match="damaged, or not a checkpoint"):
        fit("trades", path)


@pytest.mark.parametrize("state", [None, np.random.RandomState(0)])
def test_the_seed_must_be_known(state, tmp_path):
    with pytest.raises(ValueError, match="random_state must be an integer"):
        fit("trades", tmp_path / "run", random_state=state)
    assert not list(tmp_path.iterdir())


def test_a_warm_start_is_another_way(tmp_path):
    with pytest.raises(ValueError, match="warm_start"):
        fit("trades", tmp_path / "run", warm_start=True)


def test_a_folder_is_made(tmp_path):
    path = tmp_path / "new" / "folder" / "run.safetensors"
    fit("natural", path)
    assert path.exists()


# One run that begins with the state of another


def test_farmur_from_a_snapshot_is_farmur_from_the_beginning(whole):
    class HeldOut(Strategy):
        """Trains on the same samples as FARMUR, and attacks all of them throughout."""

        needs_held_out = True

    shots = Snapshots([2])
    AdversarialClassifier(
        strategy=HeldOut(), callbacks=[shots], averaging=0.9, **TINY | {"n_steps": 2}
    ).fit(DATA.X, DATA.y, groups=DATA.groups)
    forked = fit("farmur", callbacks=[StartFrom(shots.states_[2])])
    mine, theirs = forked.module_.state_dict(), whole["farmur"].module_.state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert np.array_equal(forked.vulnerable_groups_, whole["farmur"].vulnerable_groups_)
    assert len(forked.history_["epoch"]) == 4


@pytest.mark.parametrize("optimizer", [{}, SGD], ids=["adam", "sgd"])
def test_two_runs_begin_with_the_same_snapshot(optimizer):
    """A run does not change the state that it begins with."""
    shots, params = Snapshots([2]), {**TINY, **optimizer, "n_steps": 2}
    AdversarialClassifier(callbacks=[shots], **params).fit(DATA.X, DATA.y, groups=DATA.groups)
    first, second = (
        AdversarialClassifier(callbacks=[StartFrom(shots.states_[2])], **params)
        .fit(DATA.X, DATA.y, groups=DATA.groups)
        .module_.state_dict()
        for _ in range(2)
    )
    assert all(torch.equal(first[name], value) for name, value in second.items())


def test_snapshots_are_of_their_epochs_and_do_not_change(whole):
    shots = Snapshots([1, 4])
    clf = fit("trades", callbacks=[shots])
    assert shots.states_.keys() == {1, 4}
    last = shots.weights_[4]
    assert all(torch.equal(last[name], value) for name, value in clf.module_.state_dict().items())
    short = AdversarialClassifier(**TINY | {"max_epochs": 1, "n_steps": 2}).fit(
        DATA.X, DATA.y, groups=DATA.groups
    )
    first = shots.weights_[1]
    assert all(
        torch.equal(first[name], value) for name, value in short.module_.state_dict().items()
    )


def test_snapshots_hold_the_average_of_their_epoch():
    """That of a run which ends there: without a schedule, its steps are the same."""
    shots = Snapshots([1, 4])
    averaged = {**TINY, "averaging": 0.9, "n_steps": 2}
    AdversarialClassifier(callbacks=[shots], **averaged).fit(DATA.X, DATA.y)
    short = AdversarialClassifier(**averaged | {"max_epochs": 1}).fit(DATA.X, DATA.y)
    average = shots.states_[1]["average"]
    for name, value in short.module_.state_dict().items():
        assert torch.equal(average[f"module.{name}"], value)
        assert not torch.equal(average[f"module.{name}"], shots.weights_[1][name])


def test_snapshots_outlive_an_interruption(tmp_path):
    path = tmp_path / "run.safetensors"
    with pytest.raises(Killed):
        fit("trades", path, [Snapshots([1]), Kill(3)])
    shots = Snapshots([1])
    fit("trades", path, [shots])
    assert shots.weights_.keys() == {1}
