import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from robfair._group_means import group_means
from robfair._groups import Groups, encode_groups
from robfair._mean_summary import MeanSummary
from robfair._standardize import standardized_means, weigh_cells

ROWS = st.lists(
    st.tuples(st.floats(0.0, 10.0), st.sampled_from("ab"), st.sampled_from([0, 1, 2])),
    min_size=1,
    max_size=30,
)


def encoded(values, labels, strata):
    n = len(values)
    return np.asarray(values, float), encode_groups(labels, n), encode_groups(strata, n)


@given(ROWS)
def test_the_mean_within_strata_weighted_by_their_share_of_all_rows(rows):
    frame = pd.DataFrame(rows, columns=["value", "group", "stratum"])
    means = standardized_means(*encoded(frame["value"], frame["group"], frame["stratum"]))
    within = frame.groupby(["group", "stratum"])["value"].mean().unstack()
    share = frame["stratum"].value_counts(normalize=True)
    expected = (within * share).sum(axis=1, skipna=False)
    assert_allclose(means.mean, expected, atol=1e-9)
    assert_array_equal(means.count, frame["group"].value_counts().sort_index())
    empty = within.isna().sum().sum()
    assert len(means.blocks_of(0)) == empty


@given(ROWS)
def test_one_stratum_changes_no_bit(rows):
    values, groups, strata = encoded(*zip(*[(v, g, "all") for v, g, _ in rows], strict=True))
    plain, means = group_means(values, groups), standardized_means(values, groups, strata)
    assert_array_equal(means.mean, plain.mean)
    for name, numbers in vars(plain.summary).items():
        assert_array_equal(getattr(means.summary, name), numbers)


def test_the_error_of_a_weighted_sum_by_hand():
    labels, strata = list("aaaabbbb"), [0, 0, 1, 1] * 2
    values, groups, by = encoded([1.0, 3, 5, 9, 2, 2.5, 4, 7], labels, strata)
    means = standardized_means(values, groups, by)
    assert_allclose(means.mean, [4.5, 3.875])
    # Half of each stratum; s^2 / n of its two values.
    expected = [(2.0 / 2 + 8.0 / 2) / 4, (0.125 / 2 + 4.5 / 2) / 4]
    assert_allclose(means.squared_error, expected)
    assert_allclose(means.summary.squared_error, expected)


def test_cells_are_named_and_strata_without_rows_have_no_part():
    strata = Groups(np.array([0, 0, 2, 2]), pd.Index(["low", "middle", "high"], name="income"))
    groups = Groups(np.array([0, 1, 0, 0]), pd.Index(["a", "b"]))
    means = standardized_means(np.arange(4.0), groups, strata, " where sex is 'f'")
    assert means.blocks_of(0) == ["'b' where sex is 'f' and income is 'high'"]
    assert_allclose(means.mean, [0.5 * 0 + 0.5 * 2.5, np.nan])


@pytest.mark.parametrize("names", [("sex", "old"), (None, "old")])
def test_a_cell_of_crossed_strata_names_each_column(names):
    crossed = encode_groups(pd.DataFrame({"x": list("ffmm"), "y": [True, False] * 2}), 4)
    strata = Groups(crossed.codes, crossed.labels.set_names(names))
    groups = encode_groups(["a", "a", "a", "b"], 4)
    missing = standardized_means(np.ones(4), groups, strata).blocks_of(0)
    assert missing[0] == f"'a' where {names[0] or 'standardize_by'} is 'm' and old is False"


def test_degrees_of_freedom_are_those_of_welch_where_cells_have_one_variance():
    cells = MeanSummary(*(np.array([[a, b]]) for a, b in [(2, 1), (0.1, 0.4), (0, 0), (39, 9)]))
    found = weigh_cells(cells, np.array([[40, 10]]), np.array([0.5, 0.5]))
    assert_allclose(found.mean, 1.5)
    assert_allclose(found.squared_error, 0.125)
    expected = (0.1 + 0.4) ** 2 / (0.1**2 / 39 + 0.4**2 / 9)  # a variance of 4 in both
    assert_allclose(found.df, expected)


def test_a_small_cell_without_spread_is_not_trusted():
    count, half = np.array([[100, 4]]), np.array([0.5, 0.5])
    squared = np.array([[0.01, 1e-12]])  # a variance of 1 in the hundred, and none in the four
    cells = MeanSummary(np.ones((1, 2)), squared, np.zeros((1, 2)), np.array([[99.0, 3.0]]))
    usual = 100 / 104  # the variance of all, by their number
    expected = (0.01 + usual / 4) ** 2 / (0.01**2 / 99 + (usual / 4) ** 2 / 3)
    assert_allclose(weigh_cells(cells, count, half).df, expected, rtol=1e-6)
