"""A subgroup compared with its rest: moments, p-values that keep their level, intervals."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from robfair.auditing._contrast import Contrast, Moments

SHAPES = {
    "lognormal": lambda rng, size: rng.lognormal(0, 1, size),
    "normal": lambda rng, size: rng.normal(1, 0.3, size),
    "left-skewed": lambda rng, size: np.where(rng.random(size) < 0.15, 0.0, 1.0),
    "half zero": lambda rng, size: rng.exponential(1, size) * (rng.random(size) < 0.5),
}


def moments(values):
    return Moments.of(np.stack([(values**k).sum(axis=0) for k in range(4)]))


def test_moments_are_those_of_scipy():
    values = np.random.default_rng(0).lognormal(0, 1, (50, 3))
    result = moments(values)
    assert_allclose(result.mean, values.mean(axis=0))
    assert_allclose(result.variance, values.var(axis=0, ddof=1))
    assert_allclose(result.skewness, stats.skew(values))
    assert result.n.tolist() == [50, 50, 50]


def test_equal_values_have_neither_spread_nor_skewness():
    result = moments(np.full((40, 1), 0.1))
    assert (result.variance[0], result.skewness[0]) == (0, 0)


def test_without_skewness_it_is_a_test_of_means():
    rng = np.random.default_rng(0)
    values = rng.normal(size=2000)
    rest = np.concatenate([values, -values])  # no skewness
    inside = 0.5 * rng.normal(size=25) - 0.4
    contrast = Contrast(moments(inside[:, None]), moments(rest[:, None]))
    z = (inside.mean() - rest.mean()) / (rest.std(ddof=1) * np.sqrt(1 / 25 + 1 / 4000))
    assert contrast.p_lower()[0] == pytest.approx(stats.t.cdf(z, 3999), rel=1e-4)
    low, high = contrast.ends(0.025)
    assert_allclose(high - contrast.difference, 1.96 * contrast.error, rtol=1e-3)
    assert_allclose(contrast.difference - low, 1.96 * contrast.error, rtol=1e-3)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [30, 200])
def test_it_keeps_its_level_and_its_interval(shape, n):
    rng = np.random.default_rng(0)
    inside, rest = (moments(SHAPES[shape](rng, (size, 4000))) for size in (n, 1000))
    contrast = Contrast(inside, rest)
    p = contrast.p_lower()
    for level in (0.05, 0.005):
        error = np.sqrt(level * (1 - level) / len(p))
        assert np.mean(p <= level) <= 1.15 * level + 3 * error
    low, high = contrast.ends(0.025)
    assert np.mean((low <= 0) & (high >= 0)) >= 0.945
    # One subgroup named by the test is named by the interval.
    assert_allclose(p <= 0.025, high < 0)


def test_a_subgroup_that_spreads_more_is_not_named_for_it():
    # Equal means; the spread of the rest alone would name it in a third of the draws.
    rng = np.random.default_rng(0)
    inside, rest = moments(rng.normal(0, 4, (60, 4000))), moments(rng.normal(0, 1, (1000, 4000)))
    assert np.mean(Contrast(inside, rest).p_lower() <= 0.05) <= 0.055


def test_nothing_is_known_of_values_that_are_all_equal():
    zero = moments(np.zeros((30, 1)))
    assert Contrast(zero, zero).p_lower()[0] == 1


def test_all_wrong_is_lower_than_the_rest():
    rest = moments(np.random.default_rng(0).exponential(1, (500, 1)))
    assert Contrast(moments(np.zeros((30, 1))), rest).p_lower()[0] < 1e-6


def test_a_large_sure_difference_ranks_first():
    rest = moments(np.random.default_rng(0).normal(1, 0.3, (4000, 1)))
    shifts = {"large": (0.4, 100), "small": (0.8, 100), "broad": (0.8, 9000), "none": (1.0, 100)}
    scores = {
        name: Contrast(moments(stats.norm(mean, 0.3).ppf((np.arange(n) + 0.5) / n)[:, None]), rest)
        .score()[0]
        for name, (mean, n) in shifts.items()
    }  # fmt: skip
    assert sorted(scores, key=scores.get) == ["large", "small", "broad", "none"]
    assert scores["broad"] < 0 < scores["none"]
