import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robfair.exceptions import UndefinedMetricWarning
from robfair.metrics import (
    certified_ordering,
    classifier_robustness,
    group_robustness,
    group_robustness_bounds,
    robustness_bounds,
    robustness_dispersion,
    robustness_gap,
    robustness_gini,
    robustness_ratio,
    robustness_variance,
    worst_group_robustness,
)

POINTS = {
    "Rob(f)": classifier_robustness,
    "V_f": robustness_variance,
    "CV": robustness_dispersion,
    "worst group": worst_group_robustness,
    "gap": robustness_gap,
    "ratio": robustness_ratio,
    "Gini": robustness_gini,
}
BOUNDS = (group_robustness_bounds, robustness_bounds, certified_ordering)

# The second correct sample of "b" is censored, and of that of "c" only the distance is known.
Y, P = [0] * 6, [0, 0, 0, 1, 0, 0]
CASE = {
    "distance": [1.0, 3.0, 2.0, np.nan, np.inf, 4.0],
    "lower": [0.5, 2.5, 1.0, np.nan, 3.0, np.nan],
    "sensitive_features": list("aabbbc"),
}


@st.composite
def samples(draw):
    """Labels, predictions, groups, distances, lower bounds, and what may be the true distances."""
    n = draw(st.integers(3, 20))
    # No distance next to 0 but 0 itself: the point measures square it.
    number = st.one_of(st.just(0.0), st.floats(1e-3, 100.0))
    fraction = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0, 1.0))
    column = {
        name: np.array(draw(st.lists(values, min_size=n, max_size=n)))
        for name, values in {
            "right": st.booleans(),
            "group": st.sampled_from("abcd"),
            "upper": number,
            "lower": fraction,
            "true": fraction,
        }.items()
    }
    column["group"][:2] = ["a", "b"]  # two groups at least
    column["right"][0], column["upper"][0] = True, max(column["upper"][0], 1.0)
    upper = column["upper"]
    lower = column["lower"] * upper
    lower[lower < 1e-3] = 0
    true = np.clip(lower + column["true"] * (upper - lower), lower, upper)
    true[true < 1e-3] = 0
    return np.zeros(n), np.where(column["right"], 0, 1), column["group"], upper, lower, true


def point(y_true, y_pred, **keywords):
    return pd.Series({name: f(y_true, y_pred, **keywords) for name, f in POINTS.items()})


def test_by_hand():
    groups = group_robustness_bounds(Y, P, tau_max=5.0, **CASE)
    expected = pd.DataFrame({"low": [1.5, 4 / 3, 0.0], "high": [2.0, 7 / 3, 4.0]}, list("abc"))
    pd.testing.assert_frame_equal(groups, expected)
    table = robustness_bounds(Y, P, tau_max=5.0, **CASE)
    assert table.columns.tolist() == ["low", "high"]
    assert table.index.tolist() == list(POINTS)
    assert table.index.name is None
    # All of them can be equal (anything from 1.5 to 2), and "c" can be farthest off on both sides.
    assert table["low"].tolist() == pytest.approx([(1.5 + 4 / 3) / 3, *[0] * 6])
    assert table.loc["Rob(f)", "high"] == pytest.approx((2 + 7 / 3 + 4) / 3)
    assert table.loc["V_f", "high"] == pytest.approx(np.var([1.5, 4 / 3, 4]))
    assert table.loc["CV", "high"] == pytest.approx(np.std([1.5, 7 / 3, 0]) / (23 / 18))
    assert table.loc["worst group", "high"] == pytest.approx(2.0)
    assert table.loc["gap", "high"] == pytest.approx(4 - 4 / 3)
    assert table.loc["ratio", "high"] == 1
    # Of a = 1.5, b = 7/3 and c = 0, half of the mean difference 28/27 by the mean 23/18.
    assert table.loc["Gini", "high"] == pytest.approx(28 / 27 / 2 / (23 / 18))


def test_gap_between_one_group_and_another():
    # The widest interval by itself is no gap: its two ends are those of one group.
    keywords = {"sensitive_features": list("abc"), "distance": [9.0, 5, 6], "lower": [0.0, 4, 5]}
    assert robustness_bounds([0] * 3, [0] * 3, **keywords).loc["gap"].tolist() == [0, 6]
    keywords["lower"] = [7.0, 4, 5]
    assert robustness_bounds([0] * 3, [0] * 3, **keywords).loc["gap"].tolist() == [2, 5]


