import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import optimize, special, stats

from robfair._mean_summary import MeanSummary, mean_ends, summarize
from robfair.metrics._interval_spread import (
    last_standing,
    noncentral_radius,
    side_errors,
    spread_intervals,
)
from robfair.metrics._interval_spread_tail import spread, spread_tail


def normal_means(mean, error=1.0):
    """Return means with a known, normal error."""
    mean = np.asarray(mean, dtype=float)
    errors = np.broadcast_to(np.asarray(error, dtype=float), mean.shape)
    return MeanSummary(mean, errors**2, np.zeros_like(mean), np.full_like(mean, 1e9))


def groups(sizes, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.lognormal(0.0, 1.0, n) for n in sizes]


def noncentral_ends(sum_of_squares, n_groups, alpha=0.05):
    """Return the exact interval of V where all errors are 1: the oracle."""

    def end(p):
        def excess(nc):
            return special.chndtr(sum_of_squares, n_groups - 1, nc) - p

        return optimize.brentq(excess, 0.0, 10 * sum_of_squares + 100) if excess(0.0) > 0 else 0.0

    return end(1 - alpha / 2) / n_groups, end(alpha / 2) / n_groups


@pytest.mark.parametrize("n_groups", [3, 5, 20])
@pytest.mark.parametrize("noise", [2.0, 5.0, 30.0, 3000.0])
def test_with_equal_normal_errors_v_has_the_noncentral_chi_square_interval(n_groups, noise):
    u = np.random.default_rng(1).normal(size=n_groups)
    u -= u.mean()
    seen = noise * (n_groups - 1)
    means = normal_means(1e6 + u * np.sqrt(seen / (u @ u)))  # so far from 0 that CV is as V
    low, high = spread_intervals(means, 0.05)
    expected = noncentral_ends(seen, n_groups)
    assert_allclose(low[0], expected[0], rtol=0.02, atol=0.005)
    assert_allclose(high[0], expected[1], rtol=0.04)
    assert_allclose(low[1], np.sqrt(low[0]) / 1e6, rtol=1e-3)
    assert_allclose(high[1], np.sqrt(high[0]) / 1e6, rtol=0.01)


def test_groups_that_differ_by_less_than_noise_may_be_equal_but_need_not():
    low, high = spread_intervals(normal_means([10.0, 10.1, 9.9, 10.0]), 0.05)
    assert_allclose(low, 0.0)
    assert high[0] > 1.0  # not the 0.005 of the data


@given(
    sizes=st.lists(st.integers(5, 60), min_size=3, max_size=7),
    seed=st.integers(0, 1000),
    unit=st.floats(1e-3, 1e3),
)
def test_ends_hold_the_value_and_scale_and_do_not_know_the_order(sizes, seed, unit):
    blocks = groups(sizes, seed)
    low, high = spread_intervals(summarize(blocks), 0.05)
    value = spread(np.array([block.mean() for block in blocks]))
    assert np.all((low >= 0) & (low <= value * (1 + 1e-9)) & (value <= high * (1 + 1e-9)))
    again = spread_intervals(summarize([unit * block for block in blocks[::-1]]), 0.05)
    scale = np.array([unit**2, 1.0])
    assert_allclose(again[0], low * scale, rtol=1e-6, atol=1e-9 * unit**2)
    assert_allclose(again[1], high * scale, rtol=1e-6)


def test_a_large_group_far_below_is_seen():
    means = normal_means([1.0, 2.0, 2.0, 2.0], error=[0.01, 0.2, 0.2, 0.2])
    low, _ = spread_intervals(means, 0.05)
    assert low[0] > 0.05  # V is 0.19


@pytest.mark.parametrize("error", [[0.5, 0.5, 0.5, 0.5], [0.2, 0.4, 0.8, 0.3]])
def test_the_tail_is_that_of_simulated_means(error):
    mu = np.array([5.0, 6.0, 7.0, 8.0])
    drawn = np.random.default_rng(0).normal(mu, error, size=(200_000, 4))
    for seen in ([5.5, 6.0, 6.5, 7.0], [5.0, 6.2, 7.1, 7.4]):
        tail = spread_tail(mu[None, None], normal_means(seen, error))[:, 0, 0]
        simulated = np.mean(spread(drawn) <= spread(np.array(seen))[:, None], axis=1)
        assert_allclose(tail, simulated, atol=0.01)


unequal = pytest.mark.parametrize(
    ("seen", "error"),
    [
        ([5.0, 6.0, 7.0, 8.0], [0.2, 0.4, 0.8, 0.3]),
        ([5.0, 6.0, 7.0], [0.05, 0.6, 0.05]),  # only one of them can be elsewhere
        ([5.0, 7.0, 6.2], [0.05, 0.05, 0.6]),
        ([1.0, 2.0, 2.0, 2.0], [0.5, 0.1, 0.1, 0.5]),
    ],
)


@unequal
def test_upper_ends_are_near_the_greatest_spread_that_the_test_allows(seen, error):
    means = normal_means(seen, error)
    box = mean_ends(means, 0.1 * 0.025)
    rng = np.random.default_rng(0)
    _, high = spread_intervals(means, 0.05)
    for measure in (0, 1):
        best, greatest = means.mean, 0.0
        for size in (2.0, 0.6, 0.2, 0.06, 0.02):  # of the box, around the best point so far
            mu = best + size * (rng.random((20_000, len(seen))) - 0.5) * (box[1] - box[0])
            mu = np.clip(mu, *box)
            stands = spread_tail(mu[None], means)[measure, 0] >= 0.025
            found = np.where(stands, spread(mu)[measure], 0.0)
            if found.max() > greatest:
                best, greatest = mu[found.argmax()], found.max()
        assert 0.85 * greatest < high[measure] < 1.01 * greatest


