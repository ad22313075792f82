"""Files and options as arguments of an audit."""

import argparse

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from robfair import ThreatModel
from robfair.cli._errors import BadInput
from robfair.cli._task import prepare


@pytest.fixture
def task(files):
    """Prepare an audit of people.csv; options replace those of the command line."""

    def make(model="plain.skops", data="people.csv", **options):
        defaults = {
            "model": files / model, "data": files / data, "target": "income",
            "sensitive": ["race"], "control": None, "favorable": None, "cross": False,
            "features": None, "max_rows": None, "encoding": "utf-8", "sep": None,
            "resume": None, "discover": False,
            "mutable": None, "immutable": None, "norm": "2",
            "space": "columns", "certify": False, "seed": 0, "trust": [], "architecture": None,
            "classes": None,
        }  # fmt: skip
        return prepare(argparse.Namespace(**defaults | options))

    return make


def test_the_table_of_the_model_in_its_order(task, people):
    made = task()
    assert made.X.equals(people[["age", "hours"]])
    assert_array_equal(made.y, people["income"])
    assert made.partitions["race"].tolist() == people["race"].tolist()
    assert made.missing == {}
    bare = task("bare.skops", features=["age", "hours"])
    assert_array_equal(bare.X, people[["age", "hours"]].to_numpy())


def test_partitions_are_each_column_and_on_request_their_combinations(task):
    made = task(sensitive=["race", "sex", "race"], cross=True)
    assert list(made.partitions) == ["race", "sex", "race x sex"]
    assert isinstance(made.partitions["race x sex"], pd.DataFrame)
    with pytest.raises(BadInput, match="--cross needs several --sensitive columns"):
        task(cross=True)


def test_a_sample_takes_the_same_rows_of_all(task, people):
    made = task(max_rows=50, seed=3)
    assert len(made.X) == len(made.y) == len(made.partitions["race"]) == 50
    joined = made.X.assign(income=made.y, race=made.partitions["race"])
    columns = ["age", "hours", "income", "race"]
    assert set(map(tuple, joined[columns].to_numpy())) <= set(
        map(tuple, people[columns].to_numpy())
    )
    assert made.source.startswith("50 of 240 rows of ")
    assert made.source.endswith("drawn at random with seed 3")


@pytest.mark.parametrize(
    ("options", "mask"),
    [
        ({}, [True, True]),
        ({"mutable": ["hours"]}, [False, True]),
        ({"immutable": ["hours"]}, [True, False]),
    ],
)
def test_the_threat_model_of_a_plain_model(task, options, mask):
    made = task(norm="inf", **options).threat_model
    assert made.norm == np.inf
    assert made.mutable.tolist() == mask
    assert made.table is not None  # integers move by integers
    plain = task(norm="inf", space="features", **options).threat_model
    assert plain == ThreatModel(np.inf, mutable=mask if options else None)


def test_the_threat_model_of_a_pipeline_knows_its_columns(task):
    made = task("logistic.skops", mutable=["hours", "job"]).threat_model
    assert list(made.mutable_columns) == ["hours", "job"]


def test_missing_values_are_counted_by_column(task, people, tmp_path):
    people.assign(age=people["age"].where(people["age"] > 20)).to_csv(
        tmp_path / "gaps.csv", index=False
    )
    n = int((people["age"] <= 20).sum())
    assert n > 0
    assert task(data=tmp_path / "gaps.csv").missing == {"age": n}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mutable": ["hour"]}, "--mutable names 'hour', which the model does not take. Did you"),
        ({"features": ["age"]}, "--features is for models that know no column names"),
        ({"classes": ["a", "b"]}, "--classes is for weights with --architecture"),
        ({"target": "job"}, "labels that the model does not know: "),
    ],
)
def test_what_does_not_fit_is_refused(task, options, message):
    with pytest.raises(BadInput, match=message):
        task(**options)
