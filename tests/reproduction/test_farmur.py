"""Paper A as a command, at a small scale: what must hold of any run, and how runs go on."""

import json
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file
from sklearn.utils import Bunch

from robfair import AdversarialClassifier, NaturalClassifier, boundary_distance, cli, reproduction
from robfair.exceptions import CensoredDistanceWarning, UndefinedMetricWarning
from robfair.models import load_weights
from robfair.reproduction import (
    _farmur,
    _farmur_data,
    _farmur_path,
    _farmur_recipes,
    reproduce_farmur,
)
from robfair.reproduction._farmur_data import MODELS, load_data
from robfair.reproduction._farmur_recipes import RECIPES, find_recipe
from robfair.reproduction._farmur_train import HoldOut, Trainer, held_out_rows
from robfair.reproduction._records import Run, read_runs
from robfair.training import Strategy

SMALL = find_recipe("digits", "tabular", "small")


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    output = tmp_path_factory.mktemp("digits")
    return output, reproduce_farmur(output, verbose=0)


@pytest.fixture(scope="module")
def data():
    return load_data("digits", "tabular", SMALL.n_train, SMALL.n_test, None)


def rows(output, name="digits-tabular"):
    return read_runs(output / "results", name, "small")[0]


def images(channels, size, n_classes, races=False):
    """A fetcher of classes that differ in brightness, in the form of those of robfair.datasets."""

    def fetch(*, split, data_home):
        rng = np.random.default_rng(len(split))
        target = np.arange(60) % n_classes
        data = rng.uniform(0, 0.2, (60, channels, size, size)) + target.reshape(-1, 1, 1, 1) * 0.08
        bunch = Bunch(
            data=data.astype(np.float32),
            target=target,
            target_names=[f"class {i}" for i in range(n_classes)],
        )
        if races:
            bunch.sensitive_features = pd.DataFrame({"race": np.resize(["A", "A", "B"], 60)})
        return bunch

    return fetch


FETCH = {
    "mnist": images(1, 28, 10),
    # ResNet-18 takes images of any size, and small ones cost little.
    "cifar10": images(3, 4, 10),
    "utkface": images(3, 48, 5, races=True),
}


@pytest.mark.parametrize(
    ("dataset", "model"), [(d, m) for d, models in MODELS.items() for m in models if d != "digits"]
)
def test_every_network_runs_end_to_end(dataset, model, tmp_path, monkeypatch):
    monkeypatch.setattr(_farmur_data, "FETCH", FETCH)
    small = RECIPES[dataset, model]["small"]
    monkeypatch.setattr(_farmur_path, "GRID", (0.0, 0.5, 1.0))
    if dataset != "adult":  # whose data set is here
        small = replace(
            small, n_train=50, n_test=10, n_distance=4, n_path=3, batch_size=10, lr=0.02
        )
        monkeypatch.setitem(_farmur_recipes.RECIPES, (dataset, model), {"small": small})
    with warnings.catch_warnings():
        # So few epochs do not teach a network every class, nor where a boundary is.
        for category in (UndefinedMetricWarning, CensoredDistanceWarning):
            warnings.simplefilter("ignore", category)
        report = reproduce_farmur(tmp_path, dataset=dataset, model=model, verbose=0)
    assert report.startswith(f"# FARMUR on {dataset}-{model}, scale small")
    measures = rows(tmp_path, f"{dataset}-{model}")
    losses = measures[measures["measure"].isin(["natural loss", "robust loss"])]
    assert set(losses["model"]) == {*small.names[:1], small.names.trades, small.names.farmur}
    assert np.isfinite(losses.query("measure == 'natural loss'")["value"]).all()
    rob = measures[(measures["measure"] == "Rob(f)") & measures["label"].isna()]
    for distance in ("paper", "auto"):
        found = rob[rob["protocol"] == distance]
        assert list(found["model"]) == list(small.names)
        assert (found["value"] >= 0).all()


