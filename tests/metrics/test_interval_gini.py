"""The interval of the Gini coefficient: its lower end against a convex program, and simulations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import optimize, stats

from robfair._mean_summary import MeanSummary, summarize
from robfair.metrics._interval_gini import gini, gini_interval
from robfair.metrics._interval_spread import spread_intervals


def brute_force(mean):
    return np.abs(mean[:, None] - mean).mean() / (2 * mean.mean())


def normal_means(mean, error):
    mean = np.asarray(mean, dtype=float)
    errors = np.broadcast_to(np.asarray(error, dtype=float), mean.shape)
    return MeanSummary(mean, errors**2, np.zeros_like(mean), np.full_like(mean, 1e9))


@given(st.lists(st.floats(0.0, 10.0), min_size=2, max_size=9).filter(lambda m: max(m) > 0.1))
def test_the_coefficient(mean):
    mean = np.array(mean)
    assert gini(mean) == pytest.approx(brute_force(mean), abs=1e-9)
    assert_allclose(gini(np.stack([mean, 2 * mean, mean[::-1]])), gini(mean), atol=1e-12)
    assert gini(0 * mean) == 0


@pytest.mark.parametrize("error", [[0.1, 0.1, 0.1, 0.1], [0.3, 0.05, 0.05, 0.1]])
@pytest.mark.parametrize("mean", [[1.0, 2.0, 2.5, 3.0], [2.0, 1.0, 2.0, 2.0], [1.0, 1.2, 1.1, 3]])
def test_the_lower_end_excludes_no_more_than_the_region_of_scheffe(mean, error):
    """No mean within the chi-square region around the data has a coefficient below the end."""
    mean, error = np.asarray(mean, dtype=float), np.asarray(error)
    low, _ = gini_interval(normal_means(mean, error), 0.05)
    radius = np.sqrt(stats.chi2.ppf(0.975, len(mean) - 1))
    rng = np.random.default_rng(0)
    off = rng.normal(size=(100_000, len(mean)))
    off *= radius / np.linalg.norm(off, axis=1, keepdims=True)
    starts = mean + off * error
    start = starts[np.argmin(gini(starts))]
    inside = {"type": "ineq", "fun": lambda mu: radius**2 - (((mu - mean) / error) ** 2).sum()}
    least = optimize.minimize(lambda mu: float(gini(mu)), start, constraints=inside).fun
    least = min(least, gini(start))
    assert low <= least + 1e-4
    assert low > 0.6 * least  # and it is not much lower


@given(sizes=st.lists(st.integers(5, 60), min_size=3, max_size=7), seed=st.integers(0, 1000))
def test_ends_hold_the_value_and_know_neither_unit_nor_order(sizes, seed):
    rng = np.random.default_rng(seed)
    blocks = [rng.lognormal(0.0, 1.0, n) for n in sizes]
    low, high = gini_interval(summarize(blocks), 0.05)
    value = gini(np.array([block.mean() for block in blocks]))
    assert 0 <= low <= value * (1 + 1e-9) <= high * (1 + 2e-9)
    again = gini_interval(summarize([7.0 * block for block in blocks[::-1]]), 0.05)
    assert_allclose(again, [low, high], rtol=1e-6, atol=2e-6)


def test_draws_can_be_stacked():
    blocks = [np.random.default_rng(n).exponential(1.0, (n, 4)) for n in (30, 60, 90)]
    together = gini_interval(summarize(blocks), 0.05)
    for draw in range(4):
        alone = gini_interval(summarize([block[:, draw] for block in blocks]), 0.05)
        assert_allclose([end[draw] for end in together], alone)


@pytest.mark.parametrize(
    "factors", [[1.0] * 5, [0.2, 0.4, 0.6, 0.8, 1.0], [0.5, 1.0, 1.0, 1.0, 1.0]]
)
def test_it_holds(factors):
    rng = np.random.default_rng(1)
    sizes, factors = (500, 40, 80, 150, 300), np.array(factors)
    blocks = [f * rng.exponential(1.0, (n, 400)) for f, n in zip(factors, sizes, strict=True)]
    low, high = gini_interval(summarize(blocks), 0.05)
    truth = gini(factors)
    assert np.mean((low <= truth + 1e-12) & (truth <= high)) >= 0.94


def lower_end_by_loops(mean, error, p):
    """Try all sums in which the least precise groups share the middle ranks."""
    n = len(mean)
    radius, best = np.sqrt(stats.chi2.ppf(1 - p, n - 1)), 0.0
    for n_out in range(n - 1):
        left_out = sorted(range(n), key=lambda i: -error[i])[:n_out]
        others = sorted(set(range(n)) - set(left_out), key=lambda i: mean[i])
        n_below = len(others) // 2
        order = others[:n_below] + left_out + others[n_below:]
        rank = np.empty(n)
        rank[order] = np.arange(n)
        rank[left_out] = n_below + (n_out - 1) / 2
        weight = (2 * rank + 1 - n) / n

        def excess(g, weight=weight):
            spread = np.sqrt(((weight - g) ** 2 * error**2).sum())
            return ((weight - g) * mean).sum() - radius * spread

        if excess(0) > 0:
            best = max(best, optimize.brentq(excess, 0, 1))
    return best


@pytest.mark.parametrize("n_groups", [3, 4, 5, 6])
@pytest.mark.parametrize("alpha", [0.05, 0.3])
def test_the_lower_end_is_the_greatest_that_a_sum_excludes(n_groups, alpha):
    rng = np.random.default_rng(n_groups)
    ends = []
    for _ in range(12):
        mean, error = rng.uniform(1, 3, n_groups), 0.1 * np.exp(1.2 * rng.normal(size=n_groups))
        low, _ = gini_interval(normal_means(mean, error), alpha)
        assert low == pytest.approx(lower_end_by_loops(mean, error, alpha / 2), abs=2e-6)
        ends.append(low)
    assert np.mean(np.array(ends) > 0) > 0.5


@pytest.mark.parametrize("alpha", [0.05, 0.3])
def test_the_upper_end_of_one_noisy_group_is_as_that_of_cv(alpha):
    """Of two equal means and a greater one, the coefficient is sqrt(2) / 3 of CV."""
    means = normal_means([2.0, 2.0, 3.0], [1e-4, 1e-4, 0.3])
    _, high = gini_interval(means, alpha)
    _, (_, cv) = spread_intervals(means, alpha)
    assert high == pytest.approx(cv * np.sqrt(2) / 3, rel=1e-3)
