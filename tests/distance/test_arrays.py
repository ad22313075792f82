"""The rank of an entry among its equals, and sums of runs, against plain counts and sums."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from robfair.distance._arrays import adder, rank, starts_of


@given(st.lists(st.integers(0, 4), max_size=20))
def test_rank_counts_the_equal_entries_before(samples):
    counted = [samples[:i].count(sample) for i, sample in enumerate(samples)]
    assert_array_equal(rank(np.array(samples, dtype=np.intp)), counted)


@pytest.mark.parametrize("weighted", [True, False])
def test_sums_of_runs_are_those_of_a_loop(weighted):
    rng = np.random.default_rng(0)
    count = rng.integers(0, 4, 30)  # some runs are empty
    item = rng.integers(0, 9, count.sum()).astype(np.int32)
    values, weight = rng.normal(size=9), rng.normal(size=len(item)) if weighted else None
    paid = values[item] * (1 if weight is None else weight)
    right = [part.sum() for part in np.split(paid, np.cumsum(count)[:-1])]
    assert_allclose(adder(item, starts_of(count), 9, weight) @ values, right, atol=1e-12)