def test_losses_fall(digits):
    losses = rows(digits[0]).query("measure == 'natural loss'")
    for _, found in losses.groupby("model"):
        assert found["value"].iloc[-1] < found["value"].iloc[0]


def test_files(digits):
    output, report = digits
    names = {path.name for path in output.iterdir()}
    stem = "digits-tabular-small"
    assert names == {
        "results", "weights", "checkpoints", f"{stem}-report.md", f"{stem}-pareto.png",
        f"{stem}-curves-paper.png", f"{stem}-curves-auto.png",
    }  # fmt: skip
    assert (output / f"{stem}-report.md").read_text(encoding="utf-8") == report
    for path in output.glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")
    for place in ("## Table 1", "## Section 6.2", "FARMUR 2+1", "TRADES 3 averaged"):
        assert place in report
    made = json.loads((output / "results" / f"{stem}-seed0.json").read_text())
    assert list(made["parts"]) == ["training", "paper", "auto"]
    assert made["recipes"]["auto"]["n_distance"] == SMALL.n_distance
    assert "n_distance" not in made["recipes"]["training"]
    for part in ("paper", "auto"):
        tau, curves = made["curves"][part]["tau"], made["curves"][part]["I_P"]
        assert len(tau) <= 200
        assert list(curves) == list(SMALL.names)
        table = pd.DataFrame(curves["FARMUR 2+1"], index=tau)
        assert (table.diff().iloc[1:] <= 0).all(axis=None)


def test_curves_and_groups_agree_with_the_measures(digits):
    """I_P starts at the accuracy of the group, and Rob(P) is accuracy times mean distance."""
    measures = rows(digits[0]).query("protocol == 'auto' and label.isna()")
    made = json.loads((digits[0] / "results" / "digits-tabular-small-seed0.json").read_text())
    for method in SMALL.names:
        found = measures[measures["model"] == method]
        table = found.pivot_table(index="group", columns="measure", values="value")
        table["group mean_distance"] = table["group mean_distance"].fillna(0)
        np.testing.assert_allclose(
            table["Rob(P)"], table["group accuracy"] * table["group mean_distance"]
        )
        overall = found[found["group"].isna()].set_index("measure")["value"]
        assert overall["Rob(f)"] == pytest.approx(table["Rob(P)"].mean())
        assert overall["V_f"] == pytest.approx(table["Rob(P)"].var(ddof=0))
        curves = made["curves"]["auto"]["I_P"][method]
        for group, curve in curves.items():
            assert curve[0] <= table.loc[group, "group accuracy"] + 1e-4  # rounded


def test_vulnerable_groups_are_those_of_the_definition(digits, data):
    """Judged again on the held-out rows, with the network as it was after the first epochs."""
    output, _ = digits
    held_out = held_out_rows(data, SMALL, seed=0)
    file = output / "weights" / "digits-tabular-small-seed0" / "trades-2.safetensors"
    network = load_weights(data.module(), file).eval()
    X, y = data.X_train[held_out], data.y_train[held_out]
    found = boundary_distance(network, X, y=y, threat_model=data.threat_model)
    distance = pd.Series(np.where(found.predicted == y, found.distance, 0))
    expected = distance.groupby(data.groups_train[held_out]).mean()
    judged = rows(output)
    rob = judged.query("measure == 'Rob(P) when judged'").set_index("group")["value"]
    np.testing.assert_allclose(rob[expected.index], expected, rtol=1e-5)
    vulnerable = judged.query("measure == 'vulnerable'").set_index("group")["value"]
    assert 0 < vulnerable.sum() < len(vulnerable)
    np.testing.assert_array_equal(vulnerable[expected.index] == 1, expected < expected.mean())