@given(samples(), st.sampled_from([None, 20.0]))
def test_every_possible_truth_is_inside(data, tau_max):
    y_true, y_pred, group, distance, lower, true = data
    keywords = {"sensitive_features": group, "tau_max": tau_max}
    bounds = {"distance": distance, "lower": lower, **keywords}
    table = robustness_bounds(y_true, y_pred, **bounds)
    groups = group_robustness_bounds(y_true, y_pred, **bounds)
    for d in (distance, true, lower):
        robs = group_robustness(y_true, y_pred, distance=d, **keywords)
        assert (groups["low"] <= robs).all()
        assert (robs <= groups["high"]).all()
        if not robs.any():
            continue  # CV is undefined
        values = point(y_true, y_pred, distance=d, **keywords)
        # Of numbers that are all equal, rounding can leave a variance of 1e-16 of their square.
        slack = 1e-9 * table.abs().max(axis=1) + [0, 1e-25, 1e-12, 0, 0, 0, 1e-12]
        assert (table["low"] - slack <= values).all()
        assert (values <= table["high"] + slack).all()


@given(samples())
def test_bounds_that_meet_are_the_point_measures(data):
    y_true, y_pred, group, distance, _, _ = data
    keywords = {"distance": distance, "sensitive_features": group}
    groups = group_robustness_bounds(y_true, y_pred, lower=distance, **keywords)
    robs = group_robustness(y_true, y_pred, **keywords)
    assert (groups["low"] == robs).all()
    assert (groups["high"] == robs).all()
    table = robustness_bounds(y_true, y_pred, lower=distance, **keywords)
    values = point(y_true, y_pred, **keywords)
    assert table["low"].tolist() == pytest.approx(values.tolist(), rel=1e-9, abs=1e-12)
    assert table["high"].tolist() == pytest.approx(values.tolist(), rel=1e-9, abs=1e-12)


@given(samples(), st.floats(1.0, 3.0), st.floats(0.0, 1.0))
def test_weaker_bounds_give_wider_intervals(data, more, less):
    y_true, y_pred, group, distance, lower, _ = data
    keywords = {"sensitive_features": group}
    narrow, wide = (
        robustness_bounds(y_true, y_pred, distance=d, lower=low, **keywords)
        for d, low in ((distance, lower), (more * distance, less * lower))
    )
    slack = 1e-8 * wide.abs().max(axis=1) + 1e-12
    assert (wide["low"] <= narrow["low"] + slack).all()
    assert (narrow["high"] <= wide["high"] + slack).all()


@given(samples(), st.sampled_from([1e-3, 0.5, 100.0]))
def test_scale(data, scale):
    y_true, y_pred, group, distance, lower, _ = data
    before, after = (
        robustness_bounds(
            y_true, y_pred, distance=c * distance, lower=c * lower, sensitive_features=group
        )
        for c in (1.0, scale)
    )
    factor = np.array([scale, scale**2, 1, scale, scale, 1, 1])[:, np.newaxis]
    np.testing.assert_allclose(after / factor, before, rtol=1e-6, atol=1e-10)


@given(samples(), st.randoms(use_true_random=False))
def test_order_of_samples_and_names_of_groups_do_not_matter(data, random):
    y_true, y_pred, group, distance, lower, _ = data
    order = list(range(len(group)))
    random.shuffle(order)
    names = dict(zip("abcd", "zmya", strict=True))
    plain = {"distance": distance, "lower": lower, "sensitive_features": group}
    other = {
        "distance": distance[order],
        "lower": lower[order],
        "sensitive_features": [names[g] for g in group[order]],
    }
    here, there = (y_true, y_pred), (y_true[order], y_pred[order])
    np.testing.assert_allclose(
        robustness_bounds(*there, **other), robustness_bounds(*here, **plain), rtol=1e-7, atol=1e-10
    )
    renamed = group_robustness_bounds(*here, **plain).rename(index=names).sort_index()
    pd.testing.assert_frame_equal(group_robustness_bounds(*there, **other), renamed)
    # In whole numbers, as the order of a sum could decide where bounds touch.
    for keywords in (plain, other):
        keywords["distance"] = np.ceil(keywords["distance"])
        keywords["lower"] = np.floor(keywords["lower"])
    ordering = certified_ordering(*here, **plain).rename(index=names, columns=names)
    again = certified_ordering(*there, **other)
    pd.testing.assert_frame_equal(again, ordering.loc[again.index, again.columns])


