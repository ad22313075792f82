import pickle

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from numpy.testing import assert_array_equal

from robfair import ThreatModel
from tables import people

N = 6
whole, real = st.integers(-1000, 1000), st.floats(-1e6, 1e6, width=32)
words = st.sampled_from(["", "a", "b b", "é", "nan"])


def column(values, dtype):
    return st.lists(values, min_size=N, max_size=N).map(lambda held: pd.Series(held, dtype=dtype))


def optional(values):
    return st.one_of(st.none(), values)


COLUMNS = st.one_of(
    column(real, "float64"),
    column(real, "float32"),
    column(optional(real), "float64"),
    column(optional(real), "Float64"),
    column(whole, "int64"),
    column(whole, "int16"),
    column(optional(whole), "Int64"),
    column(optional(whole), "int64[pyarrow]"),
    column(st.booleans(), "bool"),
    column(optional(st.booleans()), "boolean"),
    column(optional(st.booleans()), "object"),
    column(words, "object"),
    column(optional(words), "object"),
    column(optional(words), "string"),
    column(optional(words), "str"),
    column(st.sampled_from(["a", "b"]), pd.CategoricalDtype(["b", "c", "a"], ordered=True)),
    column(optional(whole), pd.CategoricalDtype([*range(-1000, 1001)])),
    column(st.datetimes(pd.Timestamp(2000, 1, 1), pd.Timestamp(2030, 1, 1)), "datetime64[us]"),
    column(st.sampled_from([1, "a", (2, 3)]), "object"),
)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(COLUMNS, min_size=1, max_size=3))
def test_rows_are_read_back_as_they_were(columns):
    frame = pd.DataFrame({"moves": np.arange(N)} | {f"c{j}": c for j, c in enumerate(columns)})
    codec = ThreatModel.from_frame(frame, mutable="moves").table
    codes = codec.encode(frame)
    assert codes.shape == frame.shape
    assert_array_equal(np.isnan(codes), frame.isna())
    again = codec.decode(codes)
    pd.testing.assert_frame_equal(again, frame)
    for name in frame:
        if isinstance(frame[name].dtype, pd.CategoricalDtype):
            assert again[name].dtype == frame[name].dtype
    # Some rows, which need not hold gaps, or may hold nothing else.
    half = codec.decode(codes[::2])
    pd.testing.assert_frame_equal(half, frame[::2].reset_index(drop=True))


def test_points_are_written_in_words():
    X = people()
    X.loc[0, "income"] = np.nan
    model = ThreatModel.from_frame(X, mutable=["age", "income", "job"])
    points = model.table.encode(X)
    points[0, 0] += 3
    points[1, 2] = 0  # the first of the alphabet
    points[2] = np.nan
    rows = model.as_rows(points, X)
    assert rows["changed"].iloc[0] == f"age {X['age'].iloc[0]} -> {X['age'].iloc[0] + 3}"
    assert rows["job"].iloc[1] == "clerk"
    assert rows["changed"].iloc[2] == "no change found"
    assert (rows["changed"][3:] == "").all()
    assert list(rows.columns) == [*X.columns, "changed"]
    of_array = model.as_rows(points, model.table.encode(X))
    assert of_array["changed"].tolist() == rows["changed"].tolist()


def test_the_codec_travels():
    X = people()
    model = ThreatModel.from_frame(X)
    other = pickle.loads(pickle.dumps(model))
    assert other == model
    assert hash(other) == hash(model)
    assert_array_equal(other.table.encode(X), model.table.encode(X))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda X: X.drop(columns="job"), "X has no column 'job', unlike the frame"),
        (lambda X: X.assign(pay=1), "X has a column 'pay', unlike the frame"),
        (lambda X: X[X.columns[::-1]], "X has its columns in another order than the frame"),
        (lambda X: X.assign(job="pilot"), "column 'job' holds 'pilot', which the threat model"),
        (lambda X: X.assign(age="old"), "column 'age' holds values of dtype .*, and numbers in"),
        (lambda X: X.assign(income=np.inf), "column 'income' holds infinity"),
    ],
    ids=["absent", "further", "order", "category", "text", "infinity"],
)
def test_other_tables_than_the_frame(change, message):
    model = ThreatModel.from_frame(people())
    with pytest.raises(ValueError, match=message):
        model.table.encode(change(people()))