def test_the_same_rows_are_held_out_as_by_the_estimators(data):
    class Look(Strategy):
        needs_held_out = True
        seen = None

        def on_epoch(self, epoch, plan, judge):
            Look.seen = judge
            return plan

    clf = AdversarialClassifier(strategy=Look(), max_epochs=1, n_steps=1, random_state=7)
    clf.fit(data.X_train, data.y_train, groups=data.groups_train)
    held_out = held_out_rows(data, SMALL, seed=7)
    assert 0 < held_out.sum() < len(held_out) / 5
    np.testing.assert_array_equal(Look.seen.X, data.X_train[held_out])
    np.testing.assert_array_equal(Look.seen.y, data.y_train[held_out])


def test_farmur_from_the_snapshot_equals_farmur_from_the_beginning(digits, data, tmp_path):
    run = Run("digits-tabular", "small", 0)
    farmur = Trainer(run, SMALL, data, tmp_path, "cpu", 0).fit_farmur()
    file = digits[0] / "weights" / "digits-tabular-small-seed0" / "farmur-2+1.safetensors"
    kept = load_file(file)
    state = farmur.module_.state_dict()
    assert set(kept) == set(state)
    for name, value in state.items():
        assert (value == kept[name]).all()


def test_trades_and_natural_are_those_of_the_estimators(digits, data, tmp_path):
    """TRADES without averaging and without snapshots, natural training without held-out rows."""
    trainer = Trainer(Run("digits-tabular", "small", 0), SMALL, data, tmp_path, "cpu", 0)
    common = trainer._common("x") | {"checkpoint": None}
    held_out = held_out_rows(data, SMALL, seed=0)
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


def test_measures_lie_in_their_intervals(digits):
    measures = rows(digits[0]).query("protocol == 'auto'")
    measures = measures[measures["measure"].isin(["Rob(f)", "Rob(P)", "worst group"])]
    measures = measures.fillna({"label": "value", "group": ""})
    table = measures.pivot_table(
        index=["model", "measure", "group"], columns="label", values="value"
    ).reset_index()
    rob = table[table["measure"] != "worst group"]  # a minimum, whose interval is biased
    assert (rob["lower"] <= rob["value"]).all()
    assert (rob["value"] <= rob["upper"]).all()
    assert (rob["lower"] < rob["upper"]).any()


def test_the_interpolation_keeps_rob(digits):
    path = rows(digits[0]).query("protocol == 'path'")
    rob = path.query("measure == 'Rob(f)'").set_index("label")["value"]
    assert list(rob.index.astype(float)) == [i / 10 for i in range(11)]
    (chosen,) = path.query("measure == 't'")["value"]
    enough = rob.index[rob >= 0.99 * rob.iloc[0]].astype(float)
    assert chosen == max(enough)
    assert set(path["measure"]) == {"Rob(f)", "V_f", "CV", "t"}


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
        patch.setattr("robfair.reproduction._farmur_train.walk", die)
        with pytest.raises(Killed):
            reproduce_farmur(tmp_path, verbose=0)
    assert not (tmp_path / "results").exists()
    with monkeypatch.context() as patch:
        patch.setattr("robfair.training.RobustNet.train_step", die)  # all epochs are done
        patch.setattr(_farmur, "audit", die)
        with pytest.raises(Killed):
            reproduce_farmur(tmp_path, verbose=0)
    reproduce_farmur(tmp_path, verbose=0)
    one, other = (
        json.loads((folder / "results" / "digits-tabular-small-seed0.json").read_text())
        for folder in (digits[0], tmp_path)
    )
    assert without_times(one["parts"]) == without_times(other["parts"])
    assert one["curves"] == other["curves"]


def test_the_report_is_drawn_again_without_data(digits, monkeypatch):
    output, report = digits
    monkeypatch.setattr(_farmur, "load_data", lambda *_: pytest.fail("loaded again"))
    for path in output.glob("*.png"):
        path.unlink()
    assert reproduce_farmur(output, verbose=0) == report
    assert len(list(output.glob("*.png"))) == 3


