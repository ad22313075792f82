"""Pairs of groups: two tests must agree, and Holm's correction is that of its definition."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import special, stats

from robfair._mean_summary import contrast, p_above, summarize
from robfair.auditing.report._pairs import holm, pair_groups
from robfair.exceptions import UndefinedMetricWarning


@pytest.mark.parametrize("cap", [None, 1.0])
def test_a_pair_differs_by_welch_s_test_with_the_smaller_group_s_degrees_at_most(made, cap):
    rng = np.random.default_rng(0)
    groups = {name: rng.uniform(0.0, 0.3 + 0.2 * i, 30 + i) for i, name in enumerate("abcd")}
    pairs = pair_groups(made(groups, tau_max=cap), np.arange(4))
    capped = [np.minimum(values, cap or np.inf) for values in groups.values()]
    for k, (i, j) in enumerate(combinations(range(4), 2)):
        welch = stats.ttest_ind(capped[i], capped[j], equal_var=False)
        df = min(welch.df, len(capped[i]) - 1)
        assert pairs.p[k] >= 2 * special.stdtr(df, -abs(welch.statistic)) * (1 - 1e-9)
        assert pairs.p[k] <= 3 * welch.pvalue + 0.005  # the price of caution
        assert {pairs.a[k], pairs.b[k]} == {i, j}
        assert capped[pairs.a[k]].mean() <= capped[pairs.b[k]].mean()
    means = np.array([values.mean() for values in capped])
    assert_allclose(pairs.difference, means[pairs.b] - means[pairs.a])


def test_the_least_difference_that_is_told_is_where_the_test_turns(made):
    rng = np.random.default_rng(0)
    groups = {"a": rng.exponential(1.0, 40), "b": rng.exponential(1.3, 90)}
    pairs = pair_groups(made(groups), np.arange(2))
    least = pairs.least(0, 0.05)
    sides = [groups[name] for name in ("a", "b")]
    for shift, told in ((-1e-6, False), (1e-6, True)):
        moved = [side.copy() for side in sides]
        moved[pairs.b[0]] += least + shift - pairs.difference[0]
        again = contrast(summarize(moved), np.array([[pairs.b[0], pairs.a[0]]]))
        assert (2 * p_above(again)[0] <= 0.05) == told


def test_groups_of_equal_values_are_not_told_apart_by_few_rows(made):
    # None of nine rows is 0, but one of ten may be.
    groups = {"a": np.ones(9), "b": np.ones(9), "c": np.full(9, 1.2)}
    pairs = pair_groups(made(groups), np.arange(3))
    assert pairs.p[0] == 1.0
    assert np.all(pairs.p > 0.05)
    with pytest.warns(UndefinedMetricWarning):
        nothing = pair_groups(made({"a": np.zeros(9), "b": np.zeros(9)}), np.arange(2))
    assert nothing.p.tolist() == [1.0]


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [(30, 5000), (30, 30, 30, 2000, 5000), tuple(range(30, 500, 25))])
def test_of_groups_that_are_alike_few_are_named(sizes):
    rng = np.random.default_rng(0)
    n = 600
    means = summarize([rng.lognormal(0, 1, (k, n)) * (rng.random((k, n)) < 0.85) for k in sizes])
    pairs = np.stack(np.triu_indices(len(sizes), 1), axis=-1)
    both = contrast(means, pairs)
    p = 2 * np.minimum(p_above(both), p_above(-both))
    named = [holm(each, 0.05).any() for each in p]
    assert np.mean(named) <= 0.06


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.floats(0.001, 0.5))
def test_holm_by_its_definition(p, level):
    order = sorted(range(len(p)), key=lambda i: p[i])
    expected = [False] * len(p)
    for rank, i in enumerate(order):
        if p[i] > level / (len(p) - rank):
            break
        expected[i] = True
    assert holm(np.array(p), level).tolist() == expected
