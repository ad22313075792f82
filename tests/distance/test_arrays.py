"""The rank of an entry among its equals, against a count."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from robfair.distance._arrays import rank


@given(st.lists(st.integers(0, 4), max_size=20))
def test_rank_counts_the_equal_entries_before(samples):
    counted = [samples[:i].count(sample) for i, sample in enumerate(samples)]
    assert_array_equal(rank(np.array(samples, dtype=np.intp)), counted)
