"""The frames of an audit that hold labels fixed, against the measures of the rows concerned."""

import warnings

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from pandas.testing import assert_frame_equal
from sklearn.linear_model import LogisticRegression

from exported import strict
from robfair import audit, compare
from robfair.datasets import make_group_margins
from robfair.metrics import AUDIT_MEASURES, group_robustness, robustness_decomposition

DATA = make_group_margins(360, n_features=3, flip=(0.2, 0.1, 0.05), random_state=0)
RACE = pd.Series(np.array(["a", "b", "c"])[DATA.groups], name="race")
CLF = LogisticRegression().fit(DATA.X, DATA.y)
REGION = pd.Series(np.where(np.arange(360) % 3, "north", "south"), name="region")
MEASURES = [measure for measure in AUDIT_MEASURES if measure.key != "accuracy"]


def run(y=DATA.y, groups=RACE, model=CLF, **options):
    return audit(model, DATA.X, y, sensitive_features=groups, n_check=0, **options)


@pytest.mark.parametrize("tau_max", [None, 0.8])
def test_by_label_is_an_audit_of_the_rows_of_each_label(tau_max):
    result = run(tau_max=tau_max, confidence=0.9)
    assert result.by_label.index.names == ["label", "race"]
    columns = ["size", "accuracy", "mean_distance", "robustness", "lower", "upper"]
    assert result.by_label.columns.tolist() == columns
    for label in (0, 1):
        rows = label == DATA.y
        # With one label in y there is no boundary to report of: the measures are asked instead.
        table = group_robustness(
            DATA.y[rows], result.distances.predicted[rows],
            distance=result.distances.distance[rows], sensitive_features=RACE[rows],
            tau_max=tau_max, confidence_level=0.9,
        )  # fmt: skip
        assert_allclose(result.by_label.loc[label, columns[3:]], table)
        right = pd.Series(DATA.y == result.distances.predicted)[rows].groupby(RACE[rows])
        assert_allclose(result.by_label.loc[label, "accuracy"], right.mean())
        assert result.by_label.loc[label, "size"].tolist() == right.count().tolist()
    product = result.by_label["accuracy"] * result.by_label["mean_distance"]
    assert_allclose(product, result.by_label["robustness"])


def test_control_features_take_the_place_of_labels():
    result = run(control_features=REGION)
    assert result.by_label.index.names == ["region", "race"]
    for region in ("north", "south"):
        rows = (region == REGION).to_numpy()
        alone = audit(CLF, DATA.X[rows], DATA.y[rows], sensitive_features=RACE[rows], n_check=0)
        columns = alone.by_group.columns[:6]
        assert_allclose(result.by_label.loc[region], alone.by_group[columns])
    both = run(control_features=pd.DataFrame({"region": REGION, "y": DATA.y}))
    assert both.by_label.index.names == ["region", "y", "race"]
    assert len(both.by_label) == 2 * 2 * 3
    assert run(control_features=REGION.to_numpy()).by_label.index.names == ["control", "race"]
    assert_frame_equal(result.by_group.iloc[:, :7], run().by_group.iloc[:, :7])


@pytest.mark.parametrize("control", [None, REGION])
def test_standardised_measures_and_parts_are_those_of_the_functions(control):
    result = run(control_features=control)
    strata = DATA.y if control is None else control
    predicted = result.distances.predicted
    given = {"distance": result.distances.distance, "sensitive_features": RACE}
    assert result.standardized.index.tolist() == [measure.symbol for measure in MEASURES]
    for measure in MEASURES:
        value = measure.function(
            DATA.y, predicted, **given, standardize_by=strata, confidence_level=0.95
        )
        row = result.standardized.loc[measure.symbol]
        assert row["value"] == pytest.approx(float(value))
        assert_allclose(row[["lower", "upper"]].astype(float), value.interval)
        assert np.isnan(row["corrected"]) == (not measure.corrects)
    parts = robustness_decomposition(DATA.y, predicted, **given, control_features=control)
    assert_frame_equal(result.decomposition, parts)
    rob = result.by_group["robustness"]
    assert_allclose(parts.iloc[:, 1:].sum(axis=1), rob - rob.mean())


