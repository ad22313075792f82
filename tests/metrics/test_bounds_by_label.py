"""Certified bounds within control features, and standardised."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robfair.exceptions import UndefinedMetricWarning
from robfair.metrics import certified_ordering, group_robustness_bounds, robustness_bounds

# Each with what its warnings call it, and its rows.
BOUNDS = {
    group_robustness_bounds: ("Rob(P) of the groups concerned", "group"),
    robustness_bounds: ("Each measure across groups", "measure"),
    certified_ordering: ("Rob(P) of the groups concerned", "group"),
}


def by_label(n=120, seed=0):
    rng = np.random.default_rng(seed)
    rows = pd.DataFrame({
        "y": rng.integers(0, 2, n), "group": rng.choice(list("abc"), n),
        "sex": rng.choice(["f", "m"], n), "distance": rng.exponential(1.0, n),
    })  # fmt: skip
    rows["distance"] *= np.where(rows["group"] == "a", 0.2, 1.0)
    rows["lower"] = rows["distance"] * rng.uniform(0.7, 1.0, n)
    rows["pred"] = np.where(rng.random(n) < 0.2, 1 - rows["y"], rows["y"])
    return rows


def call(bounds, rows, **keywords):
    return bounds(
        rows["y"], rows["pred"], distance=rows["distance"], lower=rows["lower"],
        sensitive_features=rows["group"], **keywords,
    )  # fmt: skip


@pytest.mark.parametrize("feature", ["y_true", "sex"])
def test_within_each_value_the_bounds_are_those_of_its_rows(feature):
    rows = by_label()
    column = "y" if feature == "y_true" else feature
    keywords = {"control_features": feature if feature == "y_true" else rows[feature]}
    for bounds in BOUNDS:
        table = call(bounds, rows, **keywords)
        assert table.index.names == [column, BOUNDS[bounds][1]]
        for value, part in rows.groupby(column):
            pd.testing.assert_frame_equal(
                table.loc[value], call(bounds, part), check_names=False, check_index_type=False
            )


def test_standardised_bounds_against_pandas():
    rows = by_label()
    groups = call(group_robustness_bounds, rows, standardize_by="y_true")
    for end, column in (("low", "lower"), ("high", "distance")):
        rows["value"] = np.where(rows["pred"] == rows["y"], rows[column], 0.0)
        within = rows.groupby(["group", "y"])["value"].mean().unstack()
        expected = (within * rows["y"].value_counts(normalize=True)).sum(axis=1)
        assert groups[end].tolist() == pytest.approx(expected.tolist())
    table = call(robustness_bounds, rows, standardize_by="y_true")
    assert table.loc["Rob(f)"].tolist() == pytest.approx(groups.mean().tolist())
    assert table.loc["worst group"].tolist() == pytest.approx(groups.min().tolist())
    ordering = call(certified_ordering, rows, standardize_by="y_true")
    for a, b in [("a", "b"), ("b", "c"), ("c", "a")]:
        assert ordering.loc[a, b] == (groups.loc[a, "high"] < groups.loc[b, "low"])
    assert ordering.loc["a"].any()


@pytest.mark.parametrize("bounds", BOUNDS)
@given(seed=st.integers(0, 1000))
def test_one_value_or_stratum_changes_no_bit(bounds, seed):
    rows = by_label(20, seed)
    one = ["all"] * len(rows)
    plain = call(bounds, rows)
    pd.testing.assert_frame_equal(call(bounds, rows, standardize_by=one), plain, rtol=0)
    inside = call(bounds, rows, control_features=one).loc["all"]
    pd.testing.assert_frame_equal(inside, plain, rtol=0, check_names=False)


@pytest.mark.parametrize("bounds", BOUNDS)
def test_an_empty_cell_is_named_in_one_warning(bounds):
    rows = by_label()
    rows = rows[(rows["group"] != "b") | (rows["y"] == 0)]
    name = re.escape(BOUNDS[bounds][0])
    message = f"^{name} is undefined .* 1 of 6 groups have no samples: 'b' where y is 1"
    for more in ({"control_features": rows["y"]}, {"standardize_by": "y_true"}):
        with pytest.warns(UndefinedMetricWarning, match=message) as record:
            table = call(bounds, rows, **more)
        assert len(record) == 1
        if "control_features" in more:
            assert table.loc[0].notna().all(axis=None)
            table = table.loc[1]
        if bounds is group_robustness_bounds:
            assert table.isna().all(axis=1).tolist() == [False, True, False]
        elif bounds is robustness_bounds:
            assert table.isna().all(axis=None)
        else:
            assert not table["b"].any()
            assert not table.loc["b"].any()
