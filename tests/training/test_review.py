"""The last look at a run: what counts as worse, and how often by chance."""

from collections import Counter

import numpy as np
import pytest

from robfair.training._review import find_harm

MEANS = np.linspace(0.5, 1.1, 4)
CELL = np.repeat(np.arange(4), 60)
LEVEL = MEANS[CELL]


def draw(rng, change):
    """Distances of samples before, and after a change of them and some noise."""
    before = rng.gamma(9, LEVEL / 9)
    return before, change(before) * rng.normal(1, 0.1, len(before))


def harm(before, after, n_groups=4):
    found = find_harm(before, after, CELL, n_groups)
    return {each.partition(" fell")[0].partition(" rose")[0] for each in found}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda d: 0.9 * d, {"Rob(f)", "the least Rob(P)"}),
        (lambda d: np.where(CELL == 0, d * 0.7, d * 1.05), {"V_f", "the least Rob(P)"}),
        (lambda d: np.where(CELL == 3, d * 1.2, d), {"V_f"}),
        (lambda d: np.where(CELL == 3, d * 0.8, d), {"Rob(f)"}),  # evened out by levelling down
        (lambda d: d * 0.8 / LEVEL, set()),
        (lambda d: np.where(np.arange(240) % 20, 1.1 * d, 0), {"accuracy"}),
    ],
)
def test_what_is_worse_is_named(change, expected):
    assert harm(*draw(np.random.default_rng(0), change)) == expected


def test_classes_can_be_kept_apart():
    """Two groups inside each of two classes: the classes come apart, and the groups do not."""
    before = draw(np.random.default_rng(0), lambda d: d)[0]
    after = np.where(CELL < 2, before, 1.3 * before)
    after[CELL == 3] *= before[CELL == 2].mean() / before[CELL == 3].mean()
    assert harm(before, after) == {"V_f"}
    assert harm(before, after, n_groups=2) == set()


def test_numbers_by_hand():
    """V_f as corrected for sampling, from the means and the usual variances."""
    before = draw(np.random.default_rng(0), lambda d: d)[0]
    after = np.where(CELL == 0, 0.7 * before, 1.1 * before)
    means, variances = (
        np.array([[f(d[g == CELL]) for g in range(4)] for d in (before, after)])
        for f in (np.mean, lambda d: np.var(d, ddof=1))
    )
    v = means.var(axis=1) - (variances / 60).mean(axis=1) * (1 - 1 / 4)
    assert find_harm(before, after, CELL, 4) == [
        f"V_f rose from {v[0]:.3g} to {v[1]:.3g}",
        f"the least Rob(P) fell from {means[0].min():.3g} to {means[1, 0]:.3g}",
    ]


def test_less_than_a_per_cent_of_rob_f_is_allowed_in_any_unit():
    before = 100 * draw(np.random.default_rng(0), lambda d: d)[0]
    assert "Rob(f)" not in harm(before, 0.992 * before)
    assert "Rob(f)" in harm(before, 0.988 * before)


def test_chance_is_seldom_taken_for_harm():
    """At most 5 % for each measure, of 100 runs in which nothing changes but by chance."""
    rng, counts = np.random.default_rng(0), Counter()
    for _ in range(100):
        counts.update(harm(*draw(rng, lambda d: d)))
    assert max(counts.values(), default=0) <= 11  # three standard errors above 5


def test_too_few_samples_prove_nothing():
    before, after = np.array([1.0, 2.0]), np.array([0.0, 0.0])
    assert find_harm(before, after, np.array([0, 1]), 2) == []
