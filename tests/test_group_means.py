import time
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from robfair import _group_means
from robfair._group_means import below_the_mean, group_means
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
    assert means.replicates(5, np.random.default_rng(0)).shape == (5, 2, 2)


def test_groups_without_samples_or_spread():
    groups = Groups(np.array([0, 1, 1]), pd.Index(list("abc")))
    means = group_means(np.array([1.0, 2.0, 4.0]), groups)
    assert_array_equal(means.mean, [1.0, 3.0, np.nan])
    assert_array_equal(means.squared_error, [np.nan, 1.0, np.nan])
    drawn = means.replicates(50, np.random.default_rng(0))
    assert_array_equal(drawn[:, 0], 1.0)
    assert np.isnan(drawn[:, 2]).all()
    assert np.isfinite(drawn[:, 1]).all()


def test_nan_reaches_every_replicate():
    means = sample([np.nan, 2.0, 3.0, 1.0], ["a", "a", "a", "b"])
    assert np.isnan(means.replicates(50, np.random.default_rng(0))[:, 0]).all()


def test_resampling_stays_within_groups():
    # Constant groups: any sample of the other group, and any change of size, would show.
    means = sample(np.repeat([1.0, 5.0, 7.0], [3, 30, 300]), np.repeat([0, 1, 2], [3, 30, 300]))
    assert_allclose(means.replicates(100, np.random.default_rng(0)), [[1.0, 5.0, 7.0]] * 100)


def test_replicates_are_means_of_n_draws_with_replacement():
    # Powers of 8 make each mean tell how often each sample was drawn.
    values = 8.0 ** np.arange(4)
    drawn = sample(values, ["a"] * 4).replicates(4000, np.random.default_rng(0))[:, 0] * 4
    times = np.array([[int(total) // 8**k % 8 for k in range(4)] for total in drawn])
    assert_array_equal(times.sum(axis=1), 4)
    assert_allclose(times.mean(axis=0), 1.0, atol=0.06)
    assert_allclose(times.var(axis=0), 4 * 0.25 * 0.75, atol=0.1)


def test_same_draws_for_all_values():
    values = np.random.default_rng(0).random(20)
    means = sample(np.column_stack([values, 1 - values]), ["a"] * 20)
    drawn = means.replicates(30, np.random.default_rng(1))
    assert_allclose(drawn.sum(axis=2), 1.0)


@pytest.mark.parametrize("at_once", [1, 64, 2**18])
def test_chunks_do_not_matter(monkeypatch, at_once):
    monkeypatch.setattr(_group_means, "_DRAWS_AT_ONCE", at_once)
    values = np.random.default_rng(0).random(50)
    drawn = sample(values, ["a"] * 30 + ["b"] * 20).replicates(40, np.random.default_rng(3))
    monkeypatch.undo()
    expected = sample(values, ["a"] * 30 + ["b"] * 20).replicates(40, np.random.default_rng(3))
    assert_allclose(drawn, expected)


def test_time_and_memory():
    means = sample(np.random.default_rng(0).random(30_000), np.arange(30_000) % 5)
    start = time.process_time()
    means.replicates(1000, np.random.default_rng(0))
    assert time.process_time() - start < 4  # 0.3 s on an idle machine
    tracemalloc.start()
    means.replicates(200, np.random.default_rng(0))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


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
