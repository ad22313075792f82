import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from robfair import ThreatModel

NUMERIC = [
    "passthrough",
    StandardScaler(),
    MinMaxScaler(),
    make_pipeline(SimpleImputer(), RobustScaler()),
]
CATEGORICAL = [
    OneHotEncoder(),
    OneHotEncoder(drop="first"),
    OneHotEncoder(drop="if_binary", sparse_output=False),
    OrdinalEncoder(),
    make_pipeline(OrdinalEncoder(), StandardScaler()),
    make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder()),
]
WORDS = ["", "a", "b", "ß", "long word"]


def dense(rows):
    return rows.toarray() if hasattr(rows, "toarray") else np.asarray(rows)


@st.composite
def column(draw, n):
    """A kind, and a column of it that does not hold one value only."""
    kind = draw(st.sampled_from(["int64", "int8", "float64", "Int64", "str", "category", "bool"]))
    values = {
        "int64": st.integers(-(10**6), 10**6),
        "int8": st.integers(-100, 100),
        "Int64": st.integers(0, 9),
        "float64": st.integers(-4000, 4000).map(lambda k: k / 8),
        "bool": st.booleans(),
    }.get(kind, st.sampled_from(WORDS))
    cells = draw(st.lists(values, min_size=n, max_size=n).filter(lambda c: len(set(c)) > 1))
    return pd.Series(cells, dtype=object if kind == "str" else kind)


@st.composite
def tables(draw):
    """A table and a transformer fitted on it."""
    n = draw(st.integers(2, 6))
    columns = draw(st.lists(column(n), min_size=1, max_size=4))
    index = draw(st.permutations(range(n)))
    X = pd.DataFrame({f"c{i}": c for i, c in enumerate(columns)}).set_axis(index)
    parts = []
    for name in X:
        is_bool = X[name].dtype == bool
        is_number = pd.api.types.is_numeric_dtype(X[name]) and not is_bool
        # An encoder may take a number apart too; imputers refuse booleans.
        options = [*(NUMERIC * 2 if is_number else []), *CATEGORICAL[: 5 if is_bool else 6]]
        choice = draw(st.sampled_from(options))
        parts.append((f"t_{name}", choice, [name]))
    parts = draw(st.permutations(parts))
    return X, ColumnTransformer(parts).fit(X)


@pytest.mark.slow
@settings(max_examples=25)
@given(table=tables(), data=st.data())
def test_round_trip(table, data):
    X, encode = table
    model = ThreatModel.from_transformer(encode, X)
    rows = dense(encode.transform(X))
    model.check(rows)

    same = model.as_rows(rows, X)
    assert (same.pop("changed") == "").all()
    pd.testing.assert_frame_equal(same, X)

    read = model.as_rows(rows, rows)
    assert (read.pop("changed") == "").all()
    pd.testing.assert_frame_equal(read, X.reset_index(drop=True))

    # Each column moves to what another row holds.
    goal = X.copy()
    for name in X:
        goal[name] = X[name].to_numpy()[data.draw(st.permutations(range(len(X))))]
    goal = goal.astype(X.dtypes)
    moved = model.as_rows(dense(encode.transform(goal)), X)
    words = moved.pop("changed")
    pd.testing.assert_frame_equal(moved, goal)
    for i in range(len(X)):
        changed = [name for name in X if X[name].iloc[i] != goal[name].iloc[i]]
        said = [w.split(" ")[0] for w in words.iloc[i].split("; ")] if words.iloc[i] else []
        assert sorted(said) == changed


@pytest.mark.parametrize("c", [[-450.0, 100.0, 6.0, -270.0, 19.0, 154.0], [305e3, -477e3, 15e3]])
def test_the_rounding_of_the_scaler_is_not_a_change(c):
    # A value near the median becomes a feature near 0, whose own rounding is much smaller.
    X = pd.DataFrame({"c": c})
    encode = ColumnTransformer([("robust", RobustScaler(), ["c"])]).fit(X)
    rows = ThreatModel.from_transformer(encode, X).as_rows(encode.transform(X), X)
    assert (rows["changed"] == "").all()


def people():
    return pd.DataFrame(
        {
            "hours": [40, 20, 60],
            "income": [1.5, 2.25, 4.0],
            "job": pd.Categorical(["sales", "tech", "care"]),
            "member": [True, False, True],
            "note": ["x", "y", "z"],
        },
        index=["ann", "bob", "cat"],
    )


def fitted(X):
    return make_column_transformer(
        (StandardScaler(), ["hours", "income"]), (OneHotEncoder(), ["job", "member"])
    ).fit(X)


