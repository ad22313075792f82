"""Recipes of paper A: names of methods, small sizes, and the groups and networks of its data."""

import numpy as np
import pytest
import torch

from papers import images as fetcher
from robfair.models import lenet5, resnet18
from robfair.reproduction.farmur._recipes import (
    FarmurRecipe,
    adult_by_race,
    digits_by_class,
    images,
)

RECIPE = FarmurRecipe(n_train=20, n_test=10)


def test_names_have_the_numbers_of_epochs():
    assert list(FarmurRecipe().names) == [
        "natural", "TRADES 100", "TRADES 100+20", "TRADES 120 averaged", "FARMUR 100+20",
        "TRADES-FARMUR interpolated",
    ]  # fmt: skip
    sizes = {"epochs": 4, "retrain_epochs": 2}
    assert list(FarmurRecipe(**sizes, has_controls=False, has_even_margins=True).names) == [
        "natural", "TRADES 4+2", "TRADES 6 averaged", "FARMUR 4+2", "EvenMargins 4+2",
    ]  # fmt: skip


def test_a_small_recipe_keeps_what_is_not_a_size():
    recipe = FarmurRecipe(eps=0.1, lr=0.5).small(n_train=30, n_measured=4)
    assert (recipe.n_train, recipe.n_test, recipe.n_distance, recipe.n_path) == (30, 12, 4, 4)
    assert (recipe.eps, recipe.lr) == (0.1, 0.5)
    assert recipe.n_epochs == 3
    assert recipe.names.farmur == "FARMUR 2+1"
    # Its two steps reach the border of the ball.
    assert recipe.n_steps * recipe.step_size > recipe.eps


def test_digits_have_their_classes_as_groups():
    data = digits_by_class(RECIPE, None)
    assert data.X_train.shape == (20, 64)
    assert data.X_train.max() <= 1
    np.testing.assert_array_equal(data.groups_test, data.y_test.astype(str))
    data.threat_model.check(data.X_test)
    assert data.module()(torch.from_numpy(data.X_test)).shape == (10, 10)


def test_adult_has_race_as_groups_and_codes_as_labels():
    data = adult_by_race(RECIPE, None)
    assert set(data.y_train) == {0, 1}
    assert "White" in data.groups_train
    assert data.threat_model.mutable.sum() == 5
    assert data.module()(torch.from_numpy(data.X_test)).shape == (10, 2)


@pytest.mark.parametrize(("has_races", "groups"), [(True, {"A", "B"}), (False, None)])
def test_images_have_race_as_groups_where_there_is_one(has_races, groups):
    fetch = fetcher(1, 28, 10, has_races=has_races)
    data = images(RECIPE, None, fetch=fetch, module=lenet5)
    assert (len(data.X_train), len(data.X_test)) == (20, 10)
    assert set(data.groups_test) == (groups or {f"class {i}" for i in range(10)})
    assert data.module is lenet5
    assert data.classes == (tuple(f"class {i}" for i in range(10)) if has_races else None)


def test_a_recipe_may_ask_for_a_narrow_network():
    recipe = FarmurRecipe(n_train=2, n_test=2, width=2)
    data = images(recipe, None, fetch=fetcher(3, 8, 10), module=resnet18)
    assert data.module()[1].out_channels == 2
