import copy
import json
import math
import pickle
import warnings

import numpy as np
import pytest

from robfair import metrics
from robfair._warnings import ALL_ZERO, Told, each_once
from robfair.exceptions import UndefinedMetricWarning
from robfair.metrics import Estimate, classifier_robustness

RNG = np.random.default_rng(0)
N = 200
Y = RNG.integers(0, 2, N)
P = np.where(RNG.random(N) < 0.8, Y, 1 - Y)
D = RNG.exponential(size=N)
G = np.array(["a", "b", "c", "d"])[np.arange(N) % 4]

WITH_INTERVAL = [
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
    lambda y, p, distance, sensitive_features, **more: metrics.class_robustness_unfairness(
        y, p, least_eps=distance, sensitive_features=sensitive_features, **more
    ),
    lambda y, p, distance, sensitive_features, **more: metrics.leave_one_out_unfairness(
        distance / distance.max(), [distance**2 / distance.max() ** 2], **more
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


@pytest.mark.parametrize("measure", WITH_INTERVAL)
def test_interval_is_an_increasing_pair_of_floats_around_the_value(measure):
    assert measure(Y, P, distance=D, sensitive_features=G).interval is None
    value = measure(Y, P, distance=D, sensitive_features=G, confidence_level=0.95)
    low, high = value.interval
    assert type(low) is type(high) is float
    assert low < high
    assert low <= value <= high
    assert value == measure(Y, P, distance=D, sensitive_features=G)
    narrow = measure(Y, P, distance=D, sensitive_features=G, confidence_level=0.5).interval
    assert low <= narrow[0] <= narrow[1] < high


@pytest.mark.parametrize("measure", WITH_INTERVAL)
def test_nothing_is_drawn_at_random(measure):
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second = (
        measure(Y, P, distance=D, sensitive_features=G, confidence_level=0.95) for _ in range(2)
    )
    assert first.interval == second.interval
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize("measure", WITH_INTERVAL)
def test_the_names_of_groups_do_not_matter(measure):
    renamed = np.array(["d", "b", "a", "c"])[np.unique(G, return_inverse=True)[1]]
    ends = [
        measure(Y, P, distance=D, sensitive_features=groups, confidence_level=0.95).interval
        for groups in (G, renamed)
    ]
    assert ends[0] == pytest.approx(ends[1], rel=1e-6)


@pytest.mark.parametrize(
    ("level", "error", "message"),
    [
        (0, ValueError, "confidence_level must be between 0 and 1; got 0"),
        (95, ValueError, "got 95. Pass 0.95 for a 95 % interval"),
        (1.0, ValueError, "confidence_level must be between 0 and 1"),
        (math.nan, ValueError, "confidence_level must be between 0 and 1"),
        ("95", TypeError, "confidence_level must be a number or None; got '95'"),
        (True, TypeError, "confidence_level must be a number or None; got True"),
        ((0.025, 0.975), TypeError, "confidence_level must be a number or None"),
    ],
)
@pytest.mark.parametrize("measure", [*WITH_INTERVAL, metrics.group_robustness])
def test_wrong_levels(measure, level, error, message):
    with pytest.raises(error, match=message):
        measure(Y, P, distance=D, sensitive_features=G, confidence_level=level)


def test_interval_agrees_with_the_normal_approximation():
    value = np.where(P == Y, D, 0.0)
    blocks = [value[label == G] for label in np.unique(G)]
    error = math.sqrt(sum(block.var() / len(block) for block in blocks)) / len(blocks)
    rob = classifier_robustness(Y, P, distance=D, sensitive_features=G, confidence_level=0.95)
    assert rob.interval == pytest.approx((rob - 1.96 * error, rob + 1.96 * error), rel=0.06)


def test_ends_are_possible_values():
    keywords = {"sensitive_features": list("aaabbb"), "tau_max": 1.0, "confidence_level": 0.95}
    rob = classifier_robustness([0] * 6, [0] * 6, distance=[1, 2, 1, 1, 0.5, 3], **keywords)
    assert 0 <= rob.interval[0] < rob < rob.interval[1] <= 1.0
    y, distance = [0] * 6, [0.01, 1, 1, 0.1, 0.01, 0.02]
    worst = metrics.worst_group_robustness(y, y, distance=[0.9, 1, 1, 0.9, 1, 0.1], **keywords)
    gap = metrics.robustness_gap(y, y, distance=distance, **keywords)
    each = metrics.group_robustness(y, y, distance=distance, **keywords)
    assert worst.interval[1] == gap.interval[1] == each["upper"].max() == 1.0
    keywords.pop("tau_max")
    success = metrics.class_robustness_unfairness(y, y, success=[0, 1, 1, 0, 0, 0], **keywords)
    least_eps = metrics.class_robustness_unfairness(
        y, y, least_eps=distance, eps_max=0.9, **keywords
    )
    assert (success.interval[1], least_eps.interval[1]) == (1.0, 0.9)
    eou = metrics.equalized_odds_unfairness(
        [0, 0, 0, 1] * 2, [1, 1, 0.8, 1, 0, 0.3, 0, 0], condition_on=None,
        sensitive_features=list("aaaabbbb"), confidence_level=0.95,
    )  # fmt: skip
    assert 0 <= eou.interval[0] < eou < eou.interval[1] == 1.0
    luf = metrics.leave_one_out_unfairness([0, 0, 0.0], [[0.1, 1, 1]], confidence_level=0.95)
    assert luf.interval[1] == 1.0
    cau = metrics.class_accuracy_unfairness([0, 0, 1, 1], [0, 0, 0, 0], confidence_level=0.95)
    assert cau.interval == (0.0, 1.0)


@pytest.mark.parametrize(
    ("distance", "groups", "reason"),
    [
        ([1.0, 2.0, 3.0], "aab", r"one sample \('b'\)"),
        ([0.0, 0.0, 0.0, 0.0], "aabb", "no value above 0"),
    ],
)
def test_interval_is_undefined_where_the_spread_is_unknown(distance, groups, reason):
    n = len(groups)
    with pytest.warns(UndefinedMetricWarning, match=f"Each interval is undef.* {reason}"):
        rob = metrics.worst_group_robustness(
            [0] * n,
            [0] * n,
            distance=distance,
            sensitive_features=list(groups),
            confidence_level=0.95,
        )
    assert rob == min(np.mean(np.array(distance)[np.array(list(groups)) == g]) for g in "ab")
    assert np.isnan(rob.interval).all()


@pytest.mark.parametrize("zero", [True, False])
def test_an_unknown_spread_is_told_unless_another_warning_explains_it(zero):
    """That Rob(f) is 0 explains it; that a group has one sample does not."""
    distance = np.zeros(4) if zero else np.array([1.0, 2.0, 1.0, 2.0])
    groups = np.array(["a", "a", "b", "b" if zero else "c"])
    told = Told(explained={ALL_ZERO})
    with warnings.catch_warnings(record=True) as seen, each_once(told):
        warnings.simplefilter("always")
        found = metrics.robustness_gap(
            np.ones(4), np.ones(4), distance=distance, sensitive_features=groups,
            confidence_level=0.9,
        )  # fmt: skip
    assert np.isnan(found.interval).all()
    assert [str(each.message)[:13] for each in seen] == ([] if zero else ["Each interval"])


def test_a_coefficient_of_variation_of_zeros_is_told_unless_it_is_explained():
    for told, n in ((Told(), 1), (Told(explained={ALL_ZERO}), 0)):
        with warnings.catch_warnings(record=True) as seen, each_once(told):
            warnings.simplefilter("always")
            found = metrics.robustness_dispersion(
                np.ones(4), np.ones(4), distance=np.zeros(4), sensitive_features=list("aabb")
            )
        assert np.isnan(found)
        assert len(seen) == n
