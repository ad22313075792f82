"""Training for paper A: what the methods are, beside the estimators themselves."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from papers import measures_of
from robfair import AdversarialClassifier, NaturalClassifier, boundary_distance
from robfair.models import load_weights
from robfair.reproduction import FARMUR, reproduce
from robfair.reproduction._paper import Task
from robfair.reproduction._records import Run
from robfair.reproduction.farmur._train import (
    HoldOut,
    Trainer,
    average_of,
    copy_weights,
    held_out_rows,
    mix,
)
from robfair.training import RobustNet, Strategy

pytestmark = [
    pytest.mark.slow,
    # Two epochs of few rows even nothing out.
    pytest.mark.filterwarnings("ignore:margins are not evened out"),
]


@pytest.fixture(scope="module")
def measures(digits):
    return measures_of(digits[0], "digits-tabular")


@pytest.fixture
def trainer(small, data, tmp_path):
    return Trainer(Task(Run("digits-tabular", "small", 0), small, data, tmp_path, "cpu", 0))


def test_losses_fall(measures):
    losses = measures.query("measure == 'natural loss'")
    for _, values in losses.groupby("model"):
        assert values["value"].iloc[-1] < values["value"].iloc[0]


def test_vulnerable_groups_are_those_of_the_definition(digits, data, small, measures):
    """Judged again on the held-out rows, with the network as it was after the first epochs."""
    output, _ = digits
    held_out = held_out_rows(data, small, seed=0)
    file = output / "weights" / "digits-tabular-small-seed0" / "trades-2.safetensors"
    network = load_weights(data.module(), file).eval()
    X, y = data.X_train[held_out], data.y_train[held_out]
    result = boundary_distance(network, X, y=y, threat_model=data.threat_model)
    distance = pd.Series(np.where(result.predicted == y, result.distance, 0))
    expected = distance.groupby(data.groups_train[held_out]).mean()
    rob = measures.query("measure == 'Rob(P) when judged'").set_index("group")["value"]
    np.testing.assert_allclose(rob[expected.index], expected, rtol=1e-5)
    vulnerable = measures.query("measure == 'vulnerable'").set_index("group")["value"]
    assert 0 < vulnerable.sum() < len(vulnerable)
    np.testing.assert_array_equal(vulnerable[expected.index] == 1, expected < expected.mean())


def test_the_same_rows_are_held_out_as_by_the_estimators(data, small):
    class Look(Strategy):
        needs_held_out = True
        seen = None

        def on_epoch(self, epoch, plan, judge):
            Look.seen = judge
            return plan

    clf = AdversarialClassifier(strategy=Look(), max_epochs=1, n_steps=1, random_state=7)
    clf.fit(data.X_train, data.y_train, groups=data.groups_train)
    held_out = held_out_rows(data, small, seed=7)
    assert 0 < held_out.sum() < len(held_out) / 5
    np.testing.assert_array_equal(Look.seen.X, data.X_train[held_out])
    np.testing.assert_array_equal(Look.seen.y, data.y_train[held_out])


def test_farmur_from_the_snapshot_equals_farmur_from_the_beginning(digits, trainer):
    farmur = trainer.fit_farmur()
    file = digits[0] / "weights" / "digits-tabular-small-seed0" / "farmur-2+1.safetensors"
    kept = load_file(file)
    state = farmur.module_.state_dict()
    assert set(kept) == set(state)
    for name, value in state.items():
        assert (value == kept[name]).all()


def test_trades_and_natural_are_those_of_the_estimators(digits, data, small, trainer):
    """TRADES without averaging and without snapshots, natural training without held-out rows."""
    common = trainer._common("x") | {"checkpoint": None}
    held_out = held_out_rows(data, small, seed=0)
    natural = NaturalClassifier(max_epochs=3, **common)
    natural.fit(data.X_train[~held_out], data.y_train[~held_out])
    trades = AdversarialClassifier(strategy=HoldOut(), max_epochs=3, **trainer._attack(), **common)
    trades.fit(data.X_train, data.y_train, groups=data.groups_train)
    folder = digits[0] / "weights" / "digits-tabular-small-seed0"
    for model, name in ((natural, "natural"), (trades, "trades-2+1")):
        kept = load_file(folder / f"{name}.safetensors")
        for key, value in model.module_.state_dict().items():
            assert (value == kept[key]).all()
    averaged, last = (
        load_file(folder / f"{name}.safetensors")["0.weight"]
        for name in ("trades-3-averaged", "trades-2+1")
    )
    assert not (averaged == last).all()


@pytest.fixture(scope="module")
def reduced(small, data, tmp_path_factory):
    """A training like "reduced", on digits: it, its weights, and the state that is shared."""
    recipe = replace(
        small, epochs=2, retrain_epochs=2, natural_start=True, has_controls=False,
        has_even_margins=True,
    )  # fmt: skip
    few = slice(200)
    data = replace(
        data, X_train=data.X_train[few], y_train=data.y_train[few],
        groups_train=data.groups_train[few],
    )  # fmt: skip
    output = tmp_path_factory.mktemp("reduced")
    trainer = Trainer(Task(Run("digits-tabular", "small", 0), recipe, data, output, "cpu", 0))
    shared, fit_even = [], Trainer._fit_even

    def look(self, name, state):
        shared.append(state)
        return fit_even(self, name, state)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_fit_even", look)
        weights = trainer.train()
    return trainer, weights, shared[0]


def test_trades_begins_with_the_natural_network_and_even_margins_with_the_average(reduced):
    trainer, weights, shared = reduced
    recipe, data = trainer.task.recipe, trainer.task.data
    assert set(weights) == set(recipe.names)
    start = data.module()
    start.load_state_dict(weights[recipe.names.natural])
    settings = trainer._common("x") | {"checkpoint": None, "module": start}
    # Its own average, where it ends after two epochs.
    trades = AdversarialClassifier(
        strategy=HoldOut(), max_epochs=2, averaging=recipe.averaging, **trainer._attack(),
        **settings,
    ).fit(data.X_train, data.y_train, groups=data.groups_train)  # fmt: skip
    average = average_of(shared)
    for name, value in trades.module_.state_dict().items():
        assert torch.equal(value, average[name])
    rows = pd.DataFrame(trainer.task.run.parts["training"])
    # Two epochs of so few rows are in vain, and what it began with is what is left.
    assert rows[rows["measure"] == "controlled"]["value"].tolist() == [0.0]
    for name, value in weights[recipe.names.even].items():
        assert torch.equal(value, average[name])


def test_a_reduced_training_that_is_killed_ends_with_the_same_bits(reduced, tmp_path):
    class Killed(Exception):
        pass

    trainer, whole, _ = reduced
    task = replace(trainer.task, output=tmp_path)
    train_step, steps = RobustNet.train_step, itertools.count()
    # In natural training, in TRADES before and after FARMUR's start, in FARMUR, in EvenMargins.
    held_out = held_out_rows(task.data, task.recipe, seed=0)
    epoch = -(-(~held_out).sum() // 16)  # steps
    kills = {int(part * epoch) for part in (1.25, 6, 8.25, 11.25, 14)}

    def step(net, *args, **kwargs):
        if next(steps) in kills:
            raise Killed
        return train_step(net, *args, **kwargs)

    killed = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RobustNet, "train_step", step)
        while len(killed) <= len(kills):
            try:
                again = Trainer(task).train()
                break
            except Killed:
                killed.append(sorted(path.stem for path in tmp_path.rglob("*.safetensors")))
    assert len(killed) == len(kills)
    assert killed[-1] == ["even", "farmur", "natural", "trades"]
    for method, state in whole.items():
        assert all(torch.equal(again[method][name], value) for name, value in state.items())


def without_times(parts):
    return {
        part: [row for row in rows if not row["measure"].startswith("seconds")]
        for part, rows in parts.items()
    }


def test_an_interrupted_run_ends_as_if_it_had_not_been(digits, tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    def die(*_, **__):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("robfair.reproduction.farmur._train.walk", die)
        with pytest.raises(Killed):
            reproduce(FARMUR, tmp_path, verbose=0)
    assert not (tmp_path / "results").exists()
    with monkeypatch.context() as patch:
        patch.setattr(RobustNet, "train_step", die)  # all epochs are done
        patch.setattr("robfair.reproduction.farmur._measure.audit", die)
        with pytest.raises(Killed):
            reproduce(FARMUR, tmp_path, verbose=0)
    reproduce(FARMUR, tmp_path, verbose=0)
    one, other = (
        json.loads((folder / "results" / "digits-tabular-small-seed0.json").read_text())
        for folder in (digits[0], tmp_path)
    )
    assert without_times(one["parts"]) == without_times(other["parts"])
    assert one["curves"] == other["curves"]


@pytest.fixture
def networks():
    torch.manual_seed(0)
    make = [nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)) for _ in range(2)]
    X = torch.randn(40, 3)
    for network in make:
        network(X)  # so that there are statistics
    first, last = (copy_weights(network.state_dict()) for network in make)
    return make[0], (first, last), X


@pytest.mark.parametrize("t", [0.0, 1.0])
def test_the_ends_of_the_path_are_what_they_were(networks, t):
    module, ends, X = networks
    mixed = mix(module, ends, t, X.split(10))
    for name, value in ends[int(t)].items():
        assert torch.equal(mixed[name], value)


def test_between_the_ends_weights_are_mixed_and_statistics_are_new(networks):
    module, ends, X = networks
    mixed = mix(module, ends, 0.3, X.split(10))
    for name in ("0.weight", "1.bias", "2.weight"):
        torch.testing.assert_close(mixed[name], 0.7 * ends[0][name] + 0.3 * ends[1][name])
    hidden = X @ mixed["0.weight"].T + mixed["0.bias"]
    torch.testing.assert_close(mixed["1.running_mean"], hidden.mean(dim=0))
    batches = torch.stack([batch.var(dim=0) for batch in hidden.split(10)])
    torch.testing.assert_close(mixed["1.running_var"], batches.mean(dim=0))
    assert not module.training


@pytest.mark.slow
def test_the_interpolation_keeps_rob(digits):
    measures = measures_of(digits[0], "digits-tabular")
    path = measures.query("protocol == 'path'")
    rob = path.query("measure == 'Rob(f)'").set_index("label")["value"]
    assert list(rob.index.astype(float)) == [i / 10 for i in range(11)]
    (chosen,) = path.query("measure == 't'")["value"]
    enough = rob.index[rob >= 0.99 * rob.iloc[0]].astype(float)
    assert chosen == max(enough)
    assert set(path["measure"]) == {"Rob(f)", "V_f", "CV", "t"}
