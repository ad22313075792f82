import itertools

import numpy as np
import pandas as pd
import polars as pl
import pytest
import sklearn
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer
from sklearn.model_selection import cross_validate

from robfair.exceptions import UndefinedMetricWarning
from robfair.metrics import (
    equalized_odds_table,
    equalized_odds_unfairness,
    group_confidence,
)

Y, P, G = [0, 0, 1, 1], [0.25, 0.5, 0.5, 1.0], ["f", "m", "f", "m"]


@st.composite
def samples(draw, n_classes=3):
    """Draw labels, probabilities and groups in which every (label, group) cell has samples."""
    cells = [(y, g) for y in range(n_classes) for g in "ab"]
    cells += draw(st.lists(st.sampled_from(cells), max_size=12))
    weights = [draw(st.tuples(*[st.floats(0.01, 1.0)] * n_classes)) for _ in cells]
    y, g = zip(*cells, strict=True)
    proba = np.array(weights)
    return list(y), proba / proba.sum(axis=1, keepdims=True), list(g)


def brute_force(y_true, proba, groups, condition_on):
    worst = 0.0
    for subset in sorted(set(y_true)) if condition_on else [None]:
        for column in range(proba.shape[1]):
            for i in set(groups):
                for j in set(groups):
                    means = []
                    for name in (i, j):
                        total = count = 0
                        for k in range(len(y_true)):
                            if groups[k] == name and subset in (None, y_true[k]):
                                total += proba[k, column]
                                count += 1
                        means.append(total / count)
                    worst = max(worst, abs(means[0] - means[1]))
    return worst


@pytest.mark.parametrize("condition_on", ["label", None])
@given(data=samples())
def test_definition_4(data, condition_on):
    y_true, proba, groups = data
    found = equalized_odds_unfairness(
        y_true, proba, sensitive_features=groups, condition_on=condition_on
    )
    assert found == pytest.approx(brute_force(y_true, proba, groups, condition_on))
    assert 0 <= found <= 1


@pytest.mark.parametrize("condition_on", ["label", None])
@given(data=samples(n_classes=2))
def test_one_column_is_enough_for_two_classes(data, condition_on):
    y_true, proba, groups = data
    keywords = {"sensitive_features": groups, "condition_on": condition_on}
    assert equalized_odds_unfairness(y_true, proba[:, 1], **keywords) == pytest.approx(
        equalized_odds_unfairness(y_true, proba, **keywords)
    )


def test_tables_4_and_5():
    # The standard classifier of Table IV; its EOU is 0.074 in D_0 and 0.091 in D_1 (Fig. 5).
    proba = [0.272, 0.198, 0.717, 0.626]
    sex = pd.Series(["male", "female", "male", "female"], name="gender")
    assert equalized_odds_unfairness([0, 0, 1, 1], proba, sensitive_features=sex) == pytest.approx(
        0.717 - 0.626
    )
    table = group_confidence([0, 0, 1, 1], proba, sensitive_features=sex)
    assert table.index.names == ["y_true", "gender"]
    assert list(table.columns) == [1]
    assert table.loc[(0, "female"), 1] == 0.198
    # The robust classifier of Table V: Asian against Indian american, in D_1.
    races = ["White", "Asian", "Indian american", "Black", "Other"]
    proba = [0.233, 0.242, 0.148, 0.159, 0.149, 0.754, 0.763, 0.64, 0.658, 0.642]
    found = equalized_odds_unfairness([0] * 5 + [1] * 5, proba, sensitive_features=races * 2)
    assert found == pytest.approx(0.763 - 0.64)


@pytest.mark.parametrize("condition_on", ["label", None])
@given(data=samples())
def test_equalized_odds_of_each_class(data, condition_on):
    y_true, proba, groups = data
    table = equalized_odds_table(
        y_true, proba, sensitive_features=groups, condition_on=condition_on
    )
    assert table.index.name == "y_true"
    assert table.index.tolist() == ([0, 1, 2] if condition_on else ["all"])
    assert list(table.columns) == [0, 1, 2]
    means = {}  # of (row, class, group)
    for row, column, group in itertools.product(table.index, table.columns, "ab"):
        picked = [
            p[column] for y, p, g in zip(y_true, proba, groups, strict=True)
            if g == group and row in ("all", y)
        ]  # fmt: skip
        means[row, column, group] = sum(picked) / len(picked)
    for row, column in itertools.product(table.index, table.columns):
        gap = abs(means[row, column, "a"] - means[row, column, "b"])
        assert table.loc[row, column] == pytest.approx(gap, abs=1e-12)
    assert table.to_numpy().max() == equalized_odds_unfairness(
        y_true, proba, sensitive_features=groups, condition_on=condition_on
    )


