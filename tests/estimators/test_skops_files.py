"""Classifiers as skops files: what is kept, what is not, and what a forged file may do."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import skops.io
import torch
from torch import nn

from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier
from robfair.datasets import make_group_margins

DATA = make_group_margins(120, margins=(0.4, 0.8), random_state=0)
X, y = DATA.X, DATA.y
GROUPS = pd.DataFrame({"a": DATA.groups, "b": np.arange(len(y)) % 2})


def there_and_back(model):
    data = skops.io.dumps(model)
    return skops.io.loads(data, trusted=skops.io.get_untrusted_types(data=data))


def test_all_that_was_fitted_but_the_net_is_kept():
    model = FarmurClassifier(max_epochs=1, retrain_epochs=1, random_state=0)
    model.fit(pd.DataFrame(X).add_prefix("x"), y, groups=GROUPS)
    back = there_and_back(model)
    assert {*vars(model)} - {*vars(back)} == {"net_", "strategy_"}
    assert back.get_params() == model.get_params()
    for name in ("groups_", "vulnerable_groups_", "group_robustness_"):
        np.testing.assert_array_equal(getattr(back, name), getattr(model, name))
    assert isinstance(back.groups_[0], tuple)
    assert back.history_.keys() == model.history_.keys()
    for name, column in model.history_.items():
        np.testing.assert_array_equal(back.history_[name], column)
    frame = pd.DataFrame(X).add_prefix("x")
    np.testing.assert_array_equal(back.predict_proba(frame), model.predict_proba(frame))
    twice = there_and_back(back)
    np.testing.assert_array_equal(twice.predict_proba(frame), model.predict_proba(frame))


def test_pickles_and_copies_keep_the_net():
    model = NaturalClassifier(max_epochs=1, random_state=0).fit(X, y)
    for again in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        assert len(again.net_.history) == 1
        assert again.net_.module_ is not model.net_.module_
    loaded = copy.deepcopy(there_and_back(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_loading_does_not_draw_random_numbers():
    model = NaturalClassifier(module=network, max_epochs=1, random_state=0).fit(X, y)
    before = torch.get_rng_state()
    there_and_back(model)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_loaded_classifier_is_trained_further_or_anew():
    model = NaturalClassifier(max_epochs=2, random_state=0, warm_start=True).fit(X, y)
    loaded = there_and_back(model).fit(X, y)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.fit(X, y).predict_proba(X))
    fresh = NaturalClassifier(max_epochs=2, random_state=0).fit(X, y)
    again = there_and_back(model).set_params(warm_start=False).fit(X, y)
    np.testing.assert_array_equal(again.predict_proba(X), fresh.predict_proba(X))


def network():
    return nn.Sequential(nn.Linear(X.shape[1], 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))


def test_a_function_that_makes_the_network_must_be_trusted():
    model = AdversarialClassifier(module=network, max_epochs=1, random_state=0).fit(X, y)
    data = skops.io.dumps(model)
    assert f"{network.__module__}.network" in skops.io.get_untrusted_types(data=data)
    np.testing.assert_array_equal(there_and_back(model).predict_proba(X), model.predict_proba(X))


def test_a_network_itself_cannot_be_saved():
    model = NaturalClassifier(module=network(), max_epochs=1, random_state=0).fit(X, y)
    with pytest.raises(TypeError, match="give the function or class that makes it"):
        skops.io.dumps(model)
    pickle.dumps(model)


@pytest.mark.parametrize("width", [63, 2**24])
def test_sizes_that_do_not_agree_with_the_weights(width):
    # 2**24 squared would be a petabyte.
    model = NaturalClassifier(max_epochs=1, random_state=0).fit(X, y)
    model.hidden_layer_sizes = (width, width)
    with pytest.raises(RuntimeError, match="size mismatch"):
        there_and_back(model)


def test_unfitted():
    assert there_and_back(NaturalClassifier(lr=0.5)).get_params()["lr"] == 0.5
