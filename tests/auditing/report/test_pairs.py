"""Pairs of groups: the p-values are scipy's, and Holm's correction is that of its definition."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats

from robfair.auditing.report._pairs import holm, pair_groups


@pytest.mark.parametrize("cap", [None, 1.0])
def test_p_values_are_welch_s(made, cap):
    rng = np.random.default_rng(0)
    groups = {name: rng.gamma(2, 0.3 + 0.2 * i, 30 + i) for i, name in enumerate("abcd")}
    pairs = pair_groups(made(groups, tau_max=cap), np.arange(4))
    capped = [np.minimum(values, cap or np.inf) for values in groups.values()]
    for k, (i, j) in enumerate(combinations(range(4), 2)):
        expected = stats.ttest_ind(capped[i], capped[j], equal_var=False)
        assert pairs.p[k] == pytest.approx(expected.pvalue)
        assert pairs.degrees[k] == pytest.approx(expected.df)
        assert {pairs.a[k], pairs.b[k]} == {i, j}
        assert capped[pairs.a[k]].mean() <= capped[pairs.b[k]].mean()
    means = np.array([values.mean() for values in capped])
    assert_allclose(pairs.difference, means[pairs.b] - means[pairs.a])


def test_groups_without_spread_differ_for_sure_or_not_at_all(made):
    groups = {"a": np.ones(9), "b": np.ones(9), "c": np.full(9, 2.0)}
    pairs = pair_groups(made(groups), np.arange(3))
    assert pairs.p.tolist() == [1.0, 0.0, 0.0]


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.floats(0.001, 0.5))
def test_holm_by_its_definition(p, level):
    order = sorted(range(len(p)), key=lambda i: p[i])
    expected = [False] * len(p)
    for rank, i in enumerate(order):
        if p[i] > level / (len(p) - rank):
            break
        expected[i] = True
    assert holm(np.array(p), level).tolist() == expected
