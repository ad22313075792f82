import time

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from robfair._group_means import below_the_mean, group_means, mean_intervals
from robfair._groups import Groups, encode_groups


def sample(values, labels):
    return group_means(np.asarray(values, dtype=float), encode_groups(labels, len(values)))


def test_means_counts_and_errors():
    means = sample([1.0, 10.0, 3.0, 20.0, 5.0], ["a", "b", "a", "b", "a"])
    assert_array_equal(means.count, [3, 2])
    assert_array_equal(means.mean, [3.0, 15.0])
    assert_allclose(means.squared_error, [4.0 / 3, 50.0 / 2])


def test_several_values_per_sample():
    means = sample([[1.0, 0.0], [2.0, 4.0], [3.0, 2.0]], ["a", "b", "a"])
    assert_array_equal(means.mean, [[2.0, 1.0], [2.0, 4.0]])
    assert_allclose(means.summary.mean, means.mean.T)  # groups are its last axis


def test_groups_without_samples_or_spread():
    groups = Groups(np.array([0, 1, 1]), pd.Index(list("abc")))
    means = group_means(np.array([1.0, 2.0, 4.0]), groups)
    assert_array_equal(means.mean, [1.0, 3.0, np.nan])
    assert_array_equal(means.squared_error, [np.nan, 1.0, np.nan])
    assert_allclose(means.summary.squared_error, means.squared_error)


def test_a_nan_stays_in_its_group():
    summary = sample([np.nan, 2.0, 3.0, 1.0, 2.5], ["a", "a", "a", "b", "b"]).summary
    assert_array_equal(np.isnan(summary.squared_error), [True, False])


def test_time():
    means = sample(np.random.default_rng(0).random(30_000), np.arange(30_000) % 5)
    start = time.process_time()
    assert np.isfinite(means.summary.skewness).all()
    assert time.process_time() - start < 0.2  # 2 ms on an idle machine


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ([0.1] * 3, [False] * 3),  # whose mean is 0.10000000000000002
        ([0.1, 0.3, 0.2], [True, False, False]),  # 0.2 is below the computed mean
        (np.float32([1 / 3, 1 / 3, np.nextafter(np.float32(1 / 3), 1)]), [False] * 3),
        ([1e-30, 3e-30, 2e-30], [True, False, False]),  # whatever the unit
        ([0.0, 0.0, 0.0], [False] * 3),
        ([1.0, 1.0001], [True, False]),
        ([1.0, np.nan], [False, False]),
    ],
)
def test_ties_with_the_mean_are_not_below_it(means, expected):
    assert below_the_mean(np.asarray(means)).tolist() == expected


def test_an_interval_of_a_mean_is_student_s_where_nothing_is_skewed():
    means = sample([1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 9.5, 10.0], ["a"] * 5 + ["b"] * 3)
    low, high = mean_intervals(means, 0.9, None)
    for group, values in enumerate(means.blocks):
        expected = stats.t.interval(0.9, len(values) - 1, values.mean(), stats.sem(values))
        assert_allclose([low[group], high[group]], expected, rtol=1e-6)


def test_ends_stay_where_the_values_can_be():
    means = sample([0.0, 1.0, 1.0, 1.0, 0.0, 0.0], ["a"] * 3 + ["b"] * 3)
    low, high = mean_intervals(means, 0.99, 1.0)
    assert_array_equal(low, [0, 0])
    assert_array_equal(high, [1, 1])
    assert np.isnan(mean_intervals(means, None, 1.0)).all()
