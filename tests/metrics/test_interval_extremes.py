import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import optimize, stats

from robfair._mean_summary import (
    claim_end,
    contrast,
    far_caution,
    mean_ends,
    p_above,
    summarize,
)
from robfair.metrics._interval_extremes import gap_interval, ratio_interval, worst_interval

INTERVALS = {
    "worst": (worst_interval, np.min),
    "gap": (lambda means, alpha: gap_interval(means[..., None, :], alpha), np.ptp),
    "ratio": (ratio_interval, lambda mean: mean.min() / mean.max()),
}
each_interval = pytest.mark.parametrize("name", INTERVALS)
sizes = st.lists(st.integers(5, 60), min_size=2, max_size=6)


def groups(sizes, seed=0, factors=1.0):
    rng = np.random.default_rng(seed)
    factors = np.broadcast_to(factors, len(sizes))
    return [f * rng.exponential(1.0, n) for f, n in zip(factors, sizes, strict=True)]


@each_interval
@given(sizes=sizes, seed=st.integers(0, 1000), alpha=st.floats(0.01, 0.5))
def test_the_value_of_the_data_lies_inside(name, sizes, seed, alpha):
    interval, statistic = INTERVALS[name]
    means = summarize(groups(sizes, seed))
    low, high = interval(means, alpha)
    value = statistic(means.mean)
    assert low <= value * (1 + 1e-6) + 1e-9
    assert value <= high * (1 + 1e-6) + 1e-9
    wider = interval(means, alpha / 2)
    assert wider[0] <= low * (1 + 1e-6) + 1e-9
    assert high <= wider[1] * (1 + 1e-6) + 1e-9


@each_interval
@given(sizes=sizes, seed=st.integers(0, 1000), unit=st.floats(1e-3, 1e3))
def test_neither_the_order_of_the_groups_nor_the_unit_matters(name, sizes, seed, unit):
    interval = INTERVALS[name][0]
    blocks = groups(sizes, seed)
    expected = np.array(interval(summarize(blocks), 0.05))
    if name != "ratio":
        expected *= unit
    again = interval(summarize([unit * block for block in blocks[::-1]]), 0.05)
    assert_allclose(again, expected, rtol=1e-6, atol=1e-5)


def may_be(means, p):
    """Loop over the groups for those that may have the lowest, and the highest, mean."""
    n = means.mean.shape[-1]
    ends = [mean_ends(means[g], p / n / 2, caution=2) for g in range(n)]
    lowest = [g for g in range(n) if all(ends[g][0] <= high for _, high in ends)]
    return lowest, [g for g in range(n) if all(ends[g][1] >= low for low, _ in ends)]


def gap_by_loops(rows, alpha):
    """A tenth of the error for who is lowest and highest, the rest shared by those who may be."""
    pairs, highs = [], []
    for row in rows:
        lowest, highest = may_be(row, 0.1 * alpha / 2 / len(rows))
        pairs += [contrast(row, np.array([[i, j]]))[0] for i in highest for j in lowest if i != j]
        every = np.argwhere(~np.eye(row.mean.shape[-1], dtype=bool))
        highs.append(mean_ends(contrast(row, every), alpha / 2)[1].max())
    p = 0.9 * alpha / 2 / len(pairs)
    lows = [claim_end(difference, p, far_caution(p)) for difference in pairs]
    return max(0, *lows), max(highs)


def ratio_by_loops(means, alpha):
    """As the gap; the ratio at which a test turns is a root."""
    lowest, highest = may_be(means, 0.1 * alpha / 2)
    pairs = [np.array([[i, j]]) for i in lowest for j in highest if i != j]
    p = 0.9 * alpha / 2 / len(pairs)
    low = high = 1.0
    for pair in pairs:

        def above(r, pair=pair):
            return mean_ends(contrast(means, pair, r), alpha / 2)[0][0]

        def below(r, pair=pair):
            return p - p_above(-contrast(means, pair, r), far_caution(p))[0]

        low = min(low, optimize.brentq(above, 0, 1) if above(1.0) < 0 else 1.0)
        high = min(high, optimize.brentq(below, 0, 1) if below(1.0) > 0 else 1.0)
    return low, high


