import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from robfair._mean_summary import (
    MeanSummary,
    claim_end,
    combine,
    contrast,
    far_caution,
    hall,
    hall_inverse,
    mean_ends,
    p_above,
    summarize,
)


def groups(*sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.lognormal(0.0, 1.0, n) for n in sizes]


def numbers(means):
    return np.array([means.mean, means.squared_error, means.skewness, means.df])


def test_a_group_in_four_numbers():
    block = groups(40)[0]
    mean, squared_error, skewness, df = numbers(summarize([block]))[:, 0]
    assert_allclose(mean, block.mean())
    assert_allclose(squared_error, stats.sem(block) ** 2)
    assert_allclose(skewness, (1 + 15 / 40) * stats.skew(block) / np.sqrt(40))
    assert df == 39


def test_columns_are_summarized_by_themselves():
    blocks = [np.random.default_rng(0).random((n, 3)) for n in (5, 8)]
    together = summarize(blocks)
    assert together.mean.shape == (3, 2)
    for column in range(3):
        alone = summarize([block[:, column] for block in blocks])
        assert_allclose(numbers(together[column]), numbers(alone))


def test_a_rate_has_a_spread_even_where_no_row_shows_it():
    # As if one more row had succeeded and one more had failed: 1 of 52, and 51 of 52.
    none, all_ = numbers(summarize([np.zeros(50), np.full(50, 3.0)])).T
    rate = 1 / 52
    assert_allclose(none[[0, 1]], [0.0, 9 * rate * (1 - rate) / 49])
    assert_allclose(all_[[0, 1]], [3.0, none[1]])
    assert_allclose(none[2], -all_[2])
    assert none[2] > 0
    # Of equal values that no other group has, one may have been 0 too.
    assert summarize([np.full(50, 3.0), np.arange(50.0)]).squared_error[0] > 0


def test_what_is_unknown_is_nan():
    means = summarize([np.array([2.0]), np.array([]), np.array([1.0, 2.0])])
    assert_array_equal(means.mean, [2.0, np.nan, 1.5])
    assert_array_equal(np.isnan(means.squared_error), [True, True, False])
    # Without a distance above 0 there is no scale.
    assert np.isnan(summarize([np.zeros(5), np.zeros(9)]).squared_error).all()


@given(st.floats(1e-6, 1e6))
def test_the_unit_does_not_matter(unit):
    blocks = [*groups(20, 30), np.zeros(10), np.full(10, 2.0)]
    scaled = numbers(summarize([unit * block for block in blocks]))
    assert_allclose(
        scaled, numbers(summarize(blocks)) * np.array([[unit], [unit**2], [1], [1]]), rtol=1e-9
    )


def test_a_difference_has_welchs_error_and_the_sum_of_the_cumulants():
    a, b = groups(20, 35)
    means = summarize([a, b])
    difference = combine(means, [1.0, -1.0])
    welch = stats.ttest_ind(a, b, equal_var=False)
    assert_allclose(difference.mean / difference.error, welch.statistic)
    assert difference.df == 19  # the smaller group's, which is less than Welch's
    larger = summarize([a, 0.3 * b])
    expected = stats.ttest_ind(5 * a, 0.3 * b, equal_var=False).df
    assert_allclose(combine(larger, [5.0, -1.0]).df, min(expected, 19))
    third = means.skewness * means.squared_error**1.5
    assert_allclose(difference.skewness * difference.squared_error**1.5, third[0] - third[1])


def test_skewness_of_a_weighted_sum_is_that_of_its_distribution():
    # Two dice of unequal faces, every outcome by brute force.
    faces = [np.array([0.0, 1.0, 5.0]), np.array([0.0, 2.0])]
    means = MeanSummary(
        *(np.array([f(x) for x in faces]) for f in (np.mean, np.var, stats.skew, len))
    )
    total = 2 * faces[0][:, None] - 3 * faces[1]
    both = combine(means, [2.0, -3.0])
    assert_allclose(
        [both.mean, both.squared_error, both.skewness],
        [total.mean(), total.var(), stats.skew(total, axis=None)],
    )


def test_contrasts_are_weighted_sums_of_two():
    means = summarize(groups(20, 400, 300))
    pairs = np.array([[0, 1], [1, 0], [1, 2]])
    made, plain = contrast(means, pairs, 0.5), combine(means[[1, 2]], [1.0, -0.5])
    assert_allclose(made.mean, means.mean[pairs[:, 0]] - 0.5 * means.mean[pairs[:, 1]])
    assert_allclose(numbers(made)[:, 2], numbers(plain))
    assert_allclose(numbers(-plain), numbers(plain) * [-1, 1, -1, 1])


def test_differences_may_be_negative():
    block = groups(40)[0]
    means = summarize([-block, block])
    assert_allclose(numbers(means)[:, 0], numbers(-means)[:, 1])
    assert_allclose(summarize([-block]).squared_error, stats.sem(block) ** 2)


@given(st.floats(-30, 30), st.floats(-3, 3), st.floats(1e-3, 1))
def test_halls_transformation_increases_and_has_an_inverse(t, skewness, step):
    t, step, skewness = (np.asarray(x) for x in (t, step, skewness))
    assert_allclose(hall_inverse(hall(t, skewness), skewness), t, rtol=1e-6, atol=1e-4)
    assert hall(t + step, skewness) >= hall(t, skewness)


def test_without_skewness_the_interval_is_students():
    block = np.r_[np.arange(1.0, 9.0), np.arange(1.0, 9.0)]  # symmetric
    ends = mean_ends(summarize([block]), 0.025)
    expected = stats.t.interval(0.95, 15, block.mean(), stats.sem(block))
    assert_allclose(np.ravel(ends), expected, rtol=1e-5)


def test_a_skewed_mean_may_be_larger_rather_than_smaller():
    means = summarize(groups(30))
    low, high = mean_ends(means, 0.025)
    assert high - means.mean > 1.5 * (means.mean - low)
    cautious = mean_ends(means, 0.025, caution=2)
    assert cautious[0] < low
    assert high < cautious[1]


@given(st.integers(0, 50), st.floats(0.001, 0.2))
def test_a_claim_needs_both_tests(seed, p):
    a, b = groups(20, 400, seed=seed)
    difference = combine(summarize([a, 0.7 * b]), [1.0, -1.0])
    halls = mean_ends(difference, p, caution=2)[0] > 0
    by_t = stats.t.sf(difference.mean / difference.error, difference.df)
    assert (p_above(difference) < p) == (halls and by_t < p) == (claim_end(difference, p) > 0)


def test_caution_grows_in_the_far_tail_alone():
    assert_allclose(far_caution(np.array([0.05, 10**-3.2, 10**-4.2, 10**-5.2])), [2, 2, 3, 4])
    difference = combine(summarize(groups(20, 400)), [1.0, -1.0])
    assert claim_end(difference, 1e-4, 3) < claim_end(difference, 1e-4)
    assert p_above(-difference, 3) > p_above(-difference)


@pytest.mark.slow
@pytest.mark.parametrize("n", [30, 150])
@pytest.mark.parametrize("draw", ["exponential", "lognormal", "normal"])
def test_intervals_of_a_mean_hold(draw, n):
    rng = np.random.default_rng(0)
    means = summarize([getattr(rng, draw)(size=(n, 4000)) + 10 * (draw == "normal")])
    truth = {"exponential": 1.0, "lognormal": np.exp(0.5), "normal": 10.0}[draw]
    low, high = mean_ends(means, 0.025)
    assert np.mean((low <= truth) & (truth <= high)) >= 0.93
