"""Measures of paper A's methods: they agree with their curves, and are measured alone."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from papers import measures_of
from robfair.exceptions import ResultsError
from robfair.models import load_weights
from robfair.reproduction import FARMUR, reproduce
from robfair.reproduction._paper import Task
from robfair.reproduction._records import Run
from robfair.reproduction.farmur import _measure
from robfair.reproduction.farmur._measure import chosen_rows, measure
from robfair.reproduction.farmur._train import Trainer

pytestmark = pytest.mark.slow

NAME = "digits-tabular-small-seed0.json"


@pytest.fixture(scope="module")
def measures(digits):
    return measures_of(digits[0], "digits-tabular")


@pytest.fixture
def without_auto(digits, tmp_path):
    """A folder whose run lacks the part "auto", and that part."""
    made = json.loads((digits[0] / "results" / NAME).read_text())
    auto = made["parts"].pop("auto")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / NAME).write_text(json.dumps(made))
    return tmp_path, auto


def test_curves_and_groups_agree_with_the_measures(digits, measures, small):
    """I_P starts at the accuracy of the group, and Rob(P) is accuracy times mean distance."""
    measured = measures.query("protocol == 'auto' and label.isna()")
    made = json.loads((digits[0] / "results" / NAME).read_text())
    for method in small.names:
        rows = measured[measured["model"] == method]
        table = rows.pivot_table(index="group", columns="measure", values="value")
        table["group mean_distance"] = table["group mean_distance"].fillna(0)
        np.testing.assert_allclose(
            table["Rob(P)"], table["group accuracy"] * table["group mean_distance"]
        )
        overall = rows[rows["group"].isna()].set_index("measure")["value"]
        assert overall["Rob(f)"] == pytest.approx(table["Rob(P)"].mean())
        assert overall["V_f"] == pytest.approx(table["Rob(P)"].var(ddof=0))
        curves = made["curves"]["auto"]["I_P"][method]
        for group, curve in curves.items():
            assert curve[0] <= table.loc[group, "group accuracy"] + 1e-4  # rounded


def test_measures_lie_in_their_intervals(measures):
    rows = measures.query("protocol == 'auto'")
    rows = rows[rows["measure"].isin(["Rob(f)", "Rob(P)", "worst group"])]
    rows = rows.fillna({"label": "value", "group": ""})
    table = rows.pivot_table(
        index=["model", "measure", "group"], columns="label", values="value"
    ).reset_index()
    rob = table[table["measure"] != "worst group"]  # a minimum, whose interval is biased
    assert (rob["lower"] <= rob["value"]).all()
    assert (rob["value"] <= rob["upper"]).all()
    assert (rob["lower"] < rob["upper"]).any()


def test_distances_are_measured_again_without_training(digits, without_auto, monkeypatch):
    output, auto = without_auto
    monkeypatch.setattr(Trainer, "train", lambda _: pytest.fail("trained again"))
    (output / "weights").symlink_to(digits[0] / "weights")
    state = torch.get_rng_state()
    reproduce(FARMUR, output, verbose=0)
    assert torch.equal(torch.get_rng_state(), state)
    again = json.loads((output / "results" / NAME).read_text())
    assert again["parts"]["auto"] == auto


def test_missing_weights_are_named(without_auto):
    with pytest.raises(ResultsError, match=r"natural\.safetensors.* is missing"):
        reproduce(FARMUR, without_auto[0], verbose=0)


def test_curves_fall_and_have_a_name_for_each_group(digits, small, data):
    made = json.loads((digits[0] / "results" / NAME).read_text())
    for part in ("paper", "auto"):
        tau, curves = made["curves"][part]["tau"], made["curves"][part]["I_P"]
        assert len(tau) == 151
        assert list(curves) == list(small.names)
        table = pd.DataFrame(curves["FARMUR 2+1"], index=tau)
        assert set(table.columns) == set(data.groups_test)
        assert (table.diff().iloc[1:] <= 0).all(axis=None)


@pytest.mark.parametrize("n", [None, 1, 4, 6, 9])
def test_rows_are_chosen_evenly_from_the_groups(n):
    groups = np.array(list("aabaacaab"))
    rows = chosen_rows(groups, n)
    assert (np.diff(rows) > 0).all()
    assert len(rows) == (len(groups) if n is None else n)
    for name in "abc":
        there = np.flatnonzero(groups == name)
        mine = np.intersect1d(rows, there)
        np.testing.assert_array_equal(mine, there[: len(mine)])  # the first ones
        others = [(groups[rows] == other).sum() for other in "abc"]
        assert len(mine) in (len(there), max(others), max(others) - 1)


def test_measuring_goes_on_with_the_method_where_it_was_interrupted(
    digits, small, data, tmp_path, monkeypatch
):
    (tmp_path / "weights").symlink_to(digits[0] / "weights")
    measured, audit = [], _measure.audit

    def fail_at_the_third(*args, name, **kwargs):
        measured.append(name)
        if len(measured) == 3:
            raise KeyboardInterrupt
        return audit(*args, name=name, **kwargs)

    monkeypatch.setattr(_measure, "audit", fail_at_the_third)
    task = Task(Run("digits-tabular", "small", 0), small, data, tmp_path, "cpu", 0)
    with pytest.raises(KeyboardInterrupt):
        measure(task, distance="auto")
    task = Task(Run("digits-tabular", "small", 0), small, data, tmp_path, "cpu", 0)
    measure(task, distance="auto")
    names = list(small.names)
    assert measured == names[:3] + names[2:]
    made = json.loads((digits[0] / "results" / NAME).read_text())
    assert task.run.parts["auto"] == made["parts"]["auto"]
    assert json.loads(json.dumps(task.run.curves["auto"])) == made["curves"]["auto"]
    other = Task(task.run, replace(small, tau_max=5.0), data, tmp_path, "cpu", 0)
    with pytest.raises(ResultsError, match="of another recipe"):
        measure(other, distance="auto")


def test_accuracy_under_attack_is_that_of_points_in_the_ball(digits, measures, small, data):
    """A plain loop of gradient steps finds about as much; nothing is right that was wrong."""
    rows = chosen_rows(data.groups_test, small.n_distance)
    x, y = torch.from_numpy(data.X_test[rows]), torch.from_numpy(data.y_test[rows])
    found = measures.query("protocol == 'pgd'")
    for method in small.names:
        weights = digits[0] / "weights" / "digits-tabular-small-seed0"
        network = load_weights(data.module(), weights / f"{_measure._slug(method)}.safetensors")
        points, right = x.clone(), network(x).argmax(dim=1) == y
        for _ in range(40):
            points.requires_grad_()
            loss = torch.nn.functional.cross_entropy(network(points), y, reduction="sum")
            (slope,) = torch.autograd.grad(loss, points)
            points = points.detach() + 0.25 * small.eps * slope.sign()
            points = torch.clamp(points, x - small.eps, x + small.eps).clamp(0, 1)
            right &= network(points).argmax(dim=1) == y
        mine = found[found["model"] == method]
        overall = mine[mine["group"].isna()]["value"].item()
        assert overall == pytest.approx(float(right.double().mean()), abs=0.05)
        inside = mine.dropna(subset="group").set_index("group")["value"]
        clean = pd.Series((network(x).argmax(dim=1) == y).numpy())
        assert (inside <= clean.groupby(data.groups_test[rows]).mean()).all()
        sizes = pd.Series(data.groups_test[rows]).value_counts()
        assert (inside * sizes).sum() / len(rows) == pytest.approx(overall)


def test_groups_that_are_not_the_classes_are_compared_within_them(data, small, digits, tmp_path):
    """Against means over the rows of each cell, and the direct standardisation of their table."""
    (tmp_path / "weights").symlink_to(digits[0] / "weights")
    halves = np.resize(["a", "b", "b"], len(data.y_test))
    names = tuple(f"digit {i}" for i in range(10))
    task = Task(
        Run("digits-tabular", "small", 0), replace(small, n_distance=None),
        replace(data, groups_test=halves, classes=names), tmp_path, "cpu", 0,
    )  # fmt: skip
    measure(task, distance="auto")
    rows = pd.DataFrame(task.run.parts["auto"]).query("model == 'natural'")
    cells = rows[rows["measure"] == "Rob(P) in class"].pivot_table(
        index="group", columns="label", values="value"
    )
    assert set(cells.columns) == set(names)
    sizes = rows[rows["measure"] == "size in class"].pivot_table(
        index="group", columns="label", values="value"
    )
    for group in "ab":
        here = rows[(rows["measure"] == "Rob(P)") & (rows["group"] == group) & rows["label"].isna()]
        mean = np.average(cells.loc[group], weights=sizes.loc[group])
        assert here["value"].item() == pytest.approx(mean)
    mix = sizes.sum() / sizes.to_numpy().sum()
    same = rows.set_index("measure")["value"]["V_f, same labels"]
    assert same == pytest.approx((cells @ mix).var(ddof=0))
