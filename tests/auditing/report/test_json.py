"""Audits as JSON: every number of the tables, in a form that other languages read."""

import json

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from robfair import audit, compare
from robfair.auditing.report._json import plain
from robfair.datasets import make_group_margins

DATA = make_group_margins(150, n_features=3, flip=(0.2, 0.1, 0.0), random_state=0)
CLF = LogisticRegression().fit(DATA.X, DATA.y)
GROUPS = np.array(["a|b", "<b>", "c_c"])[DATA.groups]


@pytest.fixture(scope="module")
def result():
    return audit(CLF, DATA.X, DATA.y, sensitive_features=GROUPS, n_boot=20, certify=True)


@pytest.fixture(scope="module")
def comparison():
    return compare({"one": CLF, "two": CLF}, DATA.X, DATA.y, sensitive_features=GROUPS, n_boot=None)


def strict(text):
    """Read JSON as other languages do, which know no NaN."""

    def refuse(constant):
        raise AssertionError(constant)

    return json.loads(text, parse_constant=refuse)


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
    crossed = audit(CLF, DATA.X, DATA.y, sensitive_features=frame, n_boot=None, n_check=0)
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
