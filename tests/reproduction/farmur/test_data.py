"""Data of paper A: groups, sizes and networks."""

import numpy as np
import pytest
import torch

from papers import images as fetcher
from robfair.models import lenet5
from robfair.reproduction.farmur._data import adult_by_race, digits_by_class, images
from robfair.reproduction.farmur._recipes import FarmurRecipe

RECIPE = FarmurRecipe(n_train=20, n_test=10)


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