def test_distances_are_measured_again_without_training(digits, tmp_path, monkeypatch):
    made = json.loads((digits[0] / "results" / "digits-tabular-small-seed0.json").read_text())
    auto = made["parts"].pop("auto")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "digits-tabular-small-seed0.json").write_text(json.dumps(made))
    monkeypatch.setattr(Trainer, "train", lambda _: pytest.fail("trained again"))
    command = ["reproduce", "farmur", "--output", str(tmp_path), "--quiet"]
    assert cli.main(command) == 2  # the weights are missing
    (tmp_path / "weights").symlink_to(digits[0] / "weights")
    state = torch.get_rng_state()
    assert cli.main(command) == 0
    assert torch.equal(torch.get_rng_state(), state)
    again = json.loads((tmp_path / "results" / "digits-tabular-small-seed0.json").read_text())
    assert again["parts"]["auto"] == auto


def test_missing_weights_are_one_line(digits, tmp_path, capsys):
    made = json.loads((digits[0] / "results" / "digits-tabular-small-seed0.json").read_text())
    del made["parts"]["auto"]
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "digits-tabular-small-seed0.json").write_text(json.dumps(made))
    assert cli.main(["reproduce", "farmur", "--output", str(tmp_path), "--quiet"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("robfair: ")
    assert "natural.safetensors" in captured.err
    assert captured.err.count("\n") == 1


def test_two_seeds_are_two_runs_and_one_report(digits):
    output, _ = digits
    report = reproduce_farmur(output, seeds=[0, 1], verbose=0)
    assert "Seeds 0, 1" in report
    assert "±" in report
    assert "(1 seed)" not in report
    (output / "results" / "digits-tabular-small-seed1.json").unlink()


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--dataset", "digits", "--model", "lenet5"], "choose from: tabular"),
        (["--dataset", "mnist", "--scale", "subset"], "choose from: small, full, paper"),
        (["--dataset", "imagenet"], "invalid choice"),
        (["--model", "vgg"], "invalid choice"),
        (["--scale", "huge"], "invalid choice"),
        (["--seeds", "0"], "at least 1"),
    ],
)
def test_bad_options_exit_with_2(options, text, capsys):
    try:
        code = cli.main(["reproduce", "farmur", *options])
    except SystemExit as stop:  # argparse's way out
        code = stop.code
    assert code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert text in captured.err
    assert captured.err.count("\n") == 1


def test_the_command_passes_its_options(monkeypatch, tmp_path, capsys):
    seen = {}

    def fake(output, **options):
        seen.update(options, output=output)
        return "a report\n"

    monkeypatch.setattr(reproduction, "reproduce_farmur", fake)
    command = "reproduce farmur --dataset mnist --model alexnet --scale subset --seeds 3 --quiet"
    place = ["--output", str(tmp_path), "--data-home", str(tmp_path), "--device", "cuda"]
    assert cli.main([*command.split(), *place]) == 0
    assert capsys.readouterr().out == "a report\n"
    assert seen == {
        "output": tmp_path, "dataset": "mnist", "model": "alexnet", "scale": "subset",
        "seeds": range(3), "data_home": tmp_path, "device": "cuda", "verbose": 0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("dataset", "model", "scale"),
    [(*key, scale) for key, found in RECIPES.items() for scale in found],
)
def test_recipes_are_consistent(dataset, model, scale):
    recipe = find_recipe(dataset, model, scale)
    assert model in MODELS[dataset]
    # Steps that together reach the border of the ball.
    assert recipe.n_steps * recipe.step_size >= recipe.eps
    assert recipe.n_epochs == recipe.epochs + recipe.retrain_epochs
    if scale in ("full", "paper") and dataset in ("mnist", "cifar10", "utkface"):
        # What the paper states.
        assert (recipe.eps, recipe.step_size, recipe.lr, recipe.batch_size) == (
            0.031,
            0.007,
            0.1,
            64,
        )
        assert recipe.optimizer == "sgd"
        if (model, scale) != ("lenet5", "full"):
            assert (recipe.epochs, recipe.retrain_epochs) == (100, 20)
