"""How often means differ as little as was seen, against normal draws."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from robfair._mean_summary import MeanSummary, combine, hall
from robfair.metrics._interval_spread_tail import (
    _PAST,
    _between,
    _led,
    _Root,
    _tail_of_leader,
    spread,
    spread_tail,
)


def summary(mean, error):
    """Means whose errors are normal, with a known variance."""
    mean = np.asarray(mean, dtype=float)
    return MeanSummary(mean, np.square(error), np.zeros_like(mean), np.full_like(mean, 1e9))


def test_spread_by_hand():
    v, cv = spread(np.array([[1.0, 2.0, 3.0], [2.0, 2.0, 2.0]]))
    np.testing.assert_allclose(v, [2 / 3, 0])
    np.testing.assert_allclose(cv, [np.sqrt(2 / 3) / 2, 0])


@pytest.mark.parametrize("measure", [0, 1])
@pytest.mark.parametrize(
    ("seen", "mu", "error"),
    [
        ([0.8, 1.0, 1.2], [0.7, 1.0, 1.3], [0.1, 0.1, 0.1]),
        ([0.8, 1.0, 1.2, 1.1, 0.9], [0.75, 1.0, 1.25, 1.1, 0.9], [0.1, 0.02, 0.05, 0.05, 0.05]),
    ],
)
def test_as_often_as_in_draws(seen, mu, error, measure):
    means, mu = summary(seen, error), np.asarray(mu)
    drawn = mu + np.random.default_rng(0).normal(size=(200_000, len(mu))) * error
    expected = np.mean(spread(drawn)[measure] <= spread(means.mean)[measure])
    assert 0.01 < expected < 0.99
    found = spread_tail(mu[None, None], means)[measure].item()
    assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("far", [-1.5, 0.9, 2.0, 4.0])
@pytest.mark.parametrize("skewness", [-0.4, 0.0, 0.5])
def test_no_more_often_than_a_group_that_makes_all_of_the_noise_by_itself(far, skewness):
    """The others are known: V is as small as seen where this group is as near to their mean."""
    others, seen = np.array([0.9, 1.0, 1.1]), 1.6
    error = np.array([1e-6, 1e-6, 1e-6, 0.5])
    means = replace(
        summary([*others, seen], error), skewness=np.array([0, 0, 0, skewness]), df=np.full(4, 12.0)
    )
    near = seen - others.mean()
    t = (np.array([near, -near]) - far) / error[-1]
    expected = -np.diff(stats.t.cdf(hall(t, np.full(2, skewness)), 12)).item()
    found = spread_tail(np.array([[[*others, others.mean() + far]]]), means)[0].item()
    assert found <= expected * 1.001


def test_a_group_far_off_beside_noisy_ones():
    """The spread of nineteen others leaves little room for the error of one that lies far off."""
    rng = np.random.default_rng(0)
    mu = np.append(rng.normal(1.0, 0.05, 19), 3.0)
    error = np.append(np.full(19, 0.2), 0.6)
    means = summary(np.append(mu[:-1] + rng.normal(0, 0.2, 19), 1.6), error)
    drawn = mu + rng.normal(size=(200_000, 20)) * error
    expected = np.mean(drawn.var(axis=1) <= means.mean.var())
    assert 0.002 < expected < 0.02
    found = spread_tail(mu[None, None], means)[0].item()
    assert expected / 3 < found < 3 * expected


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.5])
def test_as_often_as_in_draws_of_skewed_means(factor):
    """Means of exponential values are gamma distributed, whose skewness is known."""
    mu, n = np.array([5.0, 6.0, 7.0, 8.0]), np.array([40.0, 80.0, 120.0, 60.0])
    drawn = np.random.default_rng(0).gamma(n, mu / n, size=(200_000, 4))
    seen = mu.mean() + factor * (mu - mu.mean())
    means = MeanSummary(seen, mu**2 / n, 2 / np.sqrt(n), np.full(4, 1e9))
    expected = np.mean(spread(drawn) <= spread(seen)[:, None], axis=1)
    assert spread_tail(mu[None, None], means)[:, 0, 0] == pytest.approx(expected, abs=0.009)


def test_the_moments_of_the_root_are_those_of_the_quadratic_form():
    """Cumulants of a quadratic form in normal numbers are traces of powers of its matrix."""
    mu, error = np.array([1.0, 1.5, 3.0, 2.2]), np.array([0.3, 0.2, 0.5, 0.1])
    centre = np.eye(4) - 1 / 4
    noise, dev = np.diag(error**2), centre @ mu
    square = centre @ noise
    mean = dev @ dev + np.trace(square)
    variance = 4 * dev @ noise @ dev + 2 * np.trace(square @ square)
    third = 24 * dev @ noise @ square @ dev + 8 * np.trace(square @ square @ square)
    for seen in (mu[::-1], np.full(4, 2.0)):
        root = _Root(mu[None, None], summary(seen, error)[None, None, :])
        assert root.expected.item() == pytest.approx(mean**0.5 * (1 - variance / mean**2 / 8))
        skewed = (third - 1.5 * variance**2 / mean) / (2 * mean**0.5) ** 3
        assert root.third.item() == pytest.approx(skewed)
        # The median of the noise alone: its mean less a sixth of its skewness in deviations.
        least = np.trace(square) - 2 / 3 * np.trace(square @ square @ square) / np.trace(
            square @ square
        )
        assert root.seen.item() == pytest.approx(max(4 * np.var(seen), least) ** 0.5)


def test_a_leader_beside_others_whose_moments_are_those_of_the_quadratic_form():
    means = MeanSummary(
        np.ones(4), np.array([0.3, 0.2, 0.4, 0.1]) ** 2, np.array([0.3, -0.2, 0.5, 0.1]),
        np.array([12.0, 20.0, 9.0, 30.0]),
    )  # fmt: skip
    at = np.array([[[2.0, 1.0, 1.2, 0.9], [1.0, 3.0, 1.1, 0.8]], [[1.0, 1.1, 0.2, 1.2]] * 2])
    seen = np.array([[0.9, 1.2], [0.5, 0.01]])
    found = _tail_of_leader(at, means[None, None, :], seen)
    centre = np.eye(3) - 1 / 3
    for i, leader in {(0, 0): 0, (0, 1): 1, (1, 0): 2, (1, 1): 2}.items():
        noise = np.diag(np.delete(means.squared_error, leader))
        dev, square = centre @ np.delete(at[i], leader), centre @ noise
        others = dev @ dev + np.trace(square)
        slack = 0.5 * np.sqrt(4 * dev @ noise @ dev + 2 * np.trace(square @ square))
        most = np.sqrt(max(seen[i] ** 2 - others + slack, 0.0) / (3 / 4))
        away = combine(replace(means, mean=at[i]), np.where(np.arange(4) == leader, 1, -1 / 3))
        t = (np.array([-most, most]) - away.mean) / away.error
        expected = np.diff(stats.t.cdf(hall(t, np.full(2, away.skewness)), away.df)).item()
        assert found[i] == pytest.approx(expected, rel=1e-9)
    assert found[1, 1] == 0 < found[1, 0]


def test_a_group_leads_more_and_more_from_seven_to_nine_tenths_of_the_error():
    means = summary(np.ones(2), [1.0, 2.0])  # both are as far from their mean
    assert _led(np.array([[0.0, 1.0], [3.0, 2.0]]), means).tolist() == pytest.approx([0.5] * 2)
    means = summary(np.ones(3), [1.0, 1.0, 1.0])
    at = np.array([[0.0, 0.0, 0.0], [0.0, 1.0, 2.0], [0.0, 0.0, 9.0]])
    # Parts of 1/2 and 0 and 1/2, and of 1/6 and 1/6 and 2/3.
    assert _led(at, means).tolist() == [0, 0, 0]
    assert _led(at[2], summary(np.ones(3), [1.0, 1.0, 9.0])) == 1


def test_errors_beyond_where_the_transformation_is_flat_count_as_between():
    skewness, df = 1.5, 9.0
    line = np.linspace(-4, 0, 40_001)
    flat = line[np.abs(np.gradient(hall(line, skewness), line)).argmin()]

    def below(t):
        return stats.t.cdf(hall(t, skewness), df)

    unknown = below(flat) - _PAST
    expected = below(1.0) - (below(-0.5) - unknown)
    assert _between(np.array(-0.5), np.array(1.0), df, skewness) == pytest.approx(
        expected, abs=1e-4
    )
