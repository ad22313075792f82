"""EvenMarginClassifier: what it adds to the strategy."""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from skorch.callbacks import EarlyStopping

from robfair import AdversarialClassifier, EvenMarginClassifier
from robfair.datasets import make_group_margins
from robfair.training import MarginControl

SETTINGS = {
    "hidden_layer_sizes": [8], "batch_size": 32, "n_steps": 2, "lr": 0.02, "random_state": 0,
    "validation_fraction": 0.2,
}  # fmt: skip


@pytest.fixture(scope="module")
def uneven():
    return make_group_margins(150, n_features=3, margins=(0.4, 1.0, 1.6), random_state=0)


def test_it_is_the_strategy_with_averages(uneven):
    X, y, groups = uneven.X, uneven.y, np.array(["x", "y", "z"])[uneven.groups]
    one = EvenMarginClassifier(max_epochs=4, even_epochs=3, **SETTINGS).fit(X, y, groups=groups)
    other = AdversarialClassifier(
        strategy=MarginControl(4), max_epochs=7, averaging=0.999, **SETTINGS
    ).fit(X, y, groups=groups)
    assert np.array_equal(one.predict_proba(X), other.predict_proba(X))
    assert (one.state_, one.groups_.tolist()) == ("controlling", ["x", "y", "z"])
    assert one.history_["phase"].tolist() == ["adversarial"] * 4 + ["even margins"] * 3
    assert_allclose(one.group_robustness_, other.strategy_.robustness_)
    assert one.group_robustness_.argmin() == 0
    copy = pickle.loads(pickle.dumps(one))
    assert np.array_equal(copy.predict_proba(X), one.predict_proba(X))


def test_a_run_that_stops_early_is_looked_at_too(uneven, monkeypatch):
    looks = []

    def distrusts(strategy, evaluator, agrees=0.0):
        looks.append(evaluator.module)
        if len(looks) == 1:  # as control begins
            return True
        strategy.state_ = "distrusted"
        return False

    monkeypatch.setattr(MarginControl, "_trusted", distrusts)
    options = {"early_stopping": True, "n_iter_no_change": 1, **SETTINGS}
    clf = EvenMarginClassifier(max_epochs=3, even_epochs=20, **options)
    clf.fit(uneven.X, uneven.y, groups=uneven.groups)
    assert len(clf.history_["epoch"]) < 23
    assert (len(looks), clf.state_) == (2, "distrusted")
    plain = AdversarialClassifier(
        max_epochs=3, averaging=0.999, strategy=MarginControl(3), **SETTINGS
    )
    plain.fit(uneven.X, uneven.y, groups=uneven.groups)
    assert_allclose(clf.predict_proba(uneven.X), plain.predict_proba(uneven.X), atol=1e-6)
    kept = [value for value in vars(clf.strategy_).values() if isinstance(value, dict)]
    assert not any(isinstance(value, torch.Tensor) for each in kept for value in each.values())


@pytest.mark.filterwarnings("ignore:margins are not evened out")  # too short
def test_inside_the_classes(uneven):
    settings = {"max_epochs": 2, "even_epochs": 2, **SETTINGS}
    clf = EvenMarginClassifier(within_labels=True, **settings)
    clf.fit(uneven.X, uneven.y, groups=uneven.groups)
    assert clf.group_robustness_.shape == (2, 3)


def test_a_run_that_ends_before_the_control(uneven):
    stop = EarlyStopping(monitor="train_loss", patience=1, threshold=1e9)
    clf = EvenMarginClassifier(max_epochs=9, callbacks=[stop], **SETTINGS)
    with pytest.raises(RuntimeError, match="before the groups were measured"):
        clf.fit(uneven.X, uneven.y, groups=uneven.groups)
