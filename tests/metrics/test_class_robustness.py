import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

from robfair.exceptions import CensoredDistanceWarning, UndefinedMetricWarning
from robfair.metrics import (
    class_accuracy_unfairness,
    class_robustness,
    class_robustness_unfairness,
)

# (true label, predicted label, least eps, group) of each sample, with one sample of every class and
# group that is predicted right: in both populations, nothing is empty.
SURE = [(c, c, 1.0, g) for c, g in zip([0, 1, 2], "aba", strict=True)]
# Of ten samples that hypothesis draws none may be right.
pytestmark = pytest.mark.filterwarnings("ignore:no prediction of")

SAMPLES = st.lists(
    st.tuples(
        st.integers(0, 2), st.integers(0, 2), st.floats(0.0, 100.0), st.sampled_from(["a", "b"])
    ),
    max_size=20,
).map(lambda more: SURE + more)
POPULATION = st.sampled_from(["correct", "all"])
FORM = st.sampled_from(["least_eps", "success"])


def mean_of(samples, form, population, member):
    """LE or SR of the samples for which `member` is true, one by one."""
    total = count = 0
    for true, pred, eps, group in samples:
        if not member(true, group) or (population == "correct" and true != pred):
            continue
        value = eps if form == "least_eps" else eps <= 1.0
        if true != pred:
            value = 0.0 if form == "least_eps" else True
        total, count = total + value, count + 1
    return total / count


def arguments(samples, form, population="correct"):
    y_true, y_pred, eps, group = (list(column) for column in zip(*samples, strict=True))
    values = eps if form == "least_eps" else [value <= 1.0 for value in eps]
    return (y_true, y_pred), {form: values, "population": population}, group


@given(SAMPLES, FORM, POPULATION)
def test_definition_2(samples, form, population):
    labels, keywords, group = arguments(samples, form, population)
    worst = {"class": 0.0, "group": 0.0}
    for c, d in itertools.product({s[0] for s in samples}, repeat=2):
        means = [mean_of(samples, form, population, lambda t, g, c=k: t == c) for k in (c, d)]
        worst["class"] = max(worst["class"], abs(means[0] - means[1]))
    for c, d in itertools.product("ab", repeat=2):
        means = [mean_of(samples, form, population, lambda t, g, c=k: g == c) for k in (c, d)]
        worst["group"] = max(worst["group"], abs(means[0] - means[1]))
    assert class_robustness_unfairness(*labels, **keywords) == pytest.approx(worst["class"])
    assert class_robustness_unfairness(
        *labels, sensitive_features=group, **keywords
    ) == pytest.approx(worst["group"])


@given(SAMPLES, FORM, POPULATION)
def test_bounds(samples, form, population):
    labels, keywords, _ = arguments(samples, form, population)
    found = class_robustness_unfairness(*labels, **keywords)
    assert 0 <= found <= (1 if form == "success" else max(s[2] for s in samples))


@given(SAMPLES, FORM, POPULATION)
def test_exchanged_groups_make_no_difference(samples, form, population):
    labels, keywords, group = arguments(samples, form, population)
    other = ["b" if name == "a" else "a" for name in group]
    assert class_robustness_unfairness(
        *labels, sensitive_features=group, **keywords
    ) == class_robustness_unfairness(*labels, sensitive_features=other, **keywords)


@given(SAMPLES, FORM, POPULATION, st.randoms(use_true_random=False))
def test_order_of_the_samples_makes_no_difference(samples, form, population, random):
    labels, keywords, _ = arguments(samples, form, population)
    found = class_robustness_unfairness(*labels, **keywords)
    random.shuffle(samples)
    labels, keywords, _ = arguments(samples, form, population)
    assert class_robustness_unfairness(*labels, **keywords) == pytest.approx(found)


@given(SAMPLES, FORM, POPULATION)
def test_identical_groups(samples, form, population):
    labels, keywords, group = arguments(samples * 2, form, population)
    group = ["first"] * len(samples) + ["second"] * len(samples)
    assert class_robustness_unfairness(*labels, sensitive_features=group, **keywords) == 0