def test_one_value_of_the_control_feature_gives_the_plain_measures():
    result = run(control_features=np.ones(360))
    assert_frame_equal(result.standardized, result.overall.drop("accuracy"))
    assert_frame_equal(
        result.by_label.droplevel("control"), result.by_group.loc[:, :"upper"], check_exact=True
    )
    assert_allclose(result.decomposition["label_mix"], 0)
    assert "Groups within" not in str(result)


def test_names_of_labels_do_not_matter():
    model = LogisticRegression().fit(DATA.X, np.array(["no", "yes"])[DATA.y])
    named = run(y=np.array(["no", "yes"])[DATA.y], model=model)
    plain = run()
    assert_allclose(named.by_label, plain.by_label)
    assert_allclose(named.standardized, plain.standardized)
    assert named.verdict() == plain.verdict().replace("labelled 1", "labelled yes").replace(
        "labelled 0", "labelled no"
    )


def test_empty_cells_are_there_and_named():
    y = np.where((RACE == "b") & (DATA.y == 1), 0, DATA.y)
    result = run(y=y)
    assert result.by_label.loc[(1, "b"), "size"] == 0
    assert np.isnan(result.by_label.loc[(1, "b")].iloc[1:]).all()
    assert result.standardized.isna().all(axis=None)
    text = " ".join(str(result).split())
    assert "same mix of labels are unknown, since there are no rows of 1 / b." in text
    assert "as if every group" not in text
    assert result.decomposition.notna().all(axis=None)
    record = strict(result.to_json())
    assert record["standardized"]["V_f"]["value"] is None
    assert record["by_label"][4] == {
        "label": 1, "group": "b", "size": 0, **dict.fromkeys(result.by_label.columns[1:])
    }  # fmt: skip
    assert "1 / b" in result.to_markdown()


def test_a_label_with_one_row_in_a_group_has_no_intervals():
    y = DATA.y.copy()
    rows = np.flatnonzero((RACE == "b") & (y == 1))[1:]
    y[rows] = 0
    result = run(y=y)
    assert result.by_label.loc[(1, "b"), "size"] == 1
    assert result.standardized["value"].notna().all()
    assert result.standardized[["lower", "upper"]].isna().all(axis=None)


def test_one_class_in_all_rows_is_like_no_label():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = run(y=np.zeros(360, dtype=int))
    assert result.by_label.index.get_level_values("label").unique().tolist() == [0]
    assert_frame_equal(result.standardized, result.overall.drop("accuracy"))
    assert "label" not in str(result)


@pytest.mark.parametrize(
    ("control", "message"),
    [
        (np.arange(360.0), r"control_features has 360 groups .* pd\.cut"),
        (REGION[:9], "control_features has 9 samples"),
        (REGION.where(REGION != "north"), r"control_features is missing \(NaN or None\) for 240"),
    ],
)
def test_errors_come_before_any_work(control, message):
    class Untouched(LogisticRegression):
        def predict(self, X):
            raise AssertionError

    with pytest.raises(ValueError, match=message):
        run(model=Untouched().fit(DATA.X, DATA.y), control_features=control)


def test_json_holds_the_rows_of_each_label():
    result = run(groups=pd.DataFrame({"race": RACE, "region": REGION}))
    record = strict(result.to_json())
    assert record["control_features"] == ["label"]
    for row, (key, numbers) in zip(record["by_label"], result.by_label.iterrows(), strict=True):
        assert [row.pop("label"), *row.pop("group")] == list(key)
        assert row == numbers.to_dict()
    assert record["standardized"]["CV"]["value"] == result.standardized.loc["CV", "value"]
    assert [row["label_mix"] for row in record["decomposition"]] == (
        result.decomposition["label_mix"].tolist()
    )


def test_a_comparison_has_the_rows_of_each_model():
    both = compare(
        {"one": CLF, "two": CLF}, DATA.X, DATA.y, sensitive_features=RACE, n_check=0,
        control_features=REGION,
    )  # fmt: skip
    assert both.by_label.index.names == ["model", "region", "race"]
    assert both.standardized.loc["two", "CV"] == both.audits["one"].standardized["value"]["CV"]
    text = str(both)
    assert "As if every group had the same mix" in text
    assert both.to_markdown().count("| model ") == 2
