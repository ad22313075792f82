import enum

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from robfair._groups import encode_groups
from robfair.exceptions import GroupsWarning

RACE = ["b", "a", "b", "c"]
SEX = [0, 1, 0, 0]


def names(features):
    groups = encode_groups(features, 4)
    return [groups.labels[code] for code in groups.codes]


@pytest.mark.parametrize(
    "container",
    [
        list,
        tuple,
        np.array,
        lambda v: np.array(v, dtype=object),
        pd.Series,
        lambda v: pd.Series(v, index=[7, 7, 3, 1]),
        lambda v: pd.Series(v, dtype="category"),
        pd.Categorical,
        pd.Index,
        lambda v: pd.DataFrame({"race": v}),
        pl.Series,
        lambda v: pl.Series(v).cast(pl.Categorical),
        lambda v: pl.DataFrame({"race": v}),
    ],
)
def test_one_column_in_any_container(container):
    groups = encode_groups(container(RACE), 4)
    assert list(groups.labels) == ["a", "b", "c"]
    assert groups.codes.tolist() == [1, 0, 1, 2]
    assert len(groups) == 3


@pytest.mark.parametrize("container", [list, np.array, pd.Series, pl.Series, torch.tensor])
def test_numbers_as_labels(container):
    groups = encode_groups(container(SEX), 4)
    assert list(groups.labels) == [0, 1]
    assert all(type(label) is int for label in groups.labels)


@pytest.mark.parametrize(
    "container",
    [
        lambda r, s: pd.DataFrame({"race": r, "sex": s}, index=[9, 9, 1, 0]),
        lambda r, s: pl.DataFrame({"race": r, "sex": s}),
        lambda r, s: list(zip(r, s, strict=True)),
        lambda r, s: np.array([r, s], dtype=object).T,
    ],
)
def test_columns_are_crossed(container):
    features = container(RACE, SEX)
    groups = encode_groups(features, 4)
    assert isinstance(groups.labels, pd.MultiIndex)
    assert list(groups.labels) == [("a", 1), ("b", 0), ("c", 0)]
    assert names(features) == [("b", 0), ("a", 1), ("b", 0), ("c", 0)]


def test_names_of_columns_are_kept():
    assert encode_groups(pd.Series(RACE, name="race"), 4).labels.name == "race"
    assert encode_groups(pl.Series("race", RACE), 4).labels.name == "race"
    assert encode_groups(np.array(RACE), 4).labels.name is None
    assert encode_groups(torch.tensor(SEX), 4).labels.name is None
    frame = pd.DataFrame({"race": RACE, "sex": SEX})
    assert encode_groups(frame, 4).labels.names == ["race", "sex"]


def test_duplicate_column_names():
    frame = pd.DataFrame(np.array([RACE, RACE]).T, columns=["x", "x"])
    assert names(frame) == [("b", "b"), ("a", "a"), ("b", "b"), ("c", "c")]


def test_categorical_keeps_its_order_and_leaves_out_what_is_not_used():
    with pytest.warns(GroupsWarning, match=r"1 of 4 categories .* left out: 'z'") as record:
        groups = encode_groups(pd.Categorical(RACE, categories=["c", "z", "b", "a"]), 4)
    assert len(record) == 1
    assert list(groups.labels) == ["c", "b", "a"]
    assert groups.codes.tolist() == [1, 2, 1, 0]


def test_crossed_categories_are_the_combinations_that_occur():
    frame = pd.DataFrame({"race": pd.Categorical(RACE, categories=[*"cba", "z"]), "sex": SEX})
    with pytest.warns(GroupsWarning, match="left out: 'z'") as record:
        groups = encode_groups(frame, 4)
    assert len(record) == 1
    assert list(groups.labels) == [("c", 0), ("b", 0), ("a", 1)]
    assert groups.codes.tolist() == [1, 2, 1, 0]


def test_groups_that_are_encoded_stay_as_they_are():
    groups = encode_groups(RACE, 4)
    assert encode_groups(groups, 4) is groups
    with pytest.raises(ValueError, match="has 4 samples and y_true has 3"):
        encode_groups(groups, 3)


@pytest.mark.parametrize(
    "names",
    [
        ["male", "male "],
        ["Jos\u00e9", "Jose\u0301"],  # composed, decomposed
        ["New York", "New\u00a0York"],  # a blank that does not break
        ["female", "\ufefffemale"],  # the mark at the start of a file
        [1, "1"],
        pd.Categorical(["a", "a\u200b"]),
    ],
)
def test_names_that_look_alike(names):
    with pytest.warns(GroupsWarning, match="look alike") as record:
        groups = encode_groups(names, 2)
    assert len(record) == 1
    assert len(groups) == 2


def test_a_missing_value_that_numpy_made_a_text():
    with pytest.warns(GroupsWarning, match="a group named 'nan', which is how a missing value"):
        encode_groups(np.array(["a", "b", np.nan]), 3)
    with pytest.warns(GroupsWarning, match="a group named '<NA>'"):
        encode_groups(pd.Series(["a", None], dtype="string").astype(str).fillna("<NA>"), 2)