@given(samples())
def test_ordering_is_a_strict_order_that_no_truth_contradicts(data):
    y_true, y_pred, group, distance, lower, true = data
    keywords = {"distance": distance, "lower": lower, "sensitive_features": group}
    ordering = certified_ordering(y_true, y_pred, **keywords)
    robs = group_robustness(y_true, y_pred, distance=true, sensitive_features=group)
    assert ordering.index.equals(robs.index)
    assert ordering.columns.equals(robs.index)
    less = ordering.to_numpy()
    assert less.dtype.kind == "b"
    assert not less.diagonal().any()
    assert not (less & less.T).any()
    assert not (((less.astype(int) @ less) > 0) & ~less).any()
    assert (robs.to_numpy()[:, np.newaxis] < robs.to_numpy())[less].all()


def test_ordering_by_hand():
    keywords = {
        "distance": [1.0, 3.0, 4.0, np.inf],
        "lower": [0.5, 1.0, 2.0, 3.5],
        "sensitive_features": list("abcd"),
    }
    ordering = certified_ordering([0] * 4, [0] * 4, **keywords)
    pairs = [(a, b) for a in "abcd" for b in "abcd" if ordering.loc[a, b]]
    # "a" and "b" touch, which proves nothing.
    assert pairs == [("a", "c"), ("a", "d"), ("b", "d")]


def test_censored_distances_are_infinite_from_above_without_a_warning():
    groups = group_robustness_bounds(Y, P, **CASE)
    assert groups["high"].tolist() == [2.0, np.inf, 4.0]
    assert groups["low"].tolist() == pytest.approx([1.5, 4 / 3, 0.0])
    table = robustness_bounds(Y, P, **CASE)
    high = [np.inf, np.inf, np.sqrt(2), 2, np.inf, 1, 2 / 3]
    assert table["high"].tolist() == pytest.approx(high)
    assert table["low"].tolist() == pytest.approx([(1.5 + 4 / 3) / 3, *[0] * 6])


def test_distances_that_are_infinite_for_sure():
    keywords = {"sensitive_features": list("ab"), "distance": [np.inf, 2.0], "lower": [np.inf, 1.0]}
    y = [0, 0]
    assert certified_ordering(y, y, **keywords).to_numpy().tolist() == [
        [False, False],
        [True, False],
    ]
    table = robustness_bounds(y, y, **keywords)
    assert table["low"].tolist() == [np.inf, np.inf, 1.0, 1.0, np.inf, 0, 0.5]
    assert table["high"].tolist() == [np.inf, np.inf, 1.0, 2.0, np.inf, 0, 0.5]
    nobody = {"distance": [np.inf] * 2, "lower": [np.inf] * 2, "sensitive_features": list("ab")}
    table = robustness_bounds(y, y, **nobody)
    assert table["low"].tolist() == [np.inf, 0, 0, np.inf, 0, 0, 0]
    assert table["high"].tolist() == [np.inf, np.inf, 1.0, np.inf, np.inf, 1, 0.5]


def test_without_a_certificate_only_the_upper_bounds_hold():
    keywords = {"distance": CASE["distance"], "sensitive_features": list("aabbbc"), "tau_max": 5.0}
    nothing = robustness_bounds(Y, P, lower=[np.nan] * 6, **keywords)
    pd.testing.assert_frame_equal(nothing, robustness_bounds(Y, P, lower=[0] * 6, **keywords))
    assert not nothing["low"].any()
    assert nothing.loc["CV", "high"] == pytest.approx(np.sqrt(2))


def test_where_nobody_is_robust():
    keywords = {"distance": [1.0, 2.0], "lower": [0.5, 0.5], "sensitive_features": ["a", "b"]}
    with pytest.warns(
        UndefinedMetricWarning, match=r"CV, the ratio and Gini .* Rob\(f\) is 0"
    ) as record:
        table = robustness_bounds([0, 0], [1, 1], **keywords)
    assert len(record) == 1
    relative = ["CV", "ratio", "Gini"]
    assert table.loc[relative].isna().all(axis=None)
    assert (table.drop(index=relative) == 0).all(axis=None)


