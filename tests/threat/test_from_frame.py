import numpy as np
import pandas as pd
import polars as pl
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from robfair import ThreatModel
from tables import people

from_frame = ThreatModel.from_frame


def test_fields_by_hand():
    X = people()
    model = from_frame(X, sensitive_features="race", norm=np.inf, category_cost=2.0)
    assert_allclose(model.unit[:2], X[["age", "income"]].std(ddof=0))
    assert_array_equal(model.spacing((5,)), [1, 0, 0, 0, 0])
    assert_array_equal(model.mutable, [1, 1, 1, 0, 1])
    # Codes in the order of the alphabet, and truth values as they are.
    codes = {block.columns: block.codes.ravel().tolist() for block in model.blocks}
    assert codes == {(2,): [0, 1, 2], (4,): [0, 1]}
    low, high = model.box((5,))
    assert_array_equal(low[:2], X[["age", "income"]].min())
    assert_array_equal(high[:2], X[["age", "income"]].max())
    assert (model.norm, model.category_cost) == (np.inf, 2)
    assert model.mutable_columns == ("age", "income", "job", "member")
    by_hand = from_frame(X, bounds={"age": (0, 99)}, unit={"income": 10}, mutable=["age", "income"])
    assert [side[0] for side in by_hand.box((5,))] == [0, 99]
    assert_allclose(by_hand.unit[:2], [X["age"].std(ddof=0), 10])
    unscaled = from_frame(X, unit=None, bounds=None)
    assert (unscaled.bounds, unscaled.norm, unscaled.category_cost) == (None, 2, 1)
    assert_array_equal(unscaled.units((5,)), 1)


def test_whole_numbers_beside_gaps_are_integers():
    X = pd.DataFrame({"a": [1.0, None, 3.0], "b": [1.0, 2.0, 3.0], "c": [0.5, None, 2.0]})
    assert_array_equal(from_frame(X).spacing((3,)), [1, 0, 0])
    assert_array_equal(from_frame(X, integer="b").spacing((3,)), [0, 1, 0])
    assert from_frame(X, integer=[]).integer is None


def test_numbers_that_are_named_are_codes():
    X = pd.DataFrame({"x": [0.5, 1.5, 2.5], "c": [30, 10, 20]})
    (block,) = from_frame(X, categories=["c"]).blocks
    assert_array_equal(block.codes, [[10], [20], [30]])  # the values themselves


def test_the_same_columns_from_pandas_polars_and_numpy():
    X = people().assign(age=lambda X: X["age"].where(X.index % 2 == 0))
    other = pl.DataFrame(
        {name: X[name].astype(object).where(X[name].notna(), None).tolist() for name in X}
    )
    model, of_polars = from_frame(X), from_frame(other)
    assert_array_equal(of_polars.table.encode(other), model.table.encode(X))
    assert_array_equal(of_polars.bounds, model.bounds)
    assert_array_equal(of_polars.unit, model.unit)
    assert of_polars.spacing((5,)).tolist() == [1, 0, 0, 0, 0]
    numbers = X[["age", "income"]]
    of_numpy = from_frame(numbers.to_numpy())
    assert_array_equal(of_numpy.unit, from_frame(numbers).unit)
    assert of_numpy.mutable_columns == (0, 1)


def test_what_cannot_change_stays():
    X = people().assign(
        one=1.0, nothing=np.nan, key=2**60 + np.arange(40), day=pd.Timestamp("2026-01-01")
    )
    X.loc[0, "day"] += pd.Timedelta(days=1)
    model = from_frame(X)
    assert model.mutable_columns == ("age", "income", "job", "race", "member")
    assert_array_equal(model.mutable[5:], False)
    # Also where other rows hold other values there.
    later = X.assign(day=pd.Timestamp("2027-01-01"), key=7, one=1.0)
    codec = model.table.holding(later)
    pd.testing.assert_frame_equal(
        codec.decode(codec.encode(later)), later.reset_index(drop=True), check_dtype=False
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mutable": ["age", "pay"]}, "mutable names 'pay', which is not a column of X"),
        ({"categories": "pay"}, "categories names 'pay', which is not a column"),
        ({"mutable": "age", "sensitive_features": "age"}, "'age' is in `mutable` and in"),
        ({"mutable": "one"}, "column 'one' holds one value only in the frame; leave it out of"),
        ({"mutable": "nothing"}, "column 'nothing' holds no value at all in the frame; leave it"),
        ({"mutable": "day"}, "column 'day' is of dtype datetime64.*, neither a number nor a cat"),
        ({"mutable": "key"}, "column 'key' holds whole numbers beyond 2\\*\\*53"),
        ({"integer": "income"}, "integer names 'income', which holds"),
        ({"unit": {"job": 1}}, "unit names 'job', which is not a mutable numeric column"),
        ({"bounds": {"age": (30, 40)}}, "X leaves the bounds of 'age'"),
        ({"norm": 1}, "norm must be 2"),
    ],
)
def test_what_is_asked_for_in_vain(options, message):
    X = people().assign(one=1, nothing=np.nan, key=2**60 + np.arange(40))
    X["day"] = pd.date_range("2026-01-01", periods=40)
    with pytest.raises(ValueError, match=message):
        from_frame(X, **options)


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (people()[:1], ValueError, "no column of the frame can change: in its 1 row"),
        (people()[:0], ValueError, "frame is empty"),
        (people().to_dict(), TypeError, "frame must be a DataFrame of pandas or polars.*got a dic"),
        (people().assign(age=np.inf), ValueError, "column 'age' of the frame holds infinity"),
        (people().assign(job=[[1]] * 40), ValueError, "'job' holds values that cannot be compared"),
        (people().rename(columns={"job": "age"}), ValueError, "frame has two columns 'age'"),
        (pd.DataFrame({"a": [np.nan] * 3}), ValueError, "no column of the frame can change"),
    ],
    ids=["one row", "no row", "no table", "infinity", "lists", "two", "gaps"],
)
def test_frames_from_which_nothing_is_learned(frame, error, message):
    with pytest.raises(error, match=message):
        from_frame(frame)


def test_the_same_numbers_of_other_columns_are_another_threat_model():
    a = from_frame(pd.DataFrame({"x": [0.0, 1.0], "c": ["a", "b"]}))
    b = from_frame(pd.DataFrame({"x": [0.0, 1.0], "c": ["a", "z"]}))
    assert a == from_frame(pd.DataFrame({"x": [0.0, 1.0], "c": ["a", "b"]}))
    assert a != b
    assert len({a, b}) == 2
