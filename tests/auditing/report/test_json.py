"""Audits as JSON: every number of the tables, in a form that other languages read."""

import json

import numpy as np
import pandas as pd

from exported import CLF, DATA, GROUPS, strict
from robfair import audit
from robfair.auditing.report._json import plain


def test_json_holds_the_tables(result):
    read = strict(result.to_json())
    assert read["verdict"] == result.verdict()
    assert read["n_samples"] == 150
    for name, row in result.overall.iterrows():
        for column, value in row.items():
            told = read["overall"][name][column]
            assert told == value or (told is None and np.isnan(value))
    for (group, row), told in zip(result.by_group.iterrows(), read["by_group"], strict=True):
        assert told.pop("group") == group
        assert told == row.to_dict()
    assert read["examples"] == result.examples.to_dict(orient="records")
    assert read["status"] == result.distances.counts()
    assert read["passes"] == {"forward": result.distances.n_forward.sum(), "backward": 0}
    assert read["settings"]["random_state"] == 0
    assert set(read["settings"]["versions"]) > {"robfair", "torch", "scikit-learn", "numpy"}


def test_json_of_crossed_columns_with_names_of_ours():
    frame = pd.DataFrame({"size": GROUPS, "group": np.arange(150) % 2})
    crossed = audit(CLF, DATA.X, DATA.y, sensitive_features=frame, confidence=None, n_check=0)
    read = strict(crossed.to_json())
    assert read["sensitive_features"] == ["size", "group"]
    assert read["by_group"][0]["group"] == ["<b>", 0]
    assert read["by_group"][0]["size"] == crossed.by_group["size"].iloc[0]


def test_json_of_a_comparison(comparison):
    read = strict(comparison.to_json())
    assert [model["name"] for model in read["models"]] == ["one", "two"]
    assert read["models"][0]["overall"]["V_f"]["value"] == comparison.overall["V_f"]["one"]
    assert read["models"][0]["overall"]["V_f"]["lower"] is None


def test_values_that_json_does_not_know():
    values = {1: [np.float64("inf"), np.nan, -np.inf], "t": (np.int64(3), np.bool_(True), None)}
    expected = {"1": ["inf", None, "-inf"], "t": [3, True, None]}
    assert strict(json.dumps(plain(values), allow_nan=False)) == expected
    assert plain(pd.Timestamp("2020-01-02")) == "2020-01-02 00:00:00"