def test_figures_5_and_6():
    """EOU in D_0 and in D_1 of the standard and the robust classifier, from Tables IV and V."""
    for proba, expected in (
        ([0.272, 0.198, 0.717, 0.626], [0.074, 0.091]),
        ([0.248, 0.168, 0.762, 0.668], [0.080, 0.094]),
    ):
        table = equalized_odds_table([0, 0, 1, 1], proba, sensitive_features=list("mfmf"))
        assert_allclose(table[1], expected)


@pytest.mark.parametrize("condition_on", ["label", None])
def test_table_where_it_is_undefined(condition_on):
    keywords = {"condition_on": condition_on}
    with pytest.warns(UndefinedMetricWarning, match=r"EOU .* only one group \('a'\)") as record:
        table = equalized_odds_table(Y, P, sensitive_features=["a"] * 4, **keywords)
    assert len(record) == 1
    assert table.isna().all(axis=None)
    assert table[1].dtype == np.float64
    keywords["sensitive_features"] = pd.Categorical(list("fmff"), categories=["f", "m"])
    if condition_on is None:
        assert equalized_odds_table(Y, P, **keywords).notna().all(axis=None)
        return
    message = (
        r"^EOU of a row in which groups are empty is .* 1 of 4 groups .*: 'm' where y_true is 1\."
    )
    with pytest.warns(UndefinedMetricWarning, match=message) as record:
        table = equalized_odds_table(Y, P, **keywords)
    assert len(record) == 1
    assert table[1].isna().tolist() == [False, True]


def test_confidence_table():
    proba = np.array([[0.5, 0.25, 0.25], [0.0, 0.5, 0.5], [0.25, 0.25, 0.5], [1.0, 0.0, 0.0]])
    table = group_confidence(
        ["x", "y", "z", "x"], proba, sensitive_features=[1, 1, 2, 2], condition_on=None
    )
    assert table.index.tolist() == [1, 2]
    assert list(table.columns) == ["x", "y", "z"]
    assert_allclose(table.loc[1], [0.25, 0.375, 0.375])


def test_confidence_table_of_one_group_and_of_none():
    table = group_confidence(Y, P, sensitive_features=["a"] * 4)
    assert table[1].tolist() == [0.375, 0.75]  # compares nothing: not undefined, even in one cell
    table = group_confidence(Y, P, sensitive_features=["a"] * 4, condition_on=None)
    assert table[1].tolist() == [0.5625]
    message = "^The mean confidence of a row without samples is undefined .* 1 of 4 groups"
    with pytest.warns(UndefinedMetricWarning, match=message):
        table = group_confidence(Y, P, sensitive_features=list("fmff"))
    assert table[1].isna().tolist() == [False, False, False, True]


def test_confidence_table_of_crossed_groups():
    frame = pd.DataFrame({"race": ["a", "b", "a", "b"], "sex": ["f", "m", "f", "m"]})
    table = group_confidence(Y, P, sensitive_features=frame)
    assert table.index.names == ["y_true", "race", "sex"]
    assert table.loc[(1, "b", "m"), 1] == 1.0


@pytest.mark.parametrize(
    "container",
    [
        list,
        np.array,
        lambda v: pd.Series(v, index=[3, 3, 0, 1]),
        pl.Series,
        lambda v: torch.tensor(v, requires_grad=isinstance(v[0], float)),
    ],
)
def test_containers(container):
    found = equalized_odds_unfairness(
        container(Y), container(P), sensitive_features=container([0, 1, 0, 1])
    )
    assert found == 0.5


@pytest.mark.parametrize("container", [pd.DataFrame, pl.DataFrame, torch.tensor, np.ndarray.tolist])
def test_two_dimensional_containers(container):
    proba = np.column_stack([1 - np.array(P), P])
    assert equalized_odds_unfairness(Y, container(proba), sensitive_features=G) == 0.5


@pytest.mark.parametrize("condition_on", ["label", None])
@pytest.mark.parametrize("level", [None, 0.9])
def test_one_group(condition_on, level):
    with pytest.warns(UndefinedMetricWarning, match=r"EOU .* only one group \('a'\)") as record:
        value = equalized_odds_unfairness(
            Y, P, sensitive_features=["a"] * 4, condition_on=condition_on, confidence_level=level
        )
    assert len(record) == 1
    assert np.isnan(value)
    assert value.interval is None if level is None else np.isnan(value.interval).all()


def test_empty_cell():
    message = r"^EOU is .* 1 of 4 groups .*: 'm' where y_true is 1\."
    with pytest.warns(UndefinedMetricWarning, match=message):
        assert np.isnan(equalized_odds_unfairness(Y, P, sensitive_features=list("fmff")))
    keywords = {"sensitive_features": list("fmff"), "condition_on": None}
    assert np.isfinite(equalized_odds_unfairness(Y, P, **keywords))


