"""What the verdict says, on distances made up for each case; its tests against scipy's."""

import re
from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from robfair.auditing.report._verdict import judge_audit as judge
from robfair.exceptions import UndefinedMetricWarning

RNG = np.random.default_rng(0)
NEAR, FAR = RNG.uniform(0.3, 0.5, 200), RNG.uniform(0.6, 0.8, 200)


def wrong(values, n):
    return np.where(np.arange(len(values)) < n, np.nan, values)


def details(result):
    return " ".join(judge(result).details)


def test_a_clear_difference_is_told_in_plain_words_and_then_in_numbers(made):
    result = made({"Black": NEAR, "White": FAR})
    row = result.by_group.loc["Black"]
    text = judge(result)
    assert text.headline == (
        "A small change flips the decision for Black more easily than for White."
    )
    assert text.details[0].startswith(
        "The mean distance to the decision boundary, 0 for a row on which the model is wrong "
        f"(Rob(P)), is {NEAR.mean():.3g} (95 % interval {row['lower']:.3g} to {row['upper']:.3g}) "
        f"for Black against {FAR.mean():.3g} (95 % interval "
    )
    assert text.details[0].endswith(
        "for White, L2 in the units of the features: more than the error of sampling can make."
    )
    assert "Rows of Black lie nearer to the decision boundary (mean distance" in details(result)
    assert "The distances are exact, so that only the error of sampling is left." in details(result)
    assert result.verdict() == f"{text.headline} {details(result)}"


def test_without_intervals_none_is_told(made):
    text = details(made({"a": NEAR, "b": FAR}, confidence=None))
    assert f"is {NEAR.mean():.3g} for a against {FAR.mean():.3g} for b, L2" in text


def test_no_difference_is_not_called_equal(made):
    groups = {"a": RNG.uniform(0.2, 1, 50), "b": RNG.uniform(0.2, 1, 70)}
    result = made(groups, confidence=0.9)
    assert judge(result).headline.startswith("No difference between groups is larger than the err")
    p = stats.ttest_ind(groups["a"], groups["b"], equal_var=False)
    assert p.pvalue > 0.1
    low, high = p.confidence_interval(0.9)
    told = re.search(r"a difference of less than (\S+) cannot be told", details(result))
    assert 1.0 <= float(told[1]) / ((high - low) / 2) < 1.1  # a little more, for skewed distances
    assert "This does not show that there is none" in details(result)


@pytest.mark.parametrize("seed", range(4))
def test_pairs_are_told_apart_with_holm_s_correction(made, seed):
    rng = np.random.default_rng(seed)
    groups = {
        name: wrong(rng.gamma(2, 1 + shift, rng.integers(30, 120)), int(rng.integers(20)))
        for name, shift in zip("abcde", (0, 0, 0.2, 0.5, 0.9), strict=True)
    }
    values = {name: np.nan_to_num(d) for name, d in groups.items()}
    p = {
        pair: stats.ttest_ind(*(values[name] for name in pair), equal_var=False).pvalue
        for pair in combinations(values, 2)
    }
    apart = set()
    for rank, pair in enumerate(sorted(p, key=p.get)):
        if p[pair] > 0.05 / (len(p) - rank):
            break
        apart.add(pair)
    result = made(groups)
    assert apart
    assert f"{len(apart)} of 10 pairs of groups differ" in details(result)
    means = {name: v.mean() for name, v in values.items()}
    pair = max(apart, key=lambda pair: abs(means[pair[0]] - means[pair[1]]))
    low, high = sorted(pair, key=means.get)
    headline = judge(result).headline
    assert f" for {low} " in headline
    assert f"than for {high}" in headline
    assert re.search(
        rf"is {means[low]:.3g} \([^)]*\) for {low} against {means[high]:.3g} ", details(result)
    )


def test_of_forty_groups_that_are_alike_none_is_accused(made):
    groups = {f"g{i:02}": RNG.uniform(0, 1, 40) for i in range(40)}
    result = made(groups)
    table = result.by_group
    assert table["upper"].min() < table["lower"].max()  # two intervals that do not overlap
    assert judge(result).headline.startswith("No difference between groups is larger")


def test_errors_are_told_from_distances(made):
    text = judge(made({"a": wrong(FAR, 80), "b": FAR}))
    assert text.headline == (
        "The model withstands less for a than for b, because it is wrong there more often."
    )
    assert "accuracy 0.6 against 1" in text.details[1]
    both = judge(made({"a": wrong(NEAR, 80), "b": FAR}))
    assert both.headline == "A small change flips the decision for a more easily than for b."
    assert "and the model is wrong there more often (accuracy 0.6 against 1)" in both.details[1]


def test_a_group_that_is_always_wrong(made):
    result = made({"a": np.full(40, np.nan), "b": FAR})
    assert judge(result).headline == "The model is wrong on every row of a."
    # None of 40 rows is right, which does not mean that none ever is.
    assert "is 0 (95 % interval 0 to 0.0" in details(result)


def test_a_group_of_distances_of_zero(made):
    text = judge(made({"a": np.zeros(40), "b": FAR})).headline
    assert text == "A small change flips the decision for a more easily than for b."


def test_equal_groups_without_any_spread(made):
    text = judge(made({"a": np.ones(40), "b": np.ones(40)})).headline
    assert text.startswith("No difference")


def test_no_verdict_where_nothing_can_be_compared(made):
    with pytest.warns(UndefinedMetricWarning):
        one = made({"all": NEAR})
    assert judge(one).headline == "No comparison: all samples are in one group, all."
    assert judge(made({"a": NEAR, "b": FAR[:9]})).headline.startswith("No verdict: fewer than two")


def test_a_lower_group_too_small_to_tell(made):
    rng = np.random.default_rng(1)
    groups = {
        "a": rng.normal(1, 0.1, 500),
        "b": rng.normal(2, 0.1, 500),
        "low": wrong(np.full(40, 18.0), 38),
    }
    result = made(groups)
    assert result.by_group["robustness"].idxmin() == "low"
    assert "for a more easily than for b" in judge(result).headline
    assert "lower still for low, but there are too few samples" in details(result)


def test_a_second_search_that_turns_the_order_round(made):
    result = made({"a": NEAR, "b": FAR}, method="auto", status="found")
    assert "bound the true ones from above. No second search has checked" in details(result)
    check = pd.DataFrame(
        {"n": [50, 50], "auto": [0.4, 0.7], "strong": [0.4, 0.3], "decision": [0.5, 0.8]},
        index=["a", "b"],
    )
    turned = replace(result, check=check)
    assert judge(turned).headline.startswith("No verdict: by these distances a has a lower Rob(P)")
    assert "No second search" not in details(turned)
    kept = replace(result, check=check.assign(strong=[0.4, 0.6]))
    assert "for a more easily than for b" in judge(kept).headline
    few = replace(result, check=check.assign(n=[50, 4]))
    assert "for a more easily than for b" in judge(few).headline


def test_crossed_groups_are_named(made):
    sex = np.repeat(["f", "m"], 200)
    frame = pd.DataFrame({"sex": sex, "race": "x"})
    result = made({"a": NEAR, "b": FAR}, sensitive_features=frame)
    assert "for f / x more easily than for m / x" in judge(result).headline


def test_nobody_is_called_fair(made, models):
    texts = [
        made({"a": NEAR, "b": NEAR}).verdict(),
        made({"a": NEAR, "b": FAR}).verdict(),
        models(one={"a": NEAR, "b": FAR}, two={"a": NEAR, "b": NEAR}).verdict(),
    ]
    for text in texts:
        for word in ("fair", "bias", "safe", "significant"):
            assert word not in text
