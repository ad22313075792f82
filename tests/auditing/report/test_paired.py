"""Tests of two models on the same rows: errors against simulation, p-values against scipy's."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from robfair.auditing.report._paired import PAIRED, PairedTests, _p_of_spread, paired_p_values

SIZES = (60, 90, 150)


def two_models(made, first, second):
    """Audit two models whose distances are given by group, one after the other."""
    return made(first), made(second)


def drawn(rng, factors_one, factors_other, sizes=SIZES):
    """Draw distances of the same rows by two models, which are alike to a part."""
    one, other = {}, {}
    for g, (n, f, h) in enumerate(zip(sizes, factors_one, factors_other, strict=True)):
        shared = rng.exponential(1.0, n)
        one[f"g{g}"] = f * shared
        other[f"g{g}"] = h * (0.7 * shared + 0.3 * rng.exponential(1.0, n))
    return one, other


def test_rob_f_is_compared_row_by_row(made):
    # Two groups of one size: the mean of all differences, but for the groups' own means.
    rng = np.random.default_rng(0)
    d = {g: rng.normal(1.0, 0.2, 400) for g in "ab"}
    other = {g: values + rng.normal(0.02, 0.1, 400) for g, values in d.items()}
    p = paired_p_values(*two_models(made, d, other))["Rob(f)"]
    difference = np.concatenate([other[g] - d[g] for g in "ab"])
    paired = stats.ttest_1samp(difference, 0).pvalue
    assert paired / 5 < p < 5 * paired
    unpaired = stats.ttest_ind(np.concatenate(list(d.values())), np.concatenate([*other.values()]))
    assert p < unpaired.pvalue / 10


def test_models_that_are_equal_do_not_differ(made):
    one, _ = drawn(np.random.default_rng(0), (1, 2, 3), (1, 2, 3))
    assert paired_p_values(*two_models(made, one, one)) == dict.fromkeys(PAIRED, 1.0)


@given(seed=st.integers(0, 100), unit=st.floats(0.01, 100))
def test_neither_order_nor_unit_matters(seed, unit):
    one, other = drawn(np.random.default_rng(seed), (1, 1.5, 2), (1.2, 1.2, 1.4))
    rows = [np.stack([one[g], other[g]], axis=-1) for g in one]
    for relative in (False, True):
        p = _p_of_spread(rows, relative=relative)
        assert 0 <= p <= 1
        turned = _p_of_spread([unit * block[:, ::-1] for block in rows[::-1]], relative=relative)
        assert turned == pytest.approx(p, rel=1e-6)


def test_cv_does_not_see_the_scale_and_v_f_does():
    one, _ = drawn(np.random.default_rng(0), (1, 2, 3), (1, 2, 3), sizes=(300, 300, 300))
    rows = [np.stack([block, 3 * block], axis=-1) for block in one.values()]
    assert _p_of_spread(rows, relative=True) > 0.9
    assert _p_of_spread(rows, relative=False) < 0.001


def test_a_model_that_evens_out_is_told_from_one_that_does_not(made):
    one, other = drawn(np.random.default_rng(0), (1, 2, 3), (1.9, 2, 2.1))
    audits = dict(zip(("one", "other"), two_models(made, one, other), strict=True))
    tests = PairedTests(audits, [("one", "other")])
    assert tests.differ("V_f", "other", "one")
    assert tests.differ("CV", "one", "other")


def test_other_rows_cannot_be_paired(made):
    one, other = drawn(np.random.default_rng(0), (1, 2, 3), (1, 2, 3))
    other["g0"] = other["g0"][:-1]
    with pytest.raises(ValueError, match=r"of other rows or groups\. Pass both to compare"):
        paired_p_values(*two_models(made, one, other))


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1.0, 3.0, 10.0])
def test_of_models_that_are_equal_in_truth_few_are_told_apart(scale):
    rng, told = np.random.default_rng(0), []
    for _ in range(200):
        one, other = drawn(rng, [1.0] * 10, [scale] * 10, sizes=[100] * 10)
        rows = [np.stack([one[g], other[g]], axis=-1) for g in one]
        told.append([_p_of_spread(rows, relative=relative) <= 0.05 for relative in (False, True)])
    assert np.max(np.mean(told, axis=0)) <= 0.05