@pytest.mark.parametrize(
    "names", [["male", "Male"], ["a.", "a"], ["None", "NA"], [1, 10], [True, False], [1.5, 1.25]]
)
def test_names_that_differ_for_everybody(names):
    assert len(encode_groups(names, 2)) == 2


class Race(enum.Enum):
    B = "b"
    A = "a"


@pytest.mark.parametrize(
    ("features", "labels"),
    [
        ({"race": RACE}, ["a", "b", "c"]),
        (pa.table({"race": RACE}), ["a", "b", "c"]),
        (pa.array(RACE), ["a", "b", "c"]),
        (pa.chunked_array([RACE[:1], RACE[1:]]).dictionary_encode(), ["b", "a", "c"]),
        (pd.Series(RACE, dtype="string[pyarrow]"), ["a", "b", "c"]),
        (pd.Series(SEX, dtype="int64[pyarrow]"), [0, 1]),
        (pl.Series(RACE, dtype=pl.Enum(["c", "b", "a", "z"])), ["a", "b", "c"]),
        (np.array([(r,) for r in RACE], dtype=[("race", "U1")]), ["a", "b", "c"]),
        ([Race.B, Race.A, Race.B, Race.B], [Race.A, Race.B]),  # which Python cannot sort
        (np.ma.masked_array(SEX, mask=False), [0, 1]),
    ],
)
def test_further_containers(features, labels):
    groups = encode_groups(features, 4)
    assert list(groups.labels) == labels
    given = [Race.B, Race.A, Race.B, Race.B] if labels[0] is Race.A else RACE
    named = [groups.labels[code] for code in groups.codes]
    assert named == (SEX if labels == [0, 1] else given)


AGES = np.linspace(18, 90, 240)


@pytest.mark.parametrize(
    "features",
    [
        AGES,
        AGES[:11].round(1),
        np.arange(240) % 51,
        [f"zip {i % 60}" for i in range(240)],
        pd.DataFrame({"age": np.arange(240) % 9, "job": np.arange(240) % 10}),
        pd.Series(range(240)).astype("category"),  # one for each row
    ],
)
def test_too_many_groups(features):
    with pytest.raises(ValueError, match=r"has \d+ groups for \d+ samples.*pd\.cut\("):
        encode_groups(features, len(features))


@pytest.mark.parametrize(
    "features",
    [
        np.arange(240) % 50,
        pd.Categorical(np.arange(240) % 60),  # which says that all are meant
        pd.cut(AGES, [0, 30, 50, 120]),
        list("abcdefghij"),
    ],
)
def test_many_groups_that_may_be_meant(features):
    assert len(encode_groups(features, len(features))) == len(set(features))


def test_there_may_be_any_number_of_classes():
    assert len(encode_groups(np.arange(240) % 100, 240, "y_true")) == 100


def test_labels_of_mixed_types():
    groups = encode_groups([1, "a", 1, "b"], 4)
    assert list(groups.labels) == [1, "a", "b"]


@pytest.mark.parametrize(
    "features",
    [
        ["a", None, "b", None],
        ["a", np.nan, "b", np.nan],
        [0.0, np.nan, 1.0, np.nan],
        pd.Series([1, None, 2, None], dtype="Int64"),
        pd.Categorical(["a", None, "b", None]),
        pl.Series(["a", None, "b", None]),
        pd.DataFrame({"race": ["a", None, "b", "b"], "sex": [1.0, 2.0, 2.0, np.nan]}),
        pl.DataFrame({"race": ["a", None, "b", "b"], "sex": [1, 2, 2, None]}),
        np.ma.masked_array([1, 2, 9, 9], mask=[0, 0, 1, 1]),
        np.ma.masked_array(["a", "b", "x", "x"], mask=[0, 0, 1, 1]),
        np.ma.masked_array([[1, 2], [1, 9], [9, 2], [1, 1]], mask=[[0, 0], [0, 1], [1, 0], [0, 0]]),
        ["a", np.ma.masked, "b", np.ma.masked],
        pd.Series(["a", pd.NA, "b", pd.NaT], dtype=object),
        pd.Series(["a", None, "b", None], dtype="string[pyarrow]"),
        pa.array(["a", None, "b", None]),
    ],
)
def test_missing_labels(features):
    with pytest.raises(ValueError, match=r"missing \(NaN or None\) for 2 of 4 .*fillna"):
        encode_groups(features, 4)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ("race", r"must have shape .* got a str of shape \(\)"),
        (np.zeros((4, 1, 1)), r"got a ndarray of shape \(4, 1, 1\)"),
        (np.zeros((4, 0)), "has no columns"),
        (pd.DataFrame(index=range(4)), "has no columns"),
        (["a", "b"], "has 2 samples and y_true has 4"),
        (np.zeros((2, 2)), "has 2 samples and y_true has 4"),
        (pd.DataFrame({"race": ["a"]}), "has 1 samples and y_true has 4"),
        (pl.DataFrame({"race": ["a"]}), "has 1 samples and y_true has 4"),
        (pd.Categorical(["a"]), "has 1 samples and y_true has 4"),
    ],
)
def test_wrong_shape(features, message):
    with pytest.raises(ValueError, match=message):
        encode_groups(features, 4)


def test_none():
    with pytest.raises(TypeError, match="race is None"):
        encode_groups(None, 4, "race")