def test_one_group():
    keywords = {"distance": [1.0, 3.0], "lower": [0.5, 1.5], "sensitive_features": ["a", "a"]}
    with pytest.warns(
        UndefinedMetricWarning, match=r"V_f, CV, the gap, the ratio and Gini .* only one group"
    ) as record:
        table = robustness_bounds([0, 0], [0, 0], **keywords)
    assert len(record) == 1
    assert table.loc["Rob(f)"].tolist() == table.loc["worst group"].tolist() == [1.0, 2.0]
    assert table.loc[["V_f", "CV", "gap", "ratio", "Gini"]].isna().all(axis=None)
    assert not certified_ordering([0, 0], [0, 0], **keywords).any(axis=None)


def test_crossed_groups():
    race, sex = list("aabb"), ["f", "m", "f", "m"]
    keywords = {
        "distance": [1.0, 2.0, 3.0, 4.0],
        "lower": [0.5, 1.5, 2.5, 3.5],
        "sensitive_features": pd.DataFrame({"race": race, "sex": sex}),
    }
    ordering = certified_ordering([0] * 4, [0] * 4, **keywords)
    assert ordering.index.names == ordering.columns.names == ["race", "sex"]
    assert (ordering.to_numpy() == np.triu(np.ones((4, 4)), 1)).all()


def test_lower_may_exceed_distance_by_rounding():
    keywords = {"distance": [1.0, 2.0], "sensitive_features": ["a", "b"]}
    groups = group_robustness_bounds([0, 0], [0, 0], lower=[1.0 + 5e-7, 1.0], **keywords)
    assert groups["low"].tolist() == [1.0, 1.0]
    with pytest.raises(ValueError, match=r"exceeds distance for 1 of 2 correctly"):
        group_robustness_bounds([0, 0], [0, 0], lower=[1.0 + 2e-6, 1.0], **keywords)


@pytest.mark.parametrize("bounds", BOUNDS)
@pytest.mark.parametrize(
    ("error", "match", "change"),
    [
        (ValueError, r"negative for 2 of 6 samples, the first at position 1 \(-1\)",
         {"lower": [0, -1, 0, -2, 0, 0]}),
        (ValueError, r"exceeds distance for 2 of 5 .*, the first at position 2 \(2.5 > 2\)",
         {"lower": [0, 0, 2.5, 0, 0, 5]}),
        (ValueError, "lower must have one value per sample", {"lower": [[0.0] * 6]}),
        (ValueError, "lower has 2 samples and y_true has 6", {"lower": [0.0, 0.0]}),
        (TypeError, "lower must hold numbers; got values of type", {"lower": ["far"] * 6}),
        (TypeError, "lower is None", {"lower": None}),
        (TypeError, "distance is None", {"distance": None}),
        (TypeError, "sensitive_features is None", {"sensitive_features": None}),
        (ValueError, "tau_max must be a positive", {"tau_max": 0}),
    ],
)  # fmt: skip
def test_wrong_arguments(bounds, error, match, change):
    with pytest.raises(error, match=match):
        bounds(Y, P, **{**CASE, **change})


def test_lower_is_not_judged_where_the_prediction_is_wrong():
    keywords = {"distance": [1.0, 2.0], "lower": [0.5, 9.0], "sensitive_features": ["a", "b"]}
    assert group_robustness_bounds([0, 0], [0, 1], **keywords)["high"].tolist() == [1.0, 0.0]


def test_a_cap_may_lie_below_the_lower_bound():
    groups = group_robustness_bounds(Y, P, tau_max=1.0, **CASE)
    assert groups.loc["a"].tolist() == [0.75, 1.0]


def test_forty_groups_that_overlap():
    rng = np.random.default_rng(0)
    group = rng.permutation(np.repeat(np.arange(40), 25))
    distance = rng.exponential(size=1000)
    keywords = {"distance": distance, "sensitive_features": group}
    y_pred = (rng.random(1000) > 0.9).astype(int)
    table = robustness_bounds(np.zeros(1000), y_pred, lower=distance * rng.random(1000), **keywords)
    values = point(np.zeros(1000), y_pred, **keywords)
    assert (table["low"] <= values).all()
    assert (values <= table["high"]).all()
