"""Paper A as a whole, on every data set: recipes that are consistent, runs that come to an end."""

import warnings
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from papers import images as fetcher
from papers import measures_of, with_experiment
from robfair.exceptions import (
    CensoredDistanceWarning,
    ControlWarning,
    UndefinedMetricWarning,
)
from robfair.models import alexnet, lenet5, resnet18, utkface_network
from robfair.reproduction import FARMUR, reproduce
from robfair.reproduction.farmur._recipes import images

mnist = fetcher(1, 28, 10)
LOAD = {
    "mnist-lenet5": partial(images, fetch=mnist, module=lenet5),
    "mnist-alexnet": partial(images, fetch=mnist, module=alexnet),
    # ResNet-18 takes images of any size, and small ones cost little.
    "cifar10-resnet18": partial(images, fetch=fetcher(3, 4, 10), module=resnet18),
    "utkface-utkface": partial(
        images, fetch=fetcher(3, 48, 5, has_races=True), module=utkface_network
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "experiment",
    [e for e in FARMUR.experiments if e.name != "digits-tabular"],
    ids=lambda e: e.name,
)
def test_every_network_runs_end_to_end(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr("robfair.reproduction.farmur._train.GRID", (0.0, 1.0))
    small = experiment.recipe("small")
    if experiment.dataset != "adult":  # whose data set is here
        small = replace(
            small, n_train=30, n_test=10, n_distance=2, n_path=2, batch_size=10, lr=0.02
        )
    if experiment.dataset == "cifar10":  # as "reduced" has it
        small = replace(
            small, width=2, augmented=True, bfloat16=True, natural_start=True, has_controls=False,
            has_even_margins=True,
        )  # fmt: skip
    paper = with_experiment(
        FARMUR,
        experiment.dataset,
        experiment.model,
        recipes={"small": small},
        load=LOAD.get(experiment.name, experiment.load),
    )
    with warnings.catch_warnings():
        # So few epochs do not teach a network every class, nor where a boundary is.
        for category in (UndefinedMetricWarning, CensoredDistanceWarning, ControlWarning):
            warnings.simplefilter("ignore", category)
        report = reproduce(paper, tmp_path, verbose=0)
    assert report.startswith(f"# FARMUR on {experiment.name}, scale small")
    measures = measures_of(tmp_path, experiment.name)
    losses = measures[measures["measure"].isin(["natural loss", "robust loss"])]
    names = small.names
    trained = {names.natural, names.trades, names.farmur, names.even} - {None}
    assert set(losses["model"]) == trained
    assert np.isfinite(losses.query("measure == 'natural loss'")["value"]).all()
    rob = measures[(measures["measure"] == "Rob(f)") & measures["label"].isna()]
    for distance in ("paper", "auto"):
        rows = rob[rob["protocol"] == distance]
        assert list(rows["model"]) == list(names)
        assert (rows["value"] >= 0).all()


@pytest.mark.parametrize(
    ("experiment", "scale"),
    [(experiment, scale) for experiment in FARMUR.experiments for scale in experiment.recipes],
    ids=lambda value: getattr(value, "name", value),
)
def test_recipes_are_consistent(experiment, scale):
    recipe = experiment.recipe(scale)
    # Steps that together reach the border of the ball.
    assert recipe.n_steps * recipe.step_size >= recipe.eps
    assert recipe.n_epochs == recipe.epochs + recipe.retrain_epochs
    if scale != "small":
        assert recipe.n_train is None
        assert recipe.n_test is None
    if scale in ("full", "paper") and experiment.dataset in ("mnist", "cifar10", "utkface"):
        # What the paper states.
        stated = (recipe.eps, recipe.step_size, recipe.lr, recipe.batch_size, recipe.optimizer)
        assert stated == (0.031, 0.007, 0.1, 64, "sgd")
        if (experiment.model, scale) != ("lenet5", "full"):
            assert (recipe.epochs, recipe.retrain_epochs) == (100, 20)


def test_the_weights_do_not_depend_on_how_they_are_measured():
    experiment = FARMUR.experiment("digits")
    numbers = {name: set(part.numbers(experiment.recipe("full"))) for name, part in
               experiment.parts.items()}  # fmt: skip
    assert numbers["auto"] - numbers["training"] == {"n_test", "n_distance"}
    assert numbers["auto"] == numbers["paper"]
