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
        (lambda d: d * 0.4 / LEVEL, {"Rob(f)", "the least Rob(P)"}),
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
    weaker = np.where(CELL == 2, 0.7 * before, before * 1.2)  # the least of its class, not of all
    assert "the least Rob(P)" in harm(before, weaker, n_groups=2)
    assert "the least Rob(P)" not in harm(before, weaker)


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


def test_accuracy_and_rob_f_by_hand():
    """Accuracy is that of all samples, in Rob(f) each group counts once."""
    cell = np.repeat([0, 1], [40, 160])
    before = np.random.default_rng(0).gamma(9, 1 / 9, 200)
    after = np.where(np.arange(200) % 8, before * 0.9, 0)
    rob = [np.mean([d[cell == g].mean() for g in range(2)]) for d in (before, after)]
    assert find_harm(before, after, cell, 2)[:2] == [
        "accuracy fell from 1 to 0.875",
        f"Rob(f) fell from {rob[0]:.3g} to {rob[1]:.3g}",
    ]


def test_a_cell_of_two_samples_counts_and_one_of_one_does_not():
    before = draw(np.random.default_rng(0), lambda d: d)[0]
    alike = find_harm(before, 0.8 * before, CELL, 4)
    with_one = np.append(CELL, 4)
    assert find_harm(np.append(before, 50.0), np.append(0.8 * before, 90.0), with_one, 5) == alike
    with_two = np.append(CELL, [4, 4])
    lost = find_harm(np.append(before, [50, 51]), np.append(0.8 * before, [49, 50]), with_two, 5)
    assert lost != alike


@pytest.fixture
def changes(monkeypatch):
    """What is tested, with its error; nothing is found."""
    seen = []
    monkeypatch.setattr(
        "robfair.training._review.p_above",
        lambda change: seen.append(change) or np.ones_like(change.mean),
    )
    return seen


def test_the_error_of_a_change_of_v_f(changes):
    """Against the bootstrap, where gaps are large."""
    rng = np.random.default_rng(0)
    before = draw(rng, lambda d: d)[0]
    after = before * np.where(CELL == 3, 1.3, 1.1) * rng.normal(1, 0.05, len(before))
    find_harm(before, after, CELL, 4)
    drawn = [
        np.concatenate([rng.choice(np.flatnonzero(g == CELL), 60) for g in range(4)])
        for _ in range(4_000)
    ]
    spread = [
        np.subtract(*(np.var([d[r][g == CELL].mean() for g in range(4)]) for d in (after, before)))
        for r in drawn
    ]
    assert changes[0].squared_error == pytest.approx(np.var(spread), rel=0.1)


def test_the_error_of_a_change_of_v_f_where_groups_are_even(changes):
    """By hand: without gaps only the errors of the means are left."""
    before = draw(np.random.default_rng(0), lambda d: d)[0]
    for g in range(4):
        before[g == CELL] /= before[g == CELL].mean()
    after = 1.2 * before
    find_harm(before, after, CELL, 4)
    errors = [np.var(d[g == CELL], ddof=1) / 60 for d in (before, after) for g in range(4)]
    assert changes[0].squared_error == pytest.approx(2 * np.square(errors).sum() / 4**2)
