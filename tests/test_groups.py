import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from robfair._groups import encode_groups

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


def test_categorical_keeps_declared_categories_and_their_order():
    groups = encode_groups(pd.Categorical(RACE, categories=["c", "z", "b", "a"]), 4)
    assert list(groups.labels) == ["c", "z", "b", "a"]
    assert groups.codes.tolist() == [2, 3, 2, 0]


def test_crossed_categorical_declares_every_combination():
    frame = pd.DataFrame({"race": pd.Categorical(RACE), "sex": SEX})
    groups = encode_groups(frame, 4)
    assert list(groups.labels) == [(r, s) for r in "abc" for s in (0, 1)]
    assert groups.codes.tolist() == [2, 1, 2, 4]


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