@given(SAMPLES, POPULATION, st.floats(0.01, 100.0), st.floats(0.1, 50.0))
def test_scale(samples, population, scale, eps_max):
    labels, keywords, _ = arguments(samples, "least_eps", population)
    one = class_robustness_unfairness(*labels, eps_max=eps_max, **keywords)
    keywords["least_eps"] = [scale * eps for eps in keywords["least_eps"]]
    scaled = class_robustness_unfairness(*labels, eps_max=scale * eps_max, **keywords)
    assert scaled == pytest.approx(scale * one, abs=1e-9 * scale)


@given(SAMPLES, POPULATION)
def test_the_success_rate_is_that_of_the_least_eps(samples, population):
    """SR(y, eps) is the fraction whose least eps is at most eps, in both populations."""
    labels, keywords, _ = arguments(samples, "success", population)
    table = class_robustness(*labels, **keywords)
    y_true, y_pred = map(np.array, labels)
    least = np.where(y_true == y_pred, [s[2] for s in samples], 0.0)
    for c, row in table.iterrows():
        part = least[(y_true == c) & ((y_true == y_pred) | (population == "all"))]
        assert row["success_rate"] == pytest.approx((part <= 1.0).mean())
        assert row["n_population"] == len(part)
        assert row["n"] == (y_true == c).sum()


@given(SAMPLES)
def test_an_attack_that_fools_nobody_else_leaves_the_accuracy(samples):
    """SR of all samples is then 1 - accuracy, and CRU_s is CAU."""
    (y_true, y_pred), _, _ = arguments(samples, "success")
    never = np.zeros(len(samples), dtype=bool)
    found = class_robustness_unfairness(y_true, y_pred, success=never, population="all")
    assert found == pytest.approx(class_accuracy_unfairness(y_true, y_pred))


def test_what_is_given_for_a_wrong_sample_does_not_matter():
    y, pred = [0, 0, 1, 1], [0, 1, 1, 1]
    for wrong in (np.nan, np.inf, 0.0, 7.0):
        args = {"least_eps": [4.0, wrong, 1.0, 2.0]}
        assert class_robustness_unfairness(y, pred, **args) == 2.5
        assert class_robustness_unfairness(y, pred, population="all", **args) == 0.5
    for wrong in (True, False):
        args = {"success": [False, wrong, False, False]}
        assert class_robustness_unfairness(y, pred, **args) == 0
        assert class_robustness_unfairness(y, pred, population="all", **args) == 0.5


@pytest.mark.parametrize("level", [None, 0.9])
@pytest.mark.parametrize("population", ["correct", "all"])
def test_censored_samples(level, population):
    y, pred = [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 1, 1]
    args = {"least_eps": [1.0, 9.0, np.inf, 2.0, np.inf, np.inf], "population": population}
    with pytest.warns(CensoredDistanceWarning, match=r"2 of 5 correctly .*eps_max=") as record:
        found = class_robustness_unfairness(y, pred, confidence_level=level, **args)
    assert len(record) == 1
    assert record[0].filename == __file__
    assert np.isnan(found)
    assert found.interval is None if level is None else np.isnan(found.interval).all()
    with pytest.warns(CensoredDistanceWarning, match="2 of 5") as record:
        table = class_robustness(y, pred, **args)
    assert len(record) == 1
    assert table["n_censored"].tolist() == [0, 2]
    assert table["least_eps"].isna().tolist() == [False, True]
    # With a cap of 5 the sample at 9 is not fooled either. The wrong sample is never censored.
    table = class_robustness(y, pred, eps_max=5.0, **args)
    assert table["n_censored"].tolist() == [1, 2]
    # An attack that needs just the cap has succeeded; no class has lost its place in the counts.
    table_at = class_robustness(y, pred, eps_max=9.0, **args)
    assert table_at["n_censored"].tolist() == [0, 2]
    low = {"correct": 3.0, "all": 2.0}[population]
    assert table["least_eps"].tolist() == [low, 4.0]
    assert class_robustness_unfairness(y, pred, eps_max=5.0, **args) == 4.0 - low


