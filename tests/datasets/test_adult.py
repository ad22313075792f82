"""load_adult against the file read with the csv module."""

import csv
import gzip
import hashlib
import io
from collections import Counter
from importlib import resources

import pandas as pd
import pytest

from robfair.datasets import _adult, load_adult

FOLDER = resources.files("robfair.datasets").joinpath("data")
N_ROWS = {"train": 30_162, "test": 15_060, "all": 45_222}
NUMERIC = {
    "age",
    "fnlwgt",
    "education-num",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
}


@pytest.fixture(scope="module")
def rows():
    """Every row as a dict of strings, by a reader that shares no code with load_adult."""
    text = gzip.decompress(FOLDER.joinpath("adult.csv.gz").read_bytes()).decode()
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module", params=["train", "test", "all"])
def split(request):
    return request.param


@pytest.fixture(scope="module")
def adult(split):
    return load_adult(split=split)


def test_shapes(adult, split):
    n = N_ROWS[split]
    assert adult.data.shape == (n, 14)
    assert adult.target.shape == (n,)
    assert adult.sensitive_features.shape == (n, 2)
    assert adult.frame.shape == (n, 15)
    assert list(adult.data.columns) == adult.feature_names
    assert set(adult.target) == set(adult.target_names) == {"<=50K", ">50K"}


@pytest.mark.slow
def test_every_cell_is_that_of_the_file(adult, split, rows):
    expected = [row for row in rows if split in (row["split"], "all")]
    for name in adult.frame.columns:
        assert adult.frame[name].astype(str).tolist() == [row[name] for row in expected]
    pd.testing.assert_frame_equal(adult.frame[adult.feature_names], adult.data)
    pd.testing.assert_series_equal(adult.frame["income"], adult.target)


def test_counts_per_group(adult, split, rows):
    expected = [row for row in rows if split in (row["split"], "all")]
    for name in ("race", "sex"):
        counts = adult.sensitive_features[name].value_counts().to_dict()
        assert counts == Counter(row[name] for row in expected)


def test_the_counts_that_the_docstring_states():
    adult = load_adult()
    race = adult.sensitive_features["race"].value_counts()
    assert race.to_dict() == {
        "White": 25_933,
        "Black": 2_817,
        "Asian-Pac-Islander": 895,
        "Amer-Indian-Eskimo": 286,
        "Other": 231,
    }
    women = adult.target[adult.sensitive_features["sex"] == "Female"]
    assert (len(women), (women == ">50K").sum()) == (9_782, 1_112)


def test_dtypes(adult):
    numeric = {c for c in adult.data if pd.api.types.is_integer_dtype(adult.data[c])}
    categories = {c for c in adult.data if isinstance(adult.data[c].dtype, pd.CategoricalDtype)}
    assert numeric == NUMERIC
    assert categories == set(adult.feature_names) - NUMERIC


def test_categories_are_the_same_in_every_split():
    dtypes = [load_adult(split=split).data.dtypes for split in N_ROWS]
    assert dtypes[0].equals(dtypes[1])
    assert dtypes[0].equals(dtypes[2])
    # The value that is in the training rows only, which would break a naive reader.
    test_country = load_adult(split="test").data["native-country"]
    assert "Holand-Netherlands" in test_country.cat.categories
    assert "Holand-Netherlands" not in set(test_country)


def test_index_is_unique_and_shared_by_the_splits(adult):
    assert adult.frame.index.is_unique
    assert adult.data.index.equals(adult.target.index)
    assert adult.data.index.equals(adult.sensitive_features.index)
    train, test, both = (load_adult(split=split).target for split in ("train", "test", "all"))
    assert not set(train.index) & set(test.index)
    pd.testing.assert_series_equal(pd.concat([train, test]), both)


def test_sensitive_features_stay_in_data_and_leave_no_phantom_group(adult):
    race = adult.sensitive_features["race"]
    assert "race" in adult.data
    assert not isinstance(race.dtype, pd.CategoricalDtype)
    assert race[race == "Other"].value_counts().index.tolist() == ["Other"]
    assert (race == adult.data["race"].astype(str)).all()


def test_sensitive_features_may_be_one_name_or_a_numeric_column():
    assert list(load_adult(sensitive_features="sex").sensitive_features) == ["sex"]
    bunch = load_adult(split="test", sensitive_features=["age", "race"])
    assert list(bunch.sensitive_features) == ["age", "race"]
    assert pd.api.types.is_integer_dtype(bunch.sensitive_features["age"])


@pytest.mark.slow
def test_return_X_y_is_data_and_target(split):
    bunch = load_adult(split=split)
    X, y = load_adult(split=split, return_X_y=True)
    pd.testing.assert_frame_equal(X, bunch.data)
    pd.testing.assert_series_equal(y, bunch.target)


def test_changing_the_result_changes_nothing_else():
    bunch = load_adult(split="test")
    before = bunch.data["race"].copy(), bunch.target.copy()
    bunch.frame["income"] = "?"
    bunch.sensitive_features["race"] = "?"
    pd.testing.assert_series_equal(bunch.data["race"], before[0])
    pd.testing.assert_series_equal(bunch.target, before[1])
    pd.testing.assert_series_equal(load_adult(split="test").target, before[1])


def test_unknown_split():
    with pytest.raises(ValueError, match=r"'train', 'test', 'all'; got 'valid'"):
        load_adult(split="valid")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["race", "gender"], r"unknown columns \['gender'\]; available: age, workclass, .*race"),
        ("income", r"unknown columns \['income'\]"),
        ([], "is empty; available: age"),
        (["sex", "sex"], "twice"),
    ],
)
def test_wrong_sensitive_features(columns, message):
    with pytest.raises(ValueError, match=message):
        load_adult(sensitive_features=columns)


def test_the_hash_in_the_readme_is_the_one_that_is_checked():
    text = gzip.decompress(FOLDER.joinpath("adult.csv.gz").read_bytes())
    readme = FOLDER.joinpath("README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(text).hexdigest() == _adult._SHA256
    assert _adult._SHA256 in readme
    for needed in ("CC BY 4.0", "Becker", "Kohavi", "Ding", "fnlwgt"):
        assert needed in readme
    assert load_adult(split="test")["DESCR"] == readme


@pytest.mark.parametrize(
    "damage",
    [
        lambda raw: gzip.compress(gzip.decompress(raw).replace(b"Black", b"White", 1)),
        lambda raw: raw[:1000],
        lambda raw: b"not gzip at all",
        lambda raw: raw[:5000] + b"\xff" * 500 + raw[5500:],
    ],
    ids=["one word changed", "cut short", "not gzip", "bytes overwritten"],
)
def test_a_damaged_file_is_an_error(tmp_path, monkeypatch, damage):
    data = tmp_path / "data"
    data.mkdir()
    raw = FOLDER.joinpath("adult.csv.gz").read_bytes()
    (data / "adult.csv.gz").write_bytes(damage(raw))
    monkeypatch.setattr(_adult.resources, "files", lambda package: tmp_path)
    with pytest.raises(OSError, match="not the file that robfair was released with"):
        load_adult()
