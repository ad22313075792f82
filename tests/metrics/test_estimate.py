import copy
import json
import math
import pickle

import numpy as np
import pytest

from robfair import metrics
from robfair.exceptions import UndefinedMetricWarning
from robfair.metrics import Estimate, classifier_robustness, robustness_dispersion

RNG = np.random.default_rng(0)
N = 200
Y = RNG.integers(0, 2, N)
P = np.where(RNG.random(N) < 0.8, Y, 1 - Y)
D = RNG.exponential(size=N)
G = np.array(["a", "b", "c", "d"])[np.arange(N) % 4]

BOOTSTRAPPED = [
    metrics.classifier_robustness,
    metrics.robustness_variance,
    metrics.robustness_dispersion,
    metrics.worst_group_robustness,
    metrics.robustness_gap,
    lambda y, p, distance, sensitive_features, **more: metrics.class_accuracy_unfairness(
        y, p, **more
    ),
    lambda y, p, distance, sensitive_features, **more: metrics.equalized_odds_unfairness(
        y, distance / distance.max(), sensitive_features=sensitive_features, **more
    ),
]


def test_estimate_is_a_float():
    plain, with_interval = Estimate(0.5), Estimate(0.5, (0.25, 1.0))
    assert plain == with_interval == 0.5
    assert hash(with_interval) == hash(0.5)
    assert plain.interval is None
    assert with_interval.interval == (0.25, 1.0)
    assert repr(plain) == str(plain) == "0.5"
    assert repr(with_interval) == "Estimate(0.5, interval=(0.25, 1.0))"
    assert f"{with_interval:.2f}" == "0.50"
    assert type(with_interval + 1) is float
    assert type(-with_interval) is float
    assert json.dumps(with_interval) == "0.5"
    assert np.array([plain, with_interval]).dtype == float


@pytest.mark.parametrize("interval", [None, (0.25, 1.0)])
def test_estimate_pickles_and_copies(interval):
    value = Estimate(0.5, interval)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        again = pickle.loads(pickle.dumps(value, protocol))
        assert type(again) is Estimate
        assert (again, again.interval) == (0.5, interval)
    for again in (copy.copy(value), copy.deepcopy(value)):
        assert (type(again), again, again.interval) == (Estimate, 0.5, interval)


@pytest.mark.parametrize("measure", BOOTSTRAPPED)
def test_interval_is_an_increasing_pair_of_floats(measure):
    assert measure(Y, P, distance=D, sensitive_features=G).interval is None
    value = measure(Y, P, distance=D, sensitive_features=G, n_boot=200, random_state=0)
    low, high = value.interval
    assert type(low) is type(high) is float
    assert low < high
    assert value == measure(Y, P, distance=D, sensitive_features=G)


@pytest.mark.parametrize("measure", BOOTSTRAPPED)
def test_seed_decides(measure):
    def interval(random_state):
        return measure(
            Y, P, distance=D, sensitive_features=G, n_boot=50, random_state=random_state
        ).interval

    assert interval(0) == interval(0) == interval(np.int64(0))
    assert interval(0) == interval(np.random.default_rng(0))
    assert interval(0) != interval(1)
    assert interval(np.random.RandomState(0)) == interval(np.random.RandomState(0))
    assert interval(None) != interval(None)
    for generator in (np.random.default_rng(0), np.random.RandomState(0)):
        assert interval(generator) != interval(generator)


@pytest.mark.parametrize("random_state", [None, 0, np.random.default_rng(0)])
def test_global_state_is_untouched(random_state):
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    classifier_robustness(
        Y, P, distance=D, sensitive_features=G, n_boot=10, random_state=random_state
    )
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"n_boot": 0}, ValueError, "n_boot must be .* got 0"),
        ({"n_boot": -3}, ValueError, "n_boot must be"),
        ({"n_boot": 1.5}, ValueError, "n_boot must be .* got 1.5"),
        ({"ci_quantiles": (0.9, 0.1)}, ValueError, "ci_quantiles must be two increasing"),
        ({"ci_quantiles": (0.5, 0.5)}, ValueError, "ci_quantiles"),
        ({"ci_quantiles": (-0.1, 0.5)}, ValueError, "ci_quantiles"),
        ({"ci_quantiles": (0.1, 1.5)}, ValueError, "ci_quantiles"),
        ({"ci_quantiles": (0.1, math.nan)}, ValueError, "ci_quantiles"),
        ({"ci_quantiles": (0.1, 0.5, 0.9)}, ValueError, "ci_quantiles"),
        ({"n_boot": 5, "random_state": "seed"}, TypeError, "random_state must be .* got 'seed'"),
    ],
)
@pytest.mark.parametrize("measure", [*BOOTSTRAPPED, metrics.group_robustness])
def test_wrong_bootstrap_arguments(measure, changed, error, message):
    with pytest.raises(error, match=message):
        measure(Y, P, distance=D, sensitive_features=G, **changed)


def test_quantiles_are_those_of_the_replicates():
    whole = classifier_robustness(
        Y, P, distance=D, sensitive_features=G, n_boot=99, ci_quantiles=(0, 1), random_state=0
    )
    half = classifier_robustness(
        Y, P, distance=D, sensitive_features=G, n_boot=99, ci_quantiles=[0.25, 0.75], random_state=0
    )
    assert whole.interval[0] < half.interval[0] < half.interval[1] < whole.interval[1]


def test_interval_agrees_with_the_normal_approximation():
    value = np.where(P == Y, D, 0.0)
    blocks = [value[label == G] for label in np.unique(G)]
    error = math.sqrt(sum(block.var() / len(block) for block in blocks)) / len(blocks)
    rob = classifier_robustness(Y, P, distance=D, sensitive_features=G, n_boot=4000, random_state=0)
    assert rob.interval == pytest.approx((rob - 1.96 * error, rob + 1.96 * error), abs=0.015)


def test_coverage():
    rng = np.random.default_rng(1)
    y, groups = np.zeros(120), np.repeat([0, 1, 2], [20, 40, 60])
    scale = np.array([0.5, 1.0, 1.5])[groups]
    hits, n_runs = 0, 400
    for _ in range(n_runs):
        low, high = classifier_robustness(
            y,
            y,
            distance=rng.gamma(2, scale / 2),
            sensitive_features=groups,
            n_boot=200,
            random_state=rng,
        ).interval
        hits += low <= 1.0 <= high
    assert 0.89 < hits / n_runs < 0.98


def test_interval_is_undefined_where_a_replicate_is():
    # One sample alone is right: about a third of the bootstrap samples miss it in its group.
    y, pred = [0] * 6, [0, 1, 1, 1, 1, 1]
    with pytest.warns(UndefinedMetricWarning, match=r"interval of CV .* \d+ of 50 bootstrap"):
        cv = robustness_dispersion(
            y,
            pred,
            distance=[1.0] * 6,
            sensitive_features=list("aaabbb"),
            n_boot=50,
            random_state=0,
        )
    assert cv == 1.0
    assert np.isnan(cv.interval).all()
