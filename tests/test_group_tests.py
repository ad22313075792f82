"""Pairs of groups: two tests must agree, all of them are one family, and few are named wrongly."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import special, stats

from robfair._group_tests import compare_groups, cross, holm, row_values
from robfair._groups import Groups, encode_groups
from robfair._mean_summary import contrast, p_above, summarize


def compared(groups, labels=None, level=0.05):
    """Test groups whose values are given by name."""
    values = np.concatenate(list(groups.values()))
    names = np.repeat(list(groups), [len(each) for each in groups.values()])
    labels = np.zeros(len(values), dtype=int) if labels is None else labels
    encoded = encode_groups(names, len(values)), encode_groups(labels, len(values), "y_true")
    return compare_groups(values, *encoded, level)


def test_a_pair_differs_by_welch_s_test_with_the_smaller_group_s_degrees_at_most():
    rng = np.random.default_rng(0)
    groups = {name: rng.uniform(0.0, 0.3 + 0.2 * i, 30 + i) for i, name in enumerate("abcd")}
    pairs = compared(groups).pairs
    blocks = list(groups.values())
    for k, (i, j) in enumerate(combinations(range(4), 2)):
        welch = stats.ttest_ind(blocks[i], blocks[j], equal_var=False)
        df = min(welch.df, len(blocks[i]) - 1)
        assert pairs.p[k] >= 2 * special.stdtr(df, -abs(welch.statistic)) * (1 - 1e-9)
        assert pairs.p[k] <= 3 * welch.pvalue + 0.005  # the price of caution
        assert {pairs.a[k], pairs.b[k]} == {i, j}
        assert blocks[pairs.a[k]].mean() <= blocks[pairs.b[k]].mean()
    means = np.array([values.mean() for values in blocks])
    assert_allclose(pairs.difference, means[pairs.b] - means[pairs.a])


def test_the_least_difference_that_is_told_is_where_the_test_turns():
    rng = np.random.default_rng(0)
    groups = {"a": rng.exponential(1.0, 40), "b": rng.exponential(1.3, 90)}
    pairs = compared(groups).pairs
    least = pairs.least(0, 0.05)
    for shift, told in ((-1e-6, False), (1e-6, True)):
        moved = [side.copy() for side in groups.values()]
        moved[pairs.b[0]] += least + shift - pairs.difference[0]
        again = contrast(summarize(moved), np.array([[pairs.b[0], pairs.a[0]]]))
        assert (2 * p_above(again)[0] <= 0.05) == told


def test_groups_of_equal_values_are_not_told_apart():
    # None of thirty rows is 0, but one of a hundred may be.
    pairs = compared({"a": np.ones(30), "b": np.ones(30), "c": np.full(30, 1.1)}).pairs
    assert pairs.p[0] == 1.0
    assert not pairs.apart[0]
    assert compared({"a": np.zeros(30), "b": np.zeros(30)}).pairs.p.tolist() == [1.0]


def test_small_groups_and_unknown_values_are_left_out():
    rng = np.random.default_rng(0)
    groups = {name: rng.uniform(size=n) for name, n in {"a": 40, "b": 50, "c": 29, "d": 60}.items()}
    groups["d"][0] = np.nan
    tests = compared(groups)
    assert (tests.pairs.a.tolist(), tests.pairs.b.tolist()) in (([0], [1]), ([1], [0]))
    assert not tests.vulnerable.any()  # Rob(f) is not known
    assert len(compared({"a": groups["a"], "c": groups["c"]}).pairs.p) == 0


def test_within_labels_the_tests_are_of_the_rows_of_a_label():
    rng = np.random.default_rng(0)
    groups = {name: rng.exponential(1.0, 200) for name in "abc"}
    labels = rng.integers(0, 3, 600)
    tests = compared(groups, labels)
    names = np.repeat(list("abc"), 200)
    values = np.concatenate(list(groups.values()))
    for label in range(3):
        alone = compared({g: values[(names == g) & (labels == label)] for g in "abc"})
        assert_allclose(tests.within[label].p, alone.pairs.p)
    assert compared(groups).within == []


def test_a_difference_that_stands_leaves_its_level_to_the_others():
    rng = np.random.default_rng(0)
    far = {"a": rng.normal(1, 0.2, 200), "b": rng.normal(2, 0.2, 200)}
    labels = np.tile([0, 1], 200)
    tests = compared(far, labels)
    p = [tests.pairs.p[0], *(each.p[0] for each in tests.within)]
    assert max(p) < 1e-10
    assert all(each.apart.all() for each in (tests.pairs, *tests.within))
    # Without one over all rows, a difference within labels needs a tenth of the level.
    weights = np.array([0.8, 0.1, 0.1])
    assert (holm(np.array([0.5, 0.004, 0.5]), weights) <= 0.05).tolist() == [False, True, False]
    assert (holm(np.array([0.5, 0.006, 0.5]), weights) <= 0.05).tolist() == [False, False, False]
    assert (holm(np.array([0.04, 0.02, 0.5]), weights) <= 0.05).tolist() == [True, True, False]


@pytest.mark.parametrize("seed", range(3))
def test_pairs_over_all_rows_have_four_fifths_of_the_level(seed):
    rng = np.random.default_rng(seed)
    groups = {name: rng.exponential(1 + i / 5, 150) for i, name in enumerate("abc")}
    tests = compared(groups, rng.integers(0, 2, 450), level=0.3)
    p = np.concatenate([tests.pairs.p, *(each.p for each in tests.within)])
    stands = holm(p, np.repeat([0.8 / 3, 0.2 / 6], [3, 6])) <= 0.3
    assert 0 < stands.sum() < 9
    found = np.concatenate([tests.pairs.apart, *(each.apart for each in tests.within)])
    assert found.tolist() == stands.tolist()


def test_vulnerable_groups_are_below_the_mean_for_sure():
    rng = np.random.default_rng(0)
    groups = {"low": rng.normal(1, 0.1, 100), "mid": rng.normal(1.4, 0.9, 60),
              "high": rng.normal(2, 0.1, 100)}  # fmt: skip
    tests = compared(groups)
    mean = np.mean([values.mean() for values in groups.values()])
    assert tests.means.labels.tolist() == ["high", "low", "mid"]
    assert tests.means.mean[2] < mean  # by less than chance makes
    assert tests.vulnerable.tolist() == [False, True, False]


@given(st.integers(0, 50), st.floats(0.01, 100))
def test_neither_unit_nor_order_of_rows_matters(seed, unit):
    rng = np.random.default_rng(seed)
    groups = {name: rng.exponential(1 + (name == "c"), 80) for name in "abc"}
    labels = rng.integers(0, 2, 240)
    one = compared(groups, labels)
    turned = {name: unit * values[::-1] for name, values in groups.items()}
    other = compared(turned, np.concatenate([part[::-1] for part in np.split(labels, 3)]))
    assert_allclose(other.pairs.p, one.pairs.p, rtol=1e-6)
    assert other.vulnerable.tolist() == one.vulnerable.tolist()


SIZES = [(30, 5000), (30, 30, 30, 2000, 5000), tuple(range(30, 500, 25))]


@pytest.mark.slow
@pytest.mark.parametrize("sizes", SIZES)
def test_of_groups_that_are_alike_few_are_named_over_all_rows_or_within_labels(sizes):
    rng = np.random.default_rng(0)
    named = []
    groups = Groups(np.repeat(np.arange(len(sizes)), sizes), pd.RangeIndex(len(sizes)))
    n = sum(sizes)
    for _ in range(300):
        labels = Groups((rng.random(n) < 0.3).astype(int), pd.RangeIndex(2))
        distance = rng.lognormal(0, 1, n) * np.array([1.0, 0.6])[labels.codes]
        values = row_values(rng.random(n) < 0.85, distance, None)
        tests = compare_groups(values, groups, labels, 0.05)
        told = [tests.pairs.apart, tests.vulnerable, *(each.apart for each in tests.within)]
        named.append(any(each.any() for each in told))
    assert np.mean(named) <= 0.06 + 2 * np.sqrt(0.06 * 0.94 / 300)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=9), st.floats(0.001, 0.5))
def test_holm_by_its_definition(p, level):
    order = sorted(range(len(p)), key=lambda i: p[i])
    expected = [False] * len(p)
    for rank, i in enumerate(order):
        if p[i] > level / (len(p) - rank):
            break
        expected[i] = True
    assert (holm(np.array(p)) <= level).tolist() == expected


def test_crossing_keeps_what_nobody_has():
    labels, groups = encode_groups([0, 1, 1], 3), encode_groups(["b", "a", "a"], 3)
    both = cross(labels, groups)
    assert both.labels.tolist() == [(0, "a"), (0, "b"), (1, "a"), (1, "b")]
    assert both.codes.tolist() == [1, 2, 2]


def test_holm_corrects_p_values_by_hand():
    assert_allclose(holm(np.array([0.03, 0.01, 0.02, 0.9])), [0.06, 0.04, 0.06, 0.9])
    assert_allclose(holm(np.array([0.6, 0.5])), [1.0, 1.0])
    assert_allclose(holm(np.array([np.nan, 0.01])), [np.nan, 0.02])
