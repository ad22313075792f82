"""The groups that `fit` takes, under both names."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from robfair import AdversarialClassifier, FarmurClassifier, NaturalClassifier
from robfair.estimators._groups import encode_fit_groups
from robfair.exceptions import GroupsWarning
from robfair.training import Farmur

Y = np.array([0, 0, 1, 1])
CLASSES = np.array(["n", "y"])
RACE = ["b", "a", "b", "a"]


def encode(groups=None, sensitive_features=None, compared=True):
    return encode_fit_groups(
        FarmurClassifier(), groups, sensitive_features, Y, CLASSES, compared=compared
    )


@pytest.mark.parametrize("wrap", [list, np.array, pd.Series, pl.Series, pd.Categorical])
@pytest.mark.parametrize("name", ["groups", "sensitive_features"])
def test_either_name_and_any_container(wrap, name):
    codes, labels = encode(**{name: wrap(RACE)})
    assert codes.tolist() == [1, 0, 1, 0]
    assert labels.tolist() == ["a", "b"]


def test_both_names_with_equal_content():
    codes, labels = encode(pd.Series(RACE, name="race", index=list("wxyz")), np.array(RACE))
    assert codes.tolist() == [1, 0, 1, 0]
    assert labels.tolist() == ["a", "b"]


@pytest.mark.parametrize("other", [["a", "b", "b", "a"], ["c", "a", "c", "a"], list("abcd")])
@pytest.mark.parametrize("compared", [True, False])
def test_both_names_must_agree(other, compared):
    with pytest.raises(ValueError, match=r"groups and sensitive_features are two names.*differ"):
        encode(RACE, other, compared)


def test_columns_are_crossed():
    frame = pd.DataFrame({"race": RACE, "sex": ["f", "f", "m", "f"]})
    codes, labels = encode(frame)
    assert labels.tolist() == [("a", "f"), ("b", "f"), ("b", "m")]
    assert labels.names == ["race", "sex"]
    assert codes.tolist() == [1, 0, 2, 0]


def test_without_groups_the_classes_are_the_groups():
    with pytest.warns(GroupsWarning, match=r"FarmurClassifier.fit got no groups.*groups=y"):
        codes, labels = encode()
    assert codes is Y
    assert labels.tolist() == ["n", "y"]
    assert encode(compared=False)[1].tolist() == ["n", "y"]  # nobody is compared: no warning


def test_the_warning_points_at_the_call(data):
    settings = {"hidden_layer_sizes": [6], "max_epochs": 2, "n_steps": 1, "random_state": 0}
    settings |= {"lr": 0.05, "batch_size": 20}
    for clf in (
        FarmurClassifier(retrain_epochs=1, **settings),
        AdversarialClassifier(strategy=Farmur(1), **settings),
    ):
        with pytest.warns(GroupsWarning) as record:
            clf.fit(data.X, data.y)
        assert record[0].filename == __file__


def test_groups_equal_to_y_are_silent(data):
    settings = {"hidden_layer_sizes": [3], "max_epochs": 1, "n_steps": 1, "random_state": 0}
    clf = FarmurClassifier(retrain_epochs=1, **settings).fit(data.X, data.y, groups=data.y)
    assert clf.groups_.tolist() == [0, 1]


@pytest.mark.parametrize("name", ["groups", "sensitive_features"])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "b", "a"], "has 3 samples"),
        (["a", "b", None, "a"], r"missing \(NaN or None\) for 1 of 4"),
        ([0.0, np.nan, 1.0, np.nan], r"missing \(NaN or None\) for 2 of 4"),
        (pd.Categorical(["a", None, "b", "b"]), r"missing \(NaN or None\) for 1 of 4"),
        (np.zeros((4, 2, 2)), r"\(n_samples, n_columns\)"),
        ("race", "shape"),
    ],
)
def test_bad_groups(name, values, message):
    with pytest.raises(ValueError, match=message) as error:
        encode(**{name: values})
    assert name in str(error.value)


def test_one_group():
    with pytest.raises(ValueError, match=r"FarmurClassifier compares groups.*only one \('a'\)"):
        encode(["a"] * 4)
    assert encode(["a"] * 4, compared=False)[1].tolist() == ["a"]


def test_an_unused_category_is_left_out():
    race = pd.Categorical(RACE, categories=["a", "b", "c", "d"])
    for compared in (True, False):
        with pytest.warns(GroupsWarning, match="left out: 'c', 'd'") as record:
            codes, labels = encode(race, compared=compared)
        assert len(record) == 1
        assert labels[codes].tolist() == list(RACE)


def test_groups_of_the_others_are_kept_too(data):
    names = np.array(["x", "y", "z"])[data.groups]
    settings = {"hidden_layer_sizes": [3], "max_epochs": 1}
    for clf in (NaturalClassifier(**settings), AdversarialClassifier(n_steps=1, **settings)):
        clf.fit(data.X, data.y, sensitive_features=names)
        assert clf.groups_.tolist() == ["x", "y", "z"]
        assert clf.fit(data.X, data.y).groups_.tolist() == [0, 1]
