"""Distances and attacks that equal calls share."""

import copy
import threading

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from oracles import network
from robfair import ThreatModel, _cache, boundary_distance
from robfair._cache import shared_attack, shared_distance
from robfair.attacks import attack, least_eps
from robfair.distance import DistanceOptions, measure_distance

X = np.random.default_rng(0).normal(size=(15, 3))
NET = network([3, 6, 2], nn.ReLU)
Y = np.arange(15) % 2


@pytest.fixture
def searches(monkeypatch):
    """Count the searches behind shared results, from an empty memory."""
    done = []

    def counted(model, X, y, **arguments):
        done.append(arguments["return_adversarial"])
        return measure_distance(model, X, y, **arguments)

    monkeypatch.setattr(_cache, "_RECENT", _cache._RecentResults())
    monkeypatch.setattr(_cache, "measure_distance", counted)
    return done


def test_an_equal_call_is_answered_from_memory(searches):
    first = shared_distance(NET, X, Y)
    assert shared_distance(copy.deepcopy(NET), X.copy(), Y.copy()) is first
    assert shared_distance(NET, X, Y, options=DistanceOptions(), verbose=0) is first
    assert searches == [False]
    expected = boundary_distance(NET, X, y=Y)
    assert_array_equal(first.distance, expected.distance)
    assert first.X is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"method": "strong"},
        {"threat_model": ThreatModel(np.inf)},
        {"certify": True},
        {"random_state": 1},
        {"batch_size": 4},
        {"options": DistanceOptions(budget=60)},
        {"options": DistanceOptions(background=X + 1)},
    ],
)
def test_another_option_is_another_computation(searches, changes):
    first = shared_distance(NET, X, Y)
    assert shared_distance(NET, X, Y, **changes) is not first
    assert len(searches) == 2
    assert shared_distance(NET, X, Y) is first


def test_a_keyword_stands_in_for_one_option(searches):
    options = DistanceOptions(batch_size=4, budget=60)
    first = shared_distance(NET, X, Y, options=options)
    assert shared_distance(NET, X, Y, batch_size=4, budget=60) is first
    assert shared_distance(NET, X, Y, options=options, budget=80) is not first
    with pytest.raises(TypeError, match="radius"):
        shared_distance(NET, X, Y, radius=1)


def test_a_weight_that_was_written_to_is_seen(searches):
    module = copy.deepcopy(NET)
    first = shared_distance(module, X, Y)
    with torch.no_grad():
        module[0].weight[0] *= 1.5
    assert shared_distance(module, X, Y) is not first
    assert len(searches) == 2


def test_points_serve_calls_without_them_but_not_the_reverse(searches):
    shared_distance(NET, X, Y)
    with_points = shared_distance(NET, X, Y, return_adversarial=True)
    assert with_points.adversarial is not None
    assert shared_distance(NET, X, Y) is with_points
    assert searches == [False, True]


@pytest.mark.slow
def test_results_that_are_too_large_or_too_old_are_not_kept(searches, monkeypatch):
    monkeypatch.setattr(_cache._RecentResults, "BYTES", 100)
    for _ in range(2):
        shared_distance(NET, X, Y)
    assert len(searches) == 2
    monkeypatch.undo()
    places = _cache._RecentResults.PLACES
    monkeypatch.setattr(_cache, "_RECENT", _cache._RecentResults())
    oldest = shared_distance(NET, X, Y)
    for seed in range(1, places):
        shared_distance(NET, X, Y, random_state=seed)
    assert shared_distance(NET, X, Y) is oldest  # and is now the most recent
    for seed in range(places, 2 * places):
        shared_distance(NET, X, Y, random_state=seed)
    assert shared_distance(NET, X, Y) is not oldest


def test_shared_arrays_are_read_only(searches):
    with pytest.raises(ValueError, match="read-only"):
        shared_distance(NET, X, Y).distance[:] = 7.0


def test_a_model_that_may_change_unseen_is_computed_each_time(searches, tmp_path):
    (tmp_path / "cut").write_text("0.0")
    lock = threading.Lock()

    def reads(data):
        with open(tmp_path / "cut") as file:
            return (data[:, 0] > float(file.read())).astype(int)

    def cannot_be_pickled(data):
        with lock:
            return (data[:, 0] > 0).astype(int)

    for predict in (reads, cannot_be_pickled):
        searches.clear()
        for _ in range(2):
            shared_distance(predict, X, predict(X), budget=20)
        assert len(searches) == 2


def test_a_function_that_is_edited_is_another_one(searches):
    for cut in (0.0, 0.2, 0.0):
        predict = {"__name__": "__main__"}
        exec(f"def predict(X): return (X[:, 0] > {cut}).astype(int)", predict)
        y = predict["predict"](X)
        assert (shared_distance(predict["predict"], X, y, budget=20).status != "skipped").all()
    assert len(searches) == 2


@pytest.mark.parametrize("patched", ["class", "instance"])
def test_a_method_that_is_replaced_is_seen(searches, patched, monkeypatch):
    """In an installed class, or in one of its instances."""
    clf = DecisionTreeClassifier().fit(X, Y)
    first = shared_distance(clf, X, Y, method="decision", budget=20)
    assert shared_distance(clf, X, Y, method="decision", budget=20) is first

    def inverted(*args):
        return 1 - predict(*args)

    target = DecisionTreeClassifier if patched == "class" else clf
    predict = target.predict
    monkeypatch.setattr(target, "predict", inverted)
    assert shared_distance(clf, X, 1 - Y, method="decision", budget=20) is not first
    assert len(searches) == 2


def test_a_threshold_of_the_estimator_is_seen(searches):
    """What an estimator predicts by may be no part of the model that is made of it."""

    class Own(LogisticRegression):
        threshold = 0.5

        def predict(self, X):
            return (self.predict_proba(X)[:, 1] > self.threshold).astype(int)

    clf = Own().fit(X, Y)
    for threshold in (0.5, 0.4, 0.5):
        clf.threshold = threshold
        shared_distance(clf, X, Y, method="decision", budget=20)
    assert len(searches) == 2


def test_a_model_may_ask_for_distances_itself(searches):
    def predict(data):
        shared_distance(NET, X, Y)
        return (data[:, 0] > 0).astype(int)

    shared_distance(predict, X, predict(X), budget=10)
    assert len(searches) == 2


def test_attacks_at_an_eps_and_up_to_one(searches):
    once = shared_attack(NET, X, Y, {"eps": 0.3})
    assert_array_equal(once.result, attack(NET, X, Y, eps=0.3).success)
    assert shared_attack(NET, X, Y, {"eps": 0.3}) is once
    least = shared_attack(NET, X, Y, {"eps_max": 0.3})
    assert_array_equal(least.result, least_eps(NET, X, Y, eps_max=0.3).eps)
    assert_array_equal(least.predicted, once.predicted)