def by_region(n=240, seed=0):
    """Draw rows in which every combination of label, group and region has some."""
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({
        "y": rng.integers(0, 2, n), "group": rng.choice(list("abc"), n),
        "region": rng.choice(["n", "s"], n), "p": rng.uniform(size=n),
    })  # fmt: skip
    rows.loc[rows["group"] == "a", "region"] = rng.choice(
        ["n", "n", "s"], (rows.group == "a").sum()
    )
    return rows


def call(measure, rows, **keywords):
    return measure(rows["y"], rows["p"], sensitive_features=rows["group"], **keywords)


def same_mix(rows):
    """Return the mean confidence of each group with the mix of regions of all these rows."""
    within = rows.groupby(["group", "region"])["p"].mean().unstack()
    return (within * rows["region"].value_counts(normalize=True)).sum(axis=1)


@pytest.mark.parametrize("condition_on", ["label", None])
def test_control_and_standardised_against_pandas(condition_on):
    rows = by_region()
    keywords = {"condition_on": condition_on}

    def by_label(part):
        return [within for _, within in part.groupby("y")] if condition_on else [part]

    # One mix of regions among the rows that are compared: those of a label, or all.
    expected = [same_mix(part) for part in by_label(rows)]
    keywords["standardize_by"] = rows["region"]
    table = call(group_confidence, rows, **keywords)
    assert_allclose(table[1], np.concatenate(expected))
    gaps = [np.ptp(means) for means in expected]
    assert_allclose(call(equalized_odds_table, rows, **keywords)[1], gaps)
    eou = call(equalized_odds_unfairness, rows, confidence_level=0.95, **keywords)
    assert eou == pytest.approx(max(gaps))
    assert eou.interval[0] <= eou <= eou.interval[1]

    keywords = {"condition_on": condition_on, "control_features": rows["region"]}
    table = call(equalized_odds_unfairness, rows, confidence_level=0.95, **keywords)
    gaps = call(equalized_odds_table, rows, **keywords)
    assert table.index.names == ["region"]
    assert gaps.index.names == ["region", "y_true"]
    for region, part in rows.groupby("region"):
        alone = call(
            equalized_odds_unfairness, part, condition_on=condition_on, confidence_level=0.95
        )
        assert table.loc[region].tolist() == [alone, *alone.interval]
        means = [within.groupby("group")["p"].mean() for within in by_label(part)]
        assert_allclose(gaps[1].xs(region), [np.ptp(each) for each in means])
        found = call(group_confidence, rows, **keywords)[1].xs(region)
        assert_allclose(found, np.concatenate(means))


@given(st.integers(0, 1000))
def test_one_value_one_stratum_or_the_label_itself_changes_no_bit(seed):
    rows = by_region(60, seed)
    plain = call(equalized_odds_unfairness, rows, confidence_level=0.9)
    one = ["all"] * len(rows)
    inside = call(equalized_odds_unfairness, rows, control_features=one, confidence_level=0.9)
    assert inside.iloc[0].tolist() == [plain, *plain.interval]
    for by in (one, "y_true"):
        same = call(equalized_odds_unfairness, rows, standardize_by=by, confidence_level=0.9)
        assert (same, same.interval) == (plain, plain.interval)


def test_whole_groups_within_each_label_are_those_of_each_label():
    rows = by_region()
    table = call(group_confidence, rows, condition_on=None, control_features="y_true")
    pd.testing.assert_frame_equal(table, call(group_confidence, rows), check_names=False)


def test_demographic_parity_without_what_labels_explain():
    # Within labels the groups are alike; "a" has more of the label with a high confidence.
    y = np.repeat([0, 1, 0, 1], [20, 80, 80, 20])
    given = {"sensitive_features": np.repeat(["a", "b"], 100), "condition_on": None}
    proba = np.where(y == 1, 0.9, 0.2)
    assert equalized_odds_unfairness(y, proba, **given) == pytest.approx(0.6 * 0.7)
    assert equalized_odds_unfairness(y, proba, **given, standardize_by="y_true") < 1e-12


def test_an_empty_cell_is_named_with_what_its_rows_have_in_common():
    rows = by_region()
    rows = rows[(rows["group"] != "b") | (rows["y"] == 0) | (rows["region"] == "n")]
    message = "1 of 12 groups have no samples: 'b' where region is 's' and y_true is 1"
    with pytest.warns(UndefinedMetricWarning, match=message) as record:
        found = call(equalized_odds_unfairness, rows, control_features=rows["region"])
    assert len(record) == 1
    assert found.isna().tolist() == [False, True]
    message = "1 of 12 groups have no samples: 'b' where y_true is 1 and region is 's'"
    with pytest.warns(UndefinedMetricWarning, match=message):
        assert np.isnan(call(equalized_odds_unfairness, rows, standardize_by=rows["region"]))


