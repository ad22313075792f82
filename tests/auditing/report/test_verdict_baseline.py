"""The verdict against a baseline: it follows the numbers, and claims no more than they do."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from robfair import audit
from robfair.auditing import Comparison

X, Y = np.array([[0.0], [1], [3], [4]]), np.array([0, 0, 1, 1])
CLF = LogisticRegression().fit(X, Y)


def made(v_f, cv, rob=1.0, n_boot=5):
    """Return an audit with given numbers, made from a real one so that its form is the real one."""
    result = audit(CLF, X, Y, sensitive_features=[0, 1, 0, 1], n_boot=n_boot)
    for measure, value in (("V_f", v_f), ("CV", cv), ("Rob(f)", rob)):
        spread = (0.9, 1.1) if n_boot else (np.nan, np.nan)
        result.overall.loc[measure] = (value, *(side * value for side in spread))
    return result


@pytest.mark.parametrize(
    ("before", "after", "parts"),
    [
        (
            (0.4, 0.2),
            (0.1, 0.1),
            [
                "V_f is lower for new than for old: 0.1 against 0.4 (the 95 % intervals do not",
                "CV is lower for new than for old: 0.1 against 0.2",
            ],
        ),
        ((0.1, 0.1), (0.4, 0.2), ["V_f is not lower for new", "CV is not lower for new"]),
        ((0.4, 0.2), (0.39, 0.3), ["V_f is lower", "(the 95 % intervals overlap)", "not lower"]),
        ((np.nan, 0.2), (0.1, 0.1), ["V_f of new cannot be compared with that of old", "CV is"]),
    ],
)
def test_the_verdict_follows_the_numbers(before, after, parts):
    text = Comparison({"old": made(*before), "new": made(*after, rob=0.5)}).verdict(baseline="old")
    for part in parts:
        assert part in text
    assert "For new Rob(f) falls from 1 to 0.5." in text
    assert "For new accuracy stays at 1." in text


def test_every_other_model_is_compared_in_its_order():
    comparison = Comparison({name: made(0.1, 0.2) for name in ("one", "old", "two")})
    text = comparison.verdict(baseline="old")
    assert text.startswith("V_f is not lower for one than for old: 0.1 against 0.1 (")
    assert text.index("for one than") < text.index("V_f is not lower for two than for old")


def test_without_intervals_it_says_so():
    comparison = Comparison({"old": made(0.2, 0.2, n_boot=None), "new": made(0.1, 0.1)})
    assert "0.1 against 0.2, without intervals." in comparison.verdict(baseline="old")


@pytest.mark.parametrize("names", [("old",), ("one", "two")])
def test_the_baseline_must_be_one_of_several(names):
    comparison = Comparison({name: made(0.1, 0.2) for name in names})
    with pytest.raises(ValueError, match="baseline must be one of at least two models; got 'old'"):
        comparison.verdict(baseline="old")