def test_table_of_figures_3_and_4():
    success = pd.DataFrame(
        {0.1: [False, True, False, False], 0.2: [True, True, False, True]}, index=[9, 9, 1, 0]
    )
    table = class_robustness(["x", "x", "y", "y"], ["x", "x", "y", "x"], success=success)
    expected = pd.DataFrame(
        {"n": [2, 2], "n_population": [2, 1], 0.1: [0.5, 0.0], 0.2: [1.0, 0.0]}, index=["x", "y"]
    )
    assert_frame_equal(table, expected, check_column_type=False)
    by_eps = table[success.columns].max() - table[success.columns].min()
    for eps in success:
        assert by_eps[eps] == class_robustness_unfairness(
            ["x", "x", "y", "y"], ["x", "x", "y", "x"], success=success[eps]
        )
    everyone = class_robustness(
        ["x", "x", "y", "y"], ["x", "x", "y", "x"], success=success, population="all"
    )
    assert everyone[success.columns].to_numpy().tolist() == [[0.5, 1.0], [0.5, 0.5]]
    plain = class_robustness([0, 0, 1, 1], [0, 0, 1, 1], success=success.to_numpy())
    assert plain[1].tolist() == [1.0, 0.5]


def test_crossed_groups():
    frame = pd.DataFrame({"race": list("aabb"), "sex": ["f", "m", "f", "m"]})
    table = class_robustness(
        [0] * 4, [0] * 4, least_eps=[1.0, 2.0, 3.0, 5.0], sensitive_features=frame
    )
    assert table.loc[("b", "m"), "least_eps"] == 5.0
    assert table.index.names == ["race", "sex"]


@pytest.mark.parametrize(
    "container", [list, np.array, lambda v: pd.Series(v, index=[5, 5, 1, 0]), pl.Series,
                  torch.tensor],
)  # fmt: skip
def test_containers(container):
    labels = container([0, 0, 1, 1]), container([0, 0, 1, 1])
    assert class_robustness_unfairness(*labels, least_eps=container([1.0, 3.0, 4.0, 6.0])) == 3.0
    assert class_robustness_unfairness(*labels, success=container([True, True, True, False])) == 0.5


@pytest.mark.parametrize("level", [None, 0.9])
def test_undefined(level):
    eps = {"least_eps": [1.0, 2.0, 3.0, 4.0]}
    with pytest.warns(UndefinedMetricWarning, match=r"CRU_eps .*only one group \(1\)") as record:
        found = class_robustness_unfairness([1] * 4, [1] * 4, confidence_level=level, **eps)
    assert len(record) == 1
    assert np.isnan(found)
    assert found.interval is None if level is None else np.isnan(found.interval).all()
    with pytest.warns(UndefinedMetricWarning, match=r"^CRU_s .*only one group \(1\)"):
        class_robustness_unfairness([1] * 4, [1] * 4, success=[True] * 4, confidence_level=level)
    # A class of which nothing is predicted right has no population, which is not robustness 0.
    y, pred = [0, 0, 1, 1], [0, 0, 0, 0]
    message = "CRU_eps over the correctly classified samples .*1 of 2 groups have no samples: 1"
    with pytest.warns(UndefinedMetricWarning, match=message):
        assert np.isnan(class_robustness_unfairness(y, pred, confidence_level=level, **eps))
    message = "^The mean over the correctly classified samples of a group .*1 of 2 groups .*: 1"
    with pytest.warns(UndefinedMetricWarning, match=message) as record:
        table = class_robustness(y, pred, **eps)
    assert len(record) == 1
    assert_array_equal(table["least_eps"], [1.5, np.nan])
    assert table["n_population"].tolist() == [2, 0]
    assert (
        class_robustness_unfairness(y, pred, population="all", confidence_level=level, **eps) == 1.5
    )


def test_rows_of_success_are_those_of_the_labels():
    y = pd.Series([0, 0, 1, 1])
    success = pd.Series([True, False, False, False])
    assert class_robustness_unfairness(y, y, success=success) == 0.5
    with pytest.raises(ValueError, match="success"):
        class_robustness_unfairness(y, y, success=success[::-1])


def test_a_table_of_one_group_compares_nothing():
    table = class_robustness([1, 1], [1, 0], least_eps=[3.0, 2.0], population="all")
    assert table.loc[1].tolist() == [2, 2, 0, 1.5]  # and no warning


