"""robust_accuracy and attack_success, at one eps and on grids."""

import pickle
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pandas.testing import assert_series_equal

from oracles import Rows, linear_distances, linear_layer, network, predict_with, random_linear
from robfair import ThreatModel
from robfair.attacks import RobustAccuracy, attack, attack_success, robust_accuracy

NET = network([4, 8, 3])
X = np.random.default_rng(0).normal(size=(40, 4))
CLEAN = predict_with(NET)(X)
Y = np.where(np.arange(40) % 7 == 0, (CLEAN + 1) % 3, CLEAN)
GRID = [0, 0.1, 0.2, 0.4, 0.8]


@pytest.mark.slow
@settings(max_examples=15)
@given(
    seed=st.integers(0, 2**31),
    norm=st.sampled_from([2, np.inf]),
    method=st.sampled_from(["pgd", "fgsm", "kl"]),
)
def test_never_above_clean_accuracy_and_never_rising(seed, norm, method):
    rng = np.random.default_rng(seed)
    module = network([4, 6, 3], seed=seed)
    samples, y = rng.normal(size=(25, 4)), rng.integers(0, 3, 25)
    grid = [0, *np.cumsum(rng.exponential(0.2, 4))]
    options = {"threat_model": ThreatModel(norm), "method": method, "n_steps": 3}
    success = attack_success(module, samples, y, grid, **options)
    clean = predict_with(module)(samples) == y
    assert_array_equal(success[0], ~clean)
    for smaller, larger in pairwise(grid):
        assert (success[smaller] <= success[larger]).all()
    accuracy = robust_accuracy(module, samples, y, grid, **options)
    assert_series_equal(accuracy, (~success).mean(), check_names=False)
    assert robust_accuracy(module, samples, y, grid[-1], **options) <= clean.mean()


@pytest.mark.parametrize("boxed", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3, 7])
@pytest.mark.parametrize("norm", [2, np.inf])
def test_linear_models(norm, n_classes, boxed):
    rng = np.random.default_rng(0)
    weight, bias, samples = random_linear(rng, n_classes, n=60)
    threat_model, limits = ThreatModel(norm), {}
    if boxed:
        limits = {"low": samples.min(axis=0), "high": samples.max(axis=0)}
        limits["mutable"] = np.arange(6) > 1
        threat_model = ThreatModel(norm, (limits["low"], limits["high"]), limits["mutable"])
    distance = linear_distances(weight, bias, samples, norm, **limits)
    y = (samples @ weight.T + bias).argmax(axis=1)
    grid = np.quantile(distance, [0.2, 0.5, 0.8]) * 1.1
    accuracy = robust_accuracy(
        linear_layer(weight, bias), samples, y, grid, threat_model=threat_model
    )
    for eps, value in accuracy.items():
        assert value == (distance > eps).mean()
    assert (np.diff(accuracy) < 0).all()


@pytest.mark.slow
def test_a_number_and_a_grid():
    single = robust_accuracy(NET, X, Y, 0.2)
    assert isinstance(single, RobustAccuracy)
    assert single == 1 - attack(NET, X, Y, eps=0.2).success_rate
    assert single.transfer_from is None
    assert repr(single) == str(single) == repr(float(single))
    assert f"{single:.2f}" == f"{float(single):.2f}"
    series = robust_accuracy(NET, X, Y, GRID)
    assert series.name == "robust accuracy"
    assert series.index.name == "eps"
    assert_array_equal(series.index, GRID)
    success = attack_success(NET, X, Y, 0.2)
    assert success.dtype == bool
    assert_array_equal(success, attack(NET, X, Y, eps=0.2).success)
    frame = pd.DataFrame(X, index=np.arange(40)[::-1])
    table = attack_success(NET, frame, Y, GRID)
    assert table.to_numpy().dtype == bool
    assert_array_equal(table.index, frame.index)
    assert_array_equal(table.columns, GRID)


def test_fooled_samples_take_part_in_no_further_attack():
    module = network([4, 8, 3])
    rows = Rows(module)
    alone = attack_success(module, X, Y, 0.4)
    n = len(rows.forward)
    both = attack_success(module, X, Y, [0.4, 0.8])
    assert_array_equal(both[0.4], alone)
    assert 0 < max(rows.forward[2 * n :]) == (~alone).sum() < 25


def test_transfer_is_labelled_everywhere():
    other = network([4, 8, 3], seed=1)
    single = robust_accuracy(NET, X, Y, 0.2, transfer_from=other)
    assert single.transfer_from == "Sequential"
    assert repr(single) == f"{float(single)!r} (examples made for Sequential)"
    assert str(single) == repr(single)
    copied = pickle.loads(pickle.dumps(single))
    assert repr(copied) == repr(single)
    series = robust_accuracy(NET, X, Y, GRID, transfer_from=("the other", other))
    assert series.name == "accuracy, examples made for the other"
    assert series[0.2] == single
    assert series[0] == (CLEAN == Y).mean()
    # Nothing holds it below clean accuracy: here every example is made by the model's own twin
    # with the classes exchanged, and moves what is wrong to where it is right.
    helper = linear_layer([[1.0], [-1.0]], [0.0, 0.0])
    judged = linear_layer([[-1.0], [1.0]], [0.0, 0.0])
    points, y = [[-0.2], [0.2]], [1, 0]
    assert robust_accuracy(judged, points, y, 0.0) == 0
    assert robust_accuracy(judged, points, y, 0.5, transfer_from=helper) == 1


@pytest.mark.parametrize("entry", [robust_accuracy, attack_success])
@pytest.mark.parametrize(
    ("eps", "options", "error", "match"),
    [
        ([0.1, 0.1], {}, ValueError, "sequence of numbers that increase"),
        ([0.2, 0.1], {}, ValueError, "sequence of numbers that increase"),
        ([], {}, ValueError, "sequence of numbers that increase"),
        ([[0.1]], {}, ValueError, "sequence of numbers that increase"),
        ([-0.1, 0.1], {}, ValueError, "finite and not negative"),
        (0.1, {"target": 1}, ValueError, "give y, .* or target"),
        (0.1, {"steps": 3}, TypeError, "steps"),
        (0.1, {"y": None}, ValueError, "y must be given"),
    ],
)
def test_errors(entry, eps, options, error, match):
    options = {"y": Y, **options}
    with pytest.raises(error, match=match):
        entry(NET, X, options.pop("y"), eps, **options)