def test_words_by_hand():
    X = people()
    encode = fitted(X)
    model = ThreatModel.from_transformer(encode, X, sensitive_features="member")
    goal = X.assign(hours=[47, 20, 60], income=[1.5, 2.0, 4.0])
    goal["job"] = goal["job"].mask(goal.index == "ann", "tech")
    words = ["hours 40 -> 47; job sales -> tech", "income 2.25 -> 2", ""]
    for dtype in (np.float64, np.float32):
        rows = model.as_rows(encode.transform(goal).astype(dtype), X)
        assert rows["changed"].tolist() == words
        assert rows.index.tolist() == ["ann", "bob", "cat"]
        assert_allclose(rows.pop("income"), goal["income"], rtol=1e-6)
        assert rows["note"].tolist() == ["x", "y", "z"]  # not used by the transformer, and kept
        rows = rows.drop(columns="changed")
        pd.testing.assert_frame_equal(rows, goal.drop(columns="income"))


def test_rows_without_a_point_are_missing():
    X = people()
    encode = fitted(X)
    model = ThreatModel.from_transformer(encode, X)
    points = encode.transform(X.assign(hours=41))
    points[1] = np.nan
    rows = model.as_rows(points, X)
    assert rows["changed"].tolist() == ["hours 40 -> 41", "no change found", "hours 60 -> 41"]
    assert rows.drop(columns="changed").loc["bob"].isna().all()
    dtypes = {"hours": "Int64", "income": "float64", "job": "category", "member": "boolean"}
    assert rows.dtypes.astype(str)[list(dtypes)].to_dict() == dtypes
    assert rows["hours"].tolist() == [41, pd.NA, 41]


def test_numbers_that_look_alike_are_written_out():
    X = pd.DataFrame({"income": [1e6, 1e6 + 0.125, 3e6]})
    encode = make_column_transformer(("passthrough", ["income"])).fit(X)
    model = ThreatModel.from_transformer(encode, X)
    changed = model.as_rows(X.to_numpy()[[1, 1, 2]], X)["changed"].tolist()
    assert changed == ["income 1000000.0 -> 1000000.125", "", ""]


def test_integers_that_may_take_any_value_become_floats():
    X = people()
    encode = fitted(X)
    model = ThreatModel.from_transformer(encode, X, integer=[])
    rows = model.as_rows(encode.transform(X.assign(hours=[40.5, 20.0, 60.0])), X)
    assert rows["hours"].tolist() == [40.5, 20, 60]
    assert rows["changed"].tolist() == ["hours 40 -> 40.5", "", ""]


def test_missing_values_stay_where_nothing_changed():
    X = people().assign(hours=[40.0, np.nan, 60.0], job=["sales", None, "sales"])
    encode = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["hours", "income"]),
        (
            make_pipeline(SimpleImputer(strategy="constant", fill_value="?"), OneHotEncoder()),
            ["job"],
        ),
    ).fit(X)
    model = ThreatModel.from_transformer(encode, X, integer="hours")
    rows = dense(encode.transform(X))
    same = model.as_rows(rows, X)
    pd.testing.assert_frame_equal(same.drop(columns="changed"), X)
    moved = model.as_rows(rows[[1, 0, 1]], X)
    assert moved["changed"].tolist() == [
        "hours 40 -> 50; income 1.5 -> 2.25; job sales -> missing or ?",
        "hours missing -> 40; income 2.25 -> 1.5; job missing -> sales",
        "hours 60 -> 50; income 4 -> 2.25; job sales -> missing or ?",
    ]
    known = ThreatModel.from_transformer(encode, X.iloc[[0, 2]])
    with pytest.raises(ValueError, match="column 'hours' holds missing values, and"):
        known.as_rows(rows, X)
    with pytest.raises(ValueError, match="column 'job' holds nan, which the threat"):
        known.as_rows(rows, X.assign(hours=1.0))


def test_errors():
    X = people()
    encode = fitted(X)
    model = ThreatModel.from_transformer(encode, X)
    rows = encode.transform(X)
    with pytest.raises(ValueError, match=r"only a threat model made by ThreatModel\.from_transf"):
        ThreatModel().as_rows(rows, X)
    with pytest.raises(ValueError, match=r"points must be .* \(n_samples, 7\).*got shape \(3, 6\)"):
        model.as_rows(rows[:, 1:], X)
    with pytest.raises(ValueError, match="points has 3 rows and start has 2"):
        model.as_rows(rows, X.iloc[:2])
    with pytest.raises(
        ValueError, match="start must be a pandas DataFrame with the columns 'hours'"
    ):
        model.as_rows(rows, X[["hours"]].to_numpy())
    with pytest.raises(TypeError, match=r"start must be .* got a polars DataFrame"):
        model.as_rows(rows, pl.DataFrame({"hours": [1]}))
    with pytest.raises(ValueError, match=r"'note' cannot be read back from an array, since"):
        model.as_rows(rows, rows)
    with pytest.raises(ValueError, match='start has a column "changed" of its own'):
        model.as_rows(rows, X.assign(changed=1))
    with pytest.raises(ValueError, match="column 'job' holds 'pilot', which the threat"):
        model.as_rows(rows, X.assign(job="pilot"))
    with pytest.raises(ValueError, match="row 0 holds no category in the block 'job'"):
        model.as_rows(rows + 0.5, X)
