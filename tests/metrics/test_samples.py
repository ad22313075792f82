"""Measures within control values, and standardised: against loops and pandas, for every measure."""

import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from robfair.exceptions import UndefinedMetricWarning
from robfair.metrics import (
    class_accuracy_unfairness,
    class_robustness_unfairness,
    classifier_robustness,
    equalized_odds_unfairness,
    group_robustness,
    robustness_dispersion,
    robustness_gap,
    robustness_gini,
    robustness_ratio,
    robustness_variance,
    worst_group_robustness,
)

# Each with its value from the Rob(P) of the groups.
ORACLES = {
    classifier_robustness: np.mean,
    robustness_variance: np.var,
    robustness_dispersion: lambda rob: np.std(rob) / np.mean(rob),
    worst_group_robustness: np.min,
    robustness_gap: np.ptp,
    robustness_ratio: lambda rob: np.min(rob) / np.max(rob),
    robustness_gini: lambda rob: np.abs(rob[:, None] - rob).mean() / (2 * np.mean(rob)),
}
each_measure = pytest.mark.parametrize("measure", ORACLES, ids=lambda f: f.__name__)


def frame(seed=0, n=240, n_groups=3):
    """Draw rows in which every combination of group, label and sex has some."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({
        "y": rng.integers(0, 2, n), "group": rng.choice(list("abcde")[:n_groups], n),
        "sex": rng.choice(["f", "m"], n), "distance": rng.exponential(1.0, n),
    })  # fmt: skip
    rows.loc[rows["group"] == "a", "y"] |= rng.integers(0, 2, (rows["group"] == "a").sum())
    rows["pred"] = np.where(rng.random(n) < 0.2, 1 - rows["y"], rows["y"])
    rows["value"] = np.where(rows["pred"] == rows["y"], rows["distance"], 0.0)
    return rows


def call(measure, rows, **keywords):
    return measure(
        rows["y"], rows["pred"], distance=rows["distance"], sensitive_features=rows["group"],
        **keywords,
    )  # fmt: skip


def standardized(rows, by):
    within = rows.groupby(["group", by])["value"].mean().unstack()
    return (within * rows[by].value_counts(normalize=True)).sum(axis=1, skipna=False)


@each_measure
@pytest.mark.parametrize("seed", range(3))
def test_against_pandas(measure, seed):
    rows, oracle = frame(seed), ORACLES[measure]
    by_sex = call(measure, rows, control_features=rows["sex"])
    expected = rows.groupby("sex")[["group", "value"]].apply(
        lambda part: oracle(part.groupby("group")["value"].mean().to_numpy())
    )
    pd.testing.assert_series_equal(by_sex, expected, check_names=False)
    assert by_sex.index.name == "sex"

    value = call(measure, rows, standardize_by=rows["y"])
    assert value == pytest.approx(oracle(standardized(rows, "y").to_numpy()))

    both = call(measure, rows, control_features=rows["sex"], standardize_by="y_true")
    for sex, part in rows.groupby("sex"):
        assert both[sex] == pytest.approx(oracle(standardized(part, "y").to_numpy()))


def test_rob_p_against_pandas():
    rows = frame()
    table = call(group_robustness, rows, control_features=rows[["sex", "y"]])
    expected = rows.groupby(["sex", "y", "group"])["value"].mean()
    pd.testing.assert_series_equal(table, expected, check_names=False, check_dtype=False)
    assert table.index.names == ["sex", "y", "group"]
    by_label = call(group_robustness, rows, standardize_by=rows["y"])
    assert_allclose(by_label, standardized(rows, "y"))
    assert by_label.index.name == "group"


@each_measure
def test_interval_of_each_value_is_that_of_its_rows(measure):
    rows = frame()
    table = call(measure, rows, control_features=rows["sex"], confidence_level=0.9)
    for sex, part in rows.groupby("sex"):
        alone = call(measure, part, confidence_level=0.9)
        assert tuple(table.loc[sex, ["value", "lower", "upper"]]) == (alone, *alone.interval)
    standard = call(
        measure, rows, control_features=rows["sex"], standardize_by=rows["y"], confidence_level=0.9
    )
    assert (standard["lower"] <= standard["value"]).all()
    assert (standard["value"] <= standard["upper"]).all()
    assert (standard["upper"] - standard["lower"] > 0).all()


@each_measure
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), value=st.sampled_from(["all", 1, None]))
def test_one_control_value_or_stratum_changes_no_bit(measure, seed, value):
    rows = frame(seed, n=40)
    rows["one"] = value if value is not None else pd.Categorical(["x"] * len(rows))
    plain = call(measure, rows, confidence_level=0.95)
    inside = call(measure, rows, control_features=rows["one"], confidence_level=0.95)
    assert inside.iloc[0].tolist() == [float(plain), *plain.interval]
    same = call(measure, rows, standardize_by=rows["one"], confidence_level=0.95)
    assert (same, same.interval) == (plain, plain.interval)


@each_measure
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000))
def test_names_of_labels_and_groups_change_nothing(measure, seed):
    rows = frame(seed, n=120)
    renamed = rows.assign(
        group=rows["group"].map({"a": "z", "b": "m", "c": "k"}), stratum=rows["y"].map({0: 9, 1: 3})
    )
    before = call(measure, rows, standardize_by=rows["y"], confidence_level=0.9)
    after = call(measure, renamed, standardize_by=renamed["stratum"], confidence_level=0.9)
    assert_allclose([after, *after.interval], [before, *before.interval], rtol=1e-6, atol=1e-6)


@each_measure
@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), share=st.integers(1, 4))
def test_where_all_groups_have_the_same_mix_nothing_is_changed(measure, seed, share):
    rng = np.random.default_rng(seed)
    labels = np.repeat([0, 1], [share, 5 - share])
    rows = pd.DataFrame({"y": np.tile(labels, 9), "group": np.repeat(list("abc"), 15)})
    rows["distance"] = rng.exponential(1.0, len(rows))
    rows["pred"] = np.where(rng.random(len(rows)) < 0.1, 1 - rows["y"], rows["y"])
    assert call(measure, rows, standardize_by="y_true") == pytest.approx(call(measure, rows))


@pytest.mark.parametrize("container", [list, np.array, pl.Series, pd.Categorical])
def test_containers(container):
    rows = frame()
    for name in ("control_features", "standardize_by"):
        plain = call(robustness_gap, rows, **{name: rows["sex"]})
        assert_array_equal(call(robustness_gap, rows, **{name: container(rows["sex"])}), plain)


def test_bias_correction_is_of_the_standardised_means():
    rows = frame()
    plain, corrected = (
        call(robustness_variance, rows, standardize_by="y_true", bias_corrected=flag)
        for flag in (False, True)
    )
    cells = rows.groupby(["group", "y"])["value"]
    share = rows["y"].value_counts(normalize=True)
    squared = ((cells.var() / cells.size()).unstack() * share**2).sum(axis=1)
    assert plain - corrected == pytest.approx((1 - 1 / 3) * squared.mean())


def test_cau_within_and_standardised_by_another_column():
    rows = frame()
    rows["value"] = (rows["pred"] == rows["y"]).astype(float)
    by_sex = class_accuracy_unfairness(rows["y"], rows["pred"], control_features=rows["sex"])
    accuracy = rows.groupby(["sex", "y"])["value"].mean().unstack()
    assert_allclose(by_sex, accuracy.max(axis=1) - accuracy.min(axis=1))
    share = rows["group"].value_counts(normalize=True)
    within = rows.groupby(["y", "group"])["value"].mean().unstack()
    value = class_accuracy_unfairness(
        rows["y"], rows["pred"], standardize_by=rows["group"], confidence_level=0.95
    )
    assert value == pytest.approx(np.ptp((within * share).sum(axis=1)))
    assert value.interval[0] <= value <= value.interval[1] <= 1


@pytest.mark.parametrize("population", ["correct", "all"])
def test_cru_within_and_standardised_by_label(population):
    rows = frame()
    kept = rows if population == "all" else rows[rows["pred"] == rows["y"]]
    keywords = {
        "least_eps": rows["distance"], "sensitive_features": rows["group"],
        "population": population,
    }  # fmt: skip
    by_label = class_robustness_unfairness(
        rows["y"], rows["pred"], control_features="y_true", confidence_level=0.95, **keywords
    )
    mean = kept.groupby(["y", "group"])["value"].mean().unstack()
    assert_allclose(by_label["value"], mean.max(axis=1) - mean.min(axis=1))
    assert (by_label["lower"] <= by_label["value"]).all()
    value = class_robustness_unfairness(
        rows["y"], rows["pred"], standardize_by="y_true", **keywords
    )
    assert value == pytest.approx(np.ptp(standardized(kept, "y")))


def test_cru_of_a_cell_in_which_no_row_counts():
    rows = frame()
    wrong = (rows["group"] == "b") & (rows["y"] == 1)
    pred = np.where(wrong, 0, rows["y"])
    with pytest.warns(UndefinedMetricWarning, match="'b' where y is 1") as record:
        table = class_robustness_unfairness(
            rows["y"], pred, least_eps=rows["distance"], sensitive_features=rows["group"],
            control_features=rows["y"],
        )  # fmt: skip
    assert len(record) == 1
    assert table.isna().tolist() == [False, True]


@pytest.mark.filterwarnings("ignore::robfair.exceptions.LabelsWarning")  # of labels never right
@pytest.mark.parametrize("by", [{}, {"standardize_by": "y_true"}])
def test_cru_of_a_value_in_which_all_rows_are_wrong(by):
    rows = frame()
    pred = np.where(rows["sex"] == "m", 1 - rows["y"], rows["y"])
    with pytest.warns(UndefinedMetricWarning, match="'a' where sex is 'm'") as record:
        table = class_robustness_unfairness(
            rows["y"], pred, least_eps=rows["distance"], sensitive_features=rows["group"],
            control_features=rows["sex"], confidence_level=0.95, **by,
        )  # fmt: skip
    assert len(record) == 1
    assert table.isna().all(axis=1).tolist() == [False, True]


def test_the_reversal_that_a_mix_of_labels_hides():
    # Within each label group "b" is nearer to the boundary, and it has more of the far label.
    rows = pd.DataFrame({
        "y": [0] * 20 + [1] * 80 + [0] * 80 + [1] * 20, "group": ["a"] * 100 + ["b"] * 100,
        "distance": [3.0] * 20 + [1.0] * 80 + [2.5] * 80 + [0.5] * 20,
    })  # fmt: skip
    rows["pred"] = rows["y"]
    assert call(group_robustness, rows).tolist() == pytest.approx([1.4, 2.1])
    assert call(group_robustness, rows, standardize_by="y_true").tolist() == pytest.approx([2, 1.5])
    within = call(group_robustness, rows, control_features="y_true")
    assert within.to_dict() == pytest.approx(
        {(0, "a"): 3.0, (0, "b"): 2.5, (1, "a"): 1.0, (1, "b"): 0.5}
    )
    assert within.index.names == ["y", "group"]


@each_measure
def test_an_empty_cell_is_named_in_one_warning(measure):
    rows = frame()
    rows = rows[(rows["group"] != "b") | (rows["y"] == 0)]
    for level in (None, 0.95):
        with pytest.warns(UndefinedMetricWarning, match="1 of 6 .*'b' where y is 1") as record:
            value = call(measure, rows, standardize_by="y_true", confidence_level=level)
        assert np.isnan(value)
        with pytest.warns(UndefinedMetricWarning, match="1 of 6 .*'b' where y is 1") as inside:
            table = call(measure, rows, control_features=rows["y"], confidence_level=level)
        assert len(record) == len(inside) == 1
        assert_array_equal(np.isnan(pd.DataFrame(table).iloc[:, 0]), [False, True])


def test_rob_p_of_an_empty_cell():
    rows = frame()
    rows = rows[(rows["group"] != "b") | (rows["y"] == 0)]
    with pytest.warns(UndefinedMetricWarning, match="'b' where y is 1") as record:
        table = call(group_robustness, rows, standardize_by="y_true", confidence_level=0.95)
    assert len(record) == 1
    assert table.isna().all(axis=1).tolist() == [False, True, False]
    with pytest.warns(UndefinedMetricWarning, match="'b' where y is 1") as record:
        table = call(group_robustness, rows, control_features="y_true")
    assert len(record) == 1
    assert table[table.isna()].index.tolist() == [(1, "b")]


def test_a_cell_of_one_row_has_no_interval():
    rows = frame()
    few = rows[(rows["group"] == "b") & (rows["y"] == 1)].index[1:]
    rows = rows.drop(few)
    with pytest.warns(UndefinedMetricWarning, match=r"one sample \('b' where y is 1\)"):
        value = call(robustness_gap, rows, standardize_by="y_true", confidence_level=0.95)
    assert value > 0
    assert np.isnan(value.interval).all()


def eou(y_true, y_pred, *, distance, **keywords):
    """Take and drop the arguments that EOU has no use for."""
    return equalized_odds_unfairness(y_true, np.full(len(y_true), 0.5), **keywords)


BAD = {
    "a value per row": (lambda n: np.arange(n), ValueError, r"a group for each.*pd\.cut"),
    "numbers": (lambda n: np.arange(n) // 4, ValueError, r"has 60 groups.*pd\.cut"),
    "missing": (lambda n: [None, *["x"] * (n - 1)], ValueError, "is missing .* for 1 of 240"),
    "short": (lambda n: ["x"] * (n - 1), ValueError, "has 239 samples"),
    "a name": (lambda n: "sex", ValueError, "'sex' is a name.*'y_true' for the true labels"),
    "another order": (lambda n: pd.Series(["x"] * n)[::-1], ValueError, "another order"),
}


@pytest.mark.parametrize("name", ["control_features", "standardize_by"])
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    "measure", [group_robustness, robustness_variance, eou], ids=["rob", "v_f", "eou"]
)
def test_bad_features_are_refused_by_name(measure, bad, name):
    value, error, message = BAD[bad]
    rows = frame()
    with pytest.raises(error, match=message) as caught:
        call(measure, rows, **{name: value(len(rows))})
    assert re.search(rf"\b{name}\b", str(caught.value))


SYMBOLS = {
    classifier_robustness: "Rob(f)",
    robustness_variance: "V_f",
    robustness_dispersion: "CV",
    worst_group_robustness: "min Rob(P)",
    robustness_gap: "The gap",
    robustness_ratio: "The ratio",
    robustness_gini: "Gini",
    group_robustness: "Rob(P) of the groups concerned",
}
RELATIVE = [robustness_dispersion, robustness_ratio, robustness_gini]


@pytest.mark.parametrize("measure", SYMBOLS, ids=lambda f: f.__name__)
def test_a_warning_begins_with_the_measure(measure):
    begin = f"^{re.escape(SYMBOLS[measure])} is undefined and NaN is returned: "
    y, keywords = np.zeros(3, dtype=int), {"distance": [1.0, 2.0, 3.0]}
    cells = {"sensitive_features": ["a", "a", "b"], "control_features": ["m", "w", "m"]}
    with pytest.warns(
        UndefinedMetricWarning, match=f"{begin}1 of 4 .* 'b' where control_features is 'w'"
    ):
        assert np.isnan(measure(y, y, **keywords, **cells)).any()
    if measure in (classifier_robustness, worst_group_robustness, group_robustness):
        return  # of one group, too
    with pytest.warns(UndefinedMetricWarning, match=f"{begin}there is only one group"):
        assert np.isnan(measure(y, y, **keywords, sensitive_features=["a"] * 3))
    if measure in RELATIVE:
        with pytest.warns(UndefinedMetricWarning, match=rf"{begin}Rob\(f\) is 0"):
            assert np.isnan(measure(y, y, distance=0 * y, sensitive_features=["a", "b", "b"]))


@pytest.mark.parametrize("measure", SYMBOLS, ids=lambda f: f.__name__)
def test_every_measure_takes_a_cap_and_checks_its_level(measure):
    y, groups = np.zeros(4, dtype=int), ["a", "a", "b", "b"]
    capped = measure(y, y, distance=[1, np.inf, 3, 9], sensitive_features=groups, tau_max=3)
    assert_array_equal(capped, measure(y, y, distance=[1, 3, 3, 3], sensitive_features=groups))
    with pytest.raises(ValueError, match="confidence_level must be between 0 and 1; got 95"):
        measure(y, y, distance=y, sensitive_features=groups, confidence_level=95)


def test_control_values_and_groups_keep_their_names():
    y = np.zeros(4, dtype=int)
    table = group_robustness(
        y, y, distance=[1.0, 2, 3, 4], sensitive_features=pd.Series(list("abab"), name="race"),
        control_features=pd.DataFrame({"sex": list("mmww"), "age": [1, 1, 2, 2]}),
    )  # fmt: skip
    assert table.index.names == ["sex", "age", "race"]


def test_there_may_be_any_number_of_labels():
    y, groups = np.arange(240) // 4, ["a", "b"] * 120
    table = group_robustness(y, y, distance=y, sensitive_features=groups, control_features="y_true")
    assert table.index.names == ["y_true", None]
    assert table.tolist() == np.repeat(np.arange(60), 2).tolist()


def test_cau_within_a_label_has_nothing_to_compare():
    rows = frame()
    with pytest.warns(UndefinedMetricWarning, match="^CAU is undefined .* 2 of 4 groups"):
        table = class_accuracy_unfairness(
            rows["y"], rows["pred"], control_features="y_true", confidence_level=0.95
        )
    assert table.columns.tolist() == ["value", "lower", "upper"]
    assert table.isna().all(axis=None)
