"""The search for subgroups against loops over all conjunctions, and the choice among them."""

from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from robfair.auditing import _subgroups
from robfair.auditing._conditions import Conditions
from robfair.auditing._contrast import Contrast, Moments
from robfair.auditing._subgroups import Half, pool_rare, search, select


def make(n=400, seed=0, planted=None):
    """Four columns of two to four categories, values of two labels, one conjunction lower."""
    rng = np.random.default_rng(seed)
    codes = [rng.integers(0, k, n) for k in (2, 3, 4, 2)]
    pairs = [(j, c) for j, column in enumerate(codes) for c in range(column.max() + 1)]
    holds = np.stack([codes[j] == c for j, c in pairs], axis=1)
    texts = tuple(f"c{j} = {c}" for j, c in pairs)
    conditions = Conditions(texts, np.array([j for j, _ in pairs]), holds)
    strata = rng.integers(0, 2, n)
    values = rng.lognormal(0, 0.5, n) * np.where(strata == 1, 0.5, 1.0)
    for chosen, factor in (planted or {}).items():
        rows = conditions.rows(tuple(texts.index(text) for text in chosen))
        values = np.where(rows, values * factor, values)
    return Half(values, strata, conditions)


def score(values, inside):
    sums = [
        np.array([(part**k).sum() for k in range(4)]) for part in (values[inside], values[~inside])
    ]
    return float(Contrast(*map(Moments.of, sums)).score())


@pytest.mark.parametrize("block", [3, 256])
@pytest.mark.parametrize("length", [1, 2])
def test_all_conjunctions_are_compared(length, block, monkeypatch):
    monkeypatch.setattr(_subgroups, "BLOCK", block)
    monkeypatch.setattr(_subgroups, "ROWS", 150)  # three pieces
    half = make(planted={("c1 = 1", "c3 = 0"): 0.4})
    ranked, n_searched = search(half, 20, length)
    residuals = (
        half.values - np.array([half.values[half.strata == s].mean() for s in (0, 1)])[half.strata]
    )
    scores, n_allowed = {}, 0
    for size in range(1, length + 1):
        for chosen in combinations(range(11), size):
            inside = half.conditions.holds[:, chosen].all(axis=1)
            on_one_column = len({half.conditions.columns[i] for i in chosen}) < size
            if on_one_column or not 20 <= inside.sum() <= 380:
                continue
            n_allowed += 1
            own = score(residuals, inside)
            parts = [scores.get((i,), np.inf) for i in chosen] if size == 2 else [np.inf]
            scores[chosen] = own if own < min(parts) else np.inf
    best = {chosen: s for chosen, s in scores.items() if s < 0.05}
    assert ranked == sorted(best, key=best.get)
    assert n_searched == n_allowed
    if length == 2:
        assert half.conditions.text(ranked[0]) == "c1 = 1 and c3 = 0"


def test_three_conditions_are_found_through_the_best_pairs():
    half = make(2000, planted={("c0 = 1", "c1 = 1", "c3 = 0"): 0.3})
    ranked, _ = search(half, 20, 3)
    assert half.conditions.text(ranked[0]) == "c0 = 1 and c1 = 1 and c3 = 0"


def test_the_rest_is_weighted_to_the_labels_of_the_subgroup():
    half = make()
    inside = half.conditions.holds[:, 3] & ((half.strata == 1) | (np.arange(400) % 3 == 0))
    rest, contrast = half.compare(inside)
    shares = [np.mean(half.strata[inside] == s) for s in (0, 1)]
    means = [half.values[~inside & (half.strata == s)].mean() for s in (0, 1)]
    assert rest == pytest.approx(np.dot(shares, means))
    assert float(contrast.difference) == pytest.approx(half.values[inside].mean() - rest)
    # The variance within the labels, in the subgroup's mix; and the error of the weighted mean.
    spread = [half.values[~inside & (half.strata == s)].var() for s in (0, 1)]
    sizes = [np.sum(~inside & (half.strata == s)) for s in (0, 1)]
    assert_allclose(contrast.rest.variance, np.dot(shares, spread), rtol=0.01)
    by_hand = sum(w**2 * v / n for w, v, n in zip(shares, spread, sizes, strict=True))
    assert_allclose(contrast.rest.variance / contrast.rest.n, by_hand, rtol=0.01)


def test_nested_and_overlapping_subgroups_are_tested_once():
    planted = {("c1 = 1", "c3 = 0"): 0.4, ("c2 = 2",): 0.7}
    half, other = make(3000, planted=planted), make(3000, seed=1, planted=planted)
    ranked, _ = search(half, 30, 2)
    texts = [half.conditions.text(chosen) for chosen in select(ranked, half, other, 30)]
    assert texts[0] == "c1 = 1 and c3 = 0"
    assert "c2 = 2" in texts[1]
    assert len(ranked) > len(texts)
    assert not {"c1 = 1", "c3 = 0"} & set(texts)  # outside of the first they are like the rest


def test_at_least_half_of_a_subgroup_is_new():
    # Values are lower where x < 5: x < 3 is selected first, and of x < 5 only two fifths are new.
    rng = np.random.default_rng(0)
    x = rng.integers(0, 10, 3000)
    holds = np.stack([x < 3, x < 5, (x >= 3) & (x < 5), x >= 5], axis=1)
    conditions = Conditions(("x < 3", "x < 5", "3 <= x < 5", "x >= 5"), np.zeros(4, int), holds)
    half = Half(rng.normal(1, 0.3, 3000) - 0.5 * (x < 5), np.zeros(3000, int), conditions)
    assert select([(0,), (1,), (2,), (3,)], half, half, 30) == [(0,), (2,)]


def test_a_subgroup_with_all_rows_of_a_label_has_no_rest():
    half = make(planted={("c1 = 1",): 0.2})
    strata = half.conditions.holds[:, 3].astype(int)
    half = Half(half.values, strata, half.conditions)
    ranked = [(2,), (3,)]  # "c1 = 0", "c1 = 1", the second being the label
    assert half.conditions.text((3,)) == "c1 = 1"
    assert not half.has_rest(half.conditions.rows((3,)), 20)
    assert (3,) not in select(ranked, half, half, 20)


def test_rare_strata_are_pooled_until_there_is_something_to_compare():
    strata = np.repeat([0, 1, 2, 3], [500, 30, 3, 100])
    pooled = pool_rare(strata)  # 3 and 30 are too few together, so that 100 join them
    assert sorted(np.unique(pooled, return_counts=True)[1].tolist()) == [133, 500]
    assert len(set(pool_rare(np.repeat([0, 1], [50, 60])))) == 2
    assert len(set(pool_rare(np.zeros(5, dtype=int)))) == 1