def test_interval_is_of_the_largest_difference_within_a_label():
    # Within the first label groups are far apart, within the second they are alike.
    rng = np.random.default_rng(0)
    y, g = np.repeat([0, 1], 400), np.tile(np.repeat(["f", "m"], 200), 2)
    proba = rng.uniform(0.0, 0.4, 800) + 0.5 * ((y == 0) & (g == "m"))
    found = equalized_odds_unfairness(y, proba, sensitive_features=g, confidence_level=0.95)
    half = 1.96 * np.sqrt(2 * proba[(y == 1)].var() / 200)
    assert found == pytest.approx(0.5, abs=0.03)
    assert found.interval[1] == pytest.approx(found + half, abs=half / 8)
    assert found - 1.6 * half < found.interval[0] < found - half  # more than one pair
    nothing = equalized_odds_unfairness(
        y[y == 1], proba[y == 1], sensitive_features=g[y == 1], labels=[0, 1],
        condition_on=None, confidence_level=0.95,
    )  # fmt: skip
    assert nothing.interval[0] == 0


@pytest.mark.parametrize(
    "measure", [equalized_odds_unfairness, equalized_odds_table, group_confidence]
)
@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"y_true": []}, ValueError, "y_true is empty"),
        ({"y_true": [[0], [0], [1], [1]]}, ValueError, "y_true must"),
        ({"y_true": [0, 0, 1, None]}, ValueError, r"y_true is missing .* 1 of 4"),
        ({"y_true": [0, 1, 2, 2]}, ValueError, r"\(4,\) has .* 2 classes, and y_true holds 3"),
        ({"y_proba": P[:3]}, ValueError, "y_proba has 3 samples and y_true has 4"),
        ({"y_proba": np.full((4, 3), 0.3)}, ValueError, "3 classes, and y_true holds 2"),
        ({"y_proba": np.full((4, 1), 0.3)}, ValueError, "1 classes, and y_true holds 2"),
        ({"y_proba": np.zeros((4, 2, 1))}, ValueError, r"y_proba must .* shape \(4, 2, 1\)"),
        ({"y_proba": [0.5, 1.5, -0.5, 1.0]}, ValueError, r"lie in \[0, 1\]; 2 of 4 values"),
        ({"y_proba": [0.5, np.nan, 0.5, 1.0]}, ValueError, "1 of 4 values do not"),
        ({"y_proba": [0.5, np.inf, 0.5, 1.0]}, ValueError, "not finite"),
        (
            {"y_proba": ["a", "b", "a", "b"]},
            TypeError,
            "y_proba must hold numbers.*what predict_proba",
        ),
        ({"sensitive_features": ["f"]}, ValueError, "sensitive_features has 1 samples"),
        ({"sensitive_features": ["f", None, "m", None]}, ValueError, "missing .* 2 of 4"),
        ({"sensitive_features": None}, TypeError, "sensitive_features is None"),
        ({"condition_on": "group"}, ValueError, "condition_on must be .* got 'group'"),
        ({"labels": [0, 1, 2]}, ValueError, "labels must name 2 different classes"),
        ({"labels": [[0, 1]]}, ValueError, "^labels must have one value"),
        ({"labels": [0, 0]}, ValueError, "labels must name 2 different classes"),
        ({"labels": [0, 7]}, ValueError, r"y_true holds \[1\], which labels \[0, 7\] do not name"),
    ],
)
def test_wrong_arguments(measure, changed, error, message):
    good = {"y_true": Y, "y_proba": P, "sensitive_features": G}
    with pytest.raises(error, match=message):
        measure(**{**good, **changed})


@pytest.mark.parametrize("n_classes", [2, 3])
def test_scorer_with_metadata_routing(n_classes):
    X, y = make_classification(
        300, n_classes=n_classes, n_informative=4, flip_y=0.2, random_state=0
    )
    race = np.where(X[:, 0] > 0, "a", "b")
    scorer = make_scorer(
        equalized_odds_unfairness, response_method="predict_proba", greater_is_better=False
    )
    with sklearn.config_context(enable_metadata_routing=True):
        scorer.set_score_request(sensitive_features=True)
        scores = cross_validate(
            LogisticRegression(),
            X,
            y,
            scoring={"eou": scorer},
            cv=3,
            params={"sensitive_features": pd.Series(race)},
            error_score="raise",
        )["test_eou"]
        model = LogisticRegression().fit(X, y)
        score = scorer(model, X, y, sensitive_features=race)
    assert scores.shape == (3,)
    assert ((scores < 0) & (scores >= -1)).all()
    expected = equalized_odds_unfairness(y, model.predict_proba(X), sensitive_features=race)
    assert score == pytest.approx(-expected)
