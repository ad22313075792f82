"""The verdict against a baseline: it follows the numbers, and claims no more than they do."""

import numpy as np
import pytest

from robfair.auditing import Comparison
from robfair.exceptions import UndefinedMetricWarning

RNG = np.random.default_rng(0)
BASE = RNG.uniform(0.8, 1.2, 300)


def audited(a, b):
    """Return distances of two groups, of the same rows whatever the factors."""
    return {"a": a * BASE, "b": b * BASE[::-1]}


def value(audit, measure):
    return f"{audit.overall.loc[measure, 'value']:.3g}"


@pytest.mark.parametrize(
    ("new", "words", "sure"),
    [
        ((0.9, 1.1), "lower", "by more than the error of sampling"),
        ((0.4, 2.0), "not lower", "by more than the error of sampling"),
        ((0.501, 1.499), "lower", "a difference that may be chance"),
    ],
)
def test_the_verdict_follows_the_numbers(models, new, words, sure):
    if sure.startswith("a"):  # other rows are the farther ones
        groups = {"a": new[0] * RNG.permutation(BASE), "b": new[1] * RNG.permutation(BASE)}
    else:
        groups = audited(*new)
    comparison = models(old=audited(0.5, 1.5), new=groups)
    text = comparison.verdict(baseline="old")
    before, after = comparison.audits["old"], comparison.audits["new"]
    for measure in ("V_f", "CV"):
        numbers = f"{value(after, measure)} against {value(before, measure)}"
        assert f"{measure} is {words} for new than for old: {numbers} ({sure})." in text
    assert "For new accuracy stays at 1." in text


def test_what_it_costs_is_told(models):
    comparison = models(old=audited(1.0, 3.0), new=audited(0.5, 0.5))
    after = value(comparison.audits["new"], "Rob(f)")
    assert f"For new Rob(f) falls from {value(comparison.audits['old'], 'Rob(f)')} to {after}." in (
        comparison.verdict(baseline="old")
    )


def test_a_measure_that_is_unknown(models):
    with pytest.warns(UndefinedMetricWarning):
        comparison = models(old=audited(1.0, 3.0), new=audited(0.0, 0.0))
    text = comparison.verdict(baseline="old")
    assert "CV of new cannot be compared with that of old: it is unknown." in text
    assert "V_f is lower for new" in text


def test_every_other_model_is_compared_in_its_order(models):
    same = audited(1.0, 2.0)
    text = models(one=same, old=same, two=same).verdict(baseline="old")
    assert text.startswith("V_f is not lower for one than for old: ")
    assert text.index("for one than") < text.index("V_f is not lower for two than for old")


@pytest.mark.parametrize("names", [("old",), ("one", "two")])
def test_the_baseline_must_be_one_of_several(made, names):
    comparison = Comparison({name: made(audited(1.0, 2.0)) for name in names})
    with pytest.raises(ValueError, match="baseline must be one of at least two models; got 'old'"):
        comparison.verdict(baseline="old")