def test_interval():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1], [500, 100])
    pred = np.where(rng.random(600) < 0.8, y, 1 - y)
    fooled = rng.random(600) < np.where(y == 0, 0.2, 0.6)
    found = class_robustness_unfairness(y, pred, success=fooled, confidence_level=0.95)
    a, b = fooled[(y == 0) & (pred == 0)], fooled[(y == 1) & (pred == 1)]
    half = 1.96 * np.sqrt(a.var() / len(a) + b.var() / len(b))
    gap = b.mean() - a.mean()
    assert found == pytest.approx(gap)
    assert found.interval == pytest.approx((gap - half, gap + half), abs=half / 8)


def test_arguments_stay_as_they_are():
    y, pred = np.array([0, 0, 1]), np.array([0, 1, 1])
    eps, hit = np.array([1.0, 2.0, np.inf]), np.array([True, False, True])
    class_robustness(y, pred, least_eps=eps, eps_max=1.5, population="all")
    class_robustness(y, pred, success=hit, population="all")
    assert_array_equal(eps, [1.0, 2.0, np.inf])
    assert_array_equal(hit, [True, False, True])


EPS = {"least_eps": [1.0, 3.0, 2.0, 0.5]}
HIT = {"success": [True, False, True, True]}


@pytest.mark.parametrize("measure", [class_robustness_unfairness, class_robustness])
@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({}, TypeError, "either least_eps .* or success .*got neither"),
        ({**EPS, **HIT}, TypeError, "got both"),
        ({**HIT, "eps_max": 1.0}, TypeError, "eps_max=1.0 caps least_eps, which was not passed"),
        ({**EPS, "eps_max": 0.0}, ValueError, "eps_max must be a positive, finite .*of least_eps"),
        ({**EPS, "eps_max": np.inf}, ValueError, "eps_max must be .*got inf"),
        ({**EPS, "population": "right"}, ValueError, "population must be .*got 'right'"),
        ({**EPS, "y_pred": [0, 1]}, ValueError, "y_pred has 2 samples and y_true has 4"),
        ({**EPS, "sensitive_features": ["a"]}, ValueError, "sensitive_features has 1 samples"),
        ({"least_eps": [1.0]}, ValueError, "least_eps has 1 samples and y_true has 4"),
        ({"least_eps": [1.0, -2.0, 1.0, 1.0]}, ValueError, "least_eps is negative for 1 of 4"),
        ({"least_eps": [np.nan] * 4}, ValueError, "least_eps is NaN for 3 of 3 correctly"),
        ({"least_eps": ["a"] * 4}, TypeError, "least_eps must hold numbers"),
        ({"success": [True]}, ValueError, "success has 1 samples and y_true has 4"),
        ({"success": 0.5}, ValueError, r"success must have shape .*float of shape \(\)"),
        ({"success": np.zeros((4, 1, 1))}, ValueError, "success must have shape"),
        ({"success": [0.5, 1.0, 0.0, 0.2]}, ValueError, "True or False .*2 of 4 values"),
        ({"success": [True, None, True, pd.NA]}, ValueError, "True or False .*2 of 4 values"),
        ({"success": ["yes"] * 4}, ValueError, "True or False .*4 of 4 values"),
    ],
)
def test_wrong_arguments(measure, changed, error, message):
    good = {"y_true": [0, 0, 1, 1], "y_pred": [0, 0, 1, 0]}
    with pytest.raises(error, match=message):
        measure(**{**good, **changed})


def test_the_only_class_without_samples_is_told_once():
    message = "^CRU_eps .* 1 of 1 groups have no samples"
    with pytest.warns(UndefinedMetricWarning, match=message) as record:
        assert np.isnan(class_robustness_unfairness([0, 0], [1, 1], least_eps=[1.0, 2.0]))
    assert len(record) == 1


def test_several_eps_have_no_single_unfairness():
    with pytest.raises(ValueError, match=r"success has 2 columns; .*class_robustness"):
        class_robustness_unfairness([0, 1], [0, 1], success=np.ones((2, 2), dtype=bool))
