"""Intervals of the measures where they have closed forms."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from robfair._mean_summary import MeanSummary
from robfair.metrics import _intervals as intervals
from robfair.metrics._interval_extremes import ratio_interval
from robfair.metrics._interval_gini import gini_interval
from robfair.metrics._interval_spread import spread_intervals


def summary(mean, error, df=1e9, skewness=0.0):
    mean = np.asarray(mean, dtype=float)
    full = np.full_like(mean, df)
    return MeanSummary(mean, np.full_like(mean, error) ** 2, np.full_like(mean, skewness), full)


@pytest.mark.parametrize(("n_groups", "df"), [(1, 9), (2, 3), (4, 3)])
def test_the_error_of_an_average(n_groups, df):
    """It is cautious, with a third of the degrees of freedom, if there is more than one group."""
    low, high = intervals.average(summary(np.arange(n_groups), 0.1, df=9), 0.05)
    half = stats.t.ppf(0.975, df) * 0.1 / n_groups**0.5
    mean = (n_groups - 1) / 2
    assert_allclose([low, high], [mean - half, mean + half], rtol=1e-6)


@pytest.mark.parametrize("ddof", [0, 1])
def test_two_groups_have_a_spread_by_their_gap_or_ratio(ddof):
    means = summary([1.0, 2.0], 0.05)
    gap = np.array(intervals.gap(means, 0.05))
    assert_allclose(intervals.variance(means, 0.05, ddof=ddof), gap**2 / (4 - 2 * ddof))
    low, high = ratio_interval(means, 0.05)
    # Of 1 and r the mean is (1 + r) / 2, and the variance (1 - r)^2 / 4, or twice that.
    expected = [(1 - r) / (1 + r) * (1 + ddof) ** 0.5 for r in (high, low)]
    assert_allclose(intervals.dispersion(means, 0.05, ddof=ddof), expected)
    assert low < 0.5 < high
    # Of two groups, the Gini coefficient is half of CV.
    half = np.array(intervals.dispersion(means, 0.05, ddof=0)) / 2
    assert_allclose(intervals.inequality(means, 0.05), half)


def test_the_spread_of_three_groups_holds_that_of_the_data_and_grows_by_ddof():
    means = summary([1.0, 2.0, 3.0], 0.1)
    low, high = intervals.variance(means, 0.05, ddof=0)
    assert 0 < low < 2 / 3 < high
    ends = np.array(spread_intervals(means, 0.05))
    assert_allclose([low, high], ends[:, 0])
    assert_allclose(intervals.dispersion(means, 0.05, ddof=1), ends[:, 1] * 1.5**0.5)
    assert_allclose(intervals.inequality(means, 0.05), gini_interval(means, 0.05))
    assert_allclose(intervals.variance(means, 0.05, ddof=1), [low * 1.5, high * 1.5])
    low, high = intervals.dispersion(means, 0.05, ddof=0)
    assert 0 < low < np.sqrt(2 / 3) / 2 < high