@pytest.mark.parametrize("alpha", [0.02, 0.17, 0.4])
def test_intervals_by_loops(alpha):
    # Who may be the worst or the best differs between the draws.
    draws = [[1.0, 1.3, 1.5], [0.1, 0.2, 0.6, 0.7], [0.7, 0.9, 2.0, 2.2], [1.0, 1.0, 1.1, 1.6]]
    means = [summarize(groups([60, 40, 80, 50][: len(f)], 3, f)) for f in draws]
    for one in means:
        lowest, _ = may_be(one, 0.1 * alpha / 2)
        p = 0.9 * alpha / 2 / len(lowest)
        low = min(mean_ends(one[g], alpha / 2)[0] for g in lowest)
        high = min(mean_ends(one[g], p, caution=2)[1] for g in lowest)
        assert_allclose(worst_interval(one, alpha), [low, high])
        assert_allclose(gap_interval(one[None], alpha), gap_by_loops([one], alpha))
        assert_allclose(ratio_interval(one, alpha), ratio_by_loops(one, alpha), atol=2e-6)
    names = vars(means[1])
    rows = type(means[1])(*(np.stack([vars(one)[n] for one in means[1:]]) for n in names))
    assert_allclose(gap_interval(rows, alpha), gap_by_loops(means[1:], alpha))
    # As two draws, each of a single row.
    together = gap_interval(rows[:2][..., None, :], alpha)
    alone = [gap_by_loops([one], alpha) for one in means[1:3]]
    assert_allclose(np.stack(together, axis=-1), alone)
    alone = [ratio_by_loops(one, alpha) for one in means[1:3]]
    assert_allclose(np.stack(ratio_interval(rows[:2], alpha), axis=-1), alone, atol=2e-6)


def test_a_claim_that_many_pairs_share_is_more_cautious():
    factors = np.linspace(1.0, 2.0, 12)  # 132 pairs
    means = summarize(groups([25] * 12, 5, factors))
    assert_allclose(gap_interval(means[None], 0.05), gap_by_loops([means], 0.05))
    assert_allclose(ratio_interval(means, 0.05), ratio_by_loops(means, 0.05), atol=2e-6)


def test_worst_of_groups_that_are_clearly_apart_is_that_of_the_lowest():
    means = summarize(groups([200, 200, 200], factors=[1.0, 20.0, 30.0]))
    low, high = worst_interval(means, 0.05)
    assert_allclose(low, mean_ends(means[0], 0.025)[0])
    # A tenth of the error on this side goes into knowing which group it is.
    assert_allclose(high, mean_ends(means[0], 0.9 * 0.025, caution=2)[1])


def test_gap_of_two_groups_is_welchs_interval_made_for_skewed_means():
    blocks = groups([300, 400], factors=[1.0, 3.0])
    low, high = gap_interval(summarize(blocks)[None], 0.05)
    difference = contrast(summarize(blocks), np.array([[1, 0]]))
    assert_allclose(high, mean_ends(difference, 0.025)[1])
    by_t = stats.ttest_ind(*blocks[::-1], equal_var=False).confidence_interval(1 - 0.9 * 0.05)
    assert low <= by_t.low
    assert low > 0.95 * by_t.low


def test_gap_looks_at_all_rows():
    small, large = (summarize(groups([200, 200], factors=[1.0, f])) for f in (1.2, 4.0))
    rows = type(small)(
        *(np.stack(pair) for pair in zip(vars(small).values(), vars(large).values(), strict=True))
    )
    low, high = gap_interval(rows, 0.05)
    alone = gap_interval(large[None], 0.05)
    assert high == alone[1]
    assert 0.9 * alone[0] < low < alone[0]  # more questions at one level


@pytest.mark.parametrize("factors", [[1.0, 1.5, 3.0], [1.0, 1.1, 1.05]])
def test_at_the_ends_of_the_ratio_the_tests_turn(factors):
    means = summarize(groups([150, 80, 200], factors=factors))
    low, high = ratio_interval(means, 0.05)
    pairs = np.argwhere(~np.eye(3, dtype=bool))
    # Every ratio is above the lower end, and not a bit more.
    assert np.all(mean_ends(contrast(means, pairs, low), 0.025)[0] > 0)
    assert np.any(mean_ends(contrast(means, pairs, low + 1e-5), 0.025)[0] <= 0)
    if high < 1:  # some ratio is below the upper end, at a level that the candidates share
        assert p_above(-contrast(means, pairs, high + 1e-9)).min() <= 0.025


def test_draws_can_be_stacked():
    blocks = [np.random.default_rng(n).exponential(1.0, (n, 4)) for n in (30, 60, 90)]
    means = summarize(blocks)
    for interval, _ in INTERVALS.values():
        together = interval(means, 0.05)
        for draw in range(4):
            alone = interval(means[draw], 0.05)
            assert_allclose([end[draw] for end in together], alone)