@unequal
def test_lower_ends_are_the_least_variance_that_the_data_do_not_reject(seen, error):
    means = normal_means(seen, error)

    def stands(mu):
        # Noncentral chi-square, with the sharpest bend of {V = v} for the noncentrality.
        shift = np.sqrt(len(mu) * np.var(mu)) * np.min(error) / np.max(error) ** 2
        radius = stats.ncx2.ppf(0.975, len(mu) - 1, shift**2 + 1e-12) ** 0.5
        return radius - shift - np.linalg.norm((mu - means.mean) / means.error)

    test = {"type": "ineq", "fun": stands}
    least = optimize.minimize(np.var, means.mean, method="SLSQP", constraints=test)
    assert least.success
    low, _ = spread_intervals(means, 0.05)
    assert_allclose(low[0], least.fun, rtol=0.01, atol=1e-6)


@pytest.mark.parametrize("mean", [0.0, 10.0])
def test_equal_means_may_be_equal_but_need_not(mean):
    low, high = spread_intervals(normal_means([mean] * 4), 0.05)
    assert_array_equal(low, 0.0)
    assert np.all((high > 0) & np.isfinite(high))


def test_a_skewed_mean_has_the_error_of_the_side_on_which_the_others_lie():
    # The precise one tells where the mean of all is.
    error = np.array([0.05, 0.4, 0.4])
    for mean, above in (([1.0, 2.0, 3.0], [False, True, True]), ([3, 1, 2], [True, False, False])):
        means = MeanSummary(np.array(mean, float), error**2, np.full(3, 0.3), np.full(3, 50.0))
        low, high = mean_ends(means, 0.005)
        expected = np.where(above, means.mean - low, high - means.mean) / stats.norm.ppf(0.995)
        assert_allclose(side_errors(means), expected)


@pytest.mark.parametrize("df", [2, 19])
def test_a_radius_far_out_is_that_of_noncentral_chi_square(df):
    exact = stats.ncx2.ppf(0.975, df, 101.0**2) ** 0.5
    assert_allclose(noncentral_radius(0.025, df, np.array([101.0])), exact, rtol=1e-5)


@pytest.mark.parametrize(
    ("tail", "expected"),
    [
        ([0.5, 0.2, 0.1, 0.0, 0.0], 3.5),
        ([0.5, 0.0, 0.2, 0.2, 0.0], 1.9),  # it rises again
        ([0.5, 0.4, 0.3, 0.3, 0.3], 5.0),  # it never falls
        ([0.5, 0.4, 0.2, 0.1, 0.0], 4.5),
        ([0.01, 0.0, 0.0, 0.0, 0.0], 1.0),
    ],
)
def test_a_test_stands_until_its_tail_falls_below_p(tail, expected):
    assert last_standing(np.array(tail), np.arange(1.0, 6.0), 0.05).item() == expected


@pytest.mark.parametrize("df", [9.0, 29.0])
@pytest.mark.parametrize(
    ("mean", "skewness"), [(5, 0.0), (5, 0.3), (5, 1.0), (4.2, 1.0), (4.2, 1.5)]
)
def test_v_of_one_noisy_group_ends_where_its_mean_does(mean, skewness, df):
    """The others are known and equal, so that V is the square of how far this one is from them."""
    errors, skew = np.array([1e-7, 1e-7, 1e-7, 0.3]), np.array([0.0, 0.0, 0.0, skewness])
    means = MeanSummary(np.array([4.0, 4.0, 4.0, mean]), errors**2, skew, np.full(4, df))
    expected = (mean_ends(means[3], 0.025)[1] - 4.0) ** 2 * 3 / 16
    assert spread_intervals(means, 0.05)[1][0] == pytest.approx(expected, rel=0.15)


def test_draws_can_be_stacked():
    size = np.random.default_rng(0).exponential(1.0, (3, 4))
    blocks = [
        np.random.default_rng(n).exponential(f, (n, 4))
        for n, f in zip((30, 60, 90), size, strict=True)
    ]
    together = spread_intervals(summarize(blocks), 0.05)
    for draw in range(4):
        alone = spread_intervals(summarize([block[:, draw] for block in blocks]), 0.05)
        assert_allclose([end[:, draw] for end in together], alone)


@pytest.mark.parametrize("factors", [[1.0, 1.0, 1.0, 1.0, 1.0], [0.8, 1.3, 1.0, 0.9, 1.2]])
def test_intervals_hold_where_the_bootstraps_never_do(factors):
    rng = np.random.default_rng(0)
    truth = spread(np.array(factors))[:, None]
    sizes = (40, 80, 150, 300, 500)
    means = summarize(
        [f * rng.exponential(1.0, (n, 600)) for f, n in zip(factors, sizes, strict=True)]
    )
    low, high = spread_intervals(means, 0.05)
    assert np.all(np.mean((low <= truth + 1e-12) & (truth <= high), axis=1) >= 0.93)
