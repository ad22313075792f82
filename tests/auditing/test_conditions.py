"""Conditions on columns: each text, read again by other code, gives the rows that are listed."""

import operator
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robfair.auditing._conditions import read_conditions

COMPARE = {"<": operator.lt, "<=": operator.le, ">=": operator.ge, "=": operator.eq}


def holds(text, column):
    """Evaluate "x < 3", "3 <= x < 5", "x = a" or "x is missing" on a column."""
    if text.endswith(" is missing"):
        return column.isna().to_numpy()
    parts = re.split(r" (<=|>=|<|=) ", text)
    as_number = float if column.dtype.kind in "fi" else str
    if len(parts) == 5:
        low, _, _, _, high = parts
        return ((column >= float(low)) & (column < float(high))).to_numpy()
    _, sign, value = parts
    return COMPARE[sign](column, as_number(value)).to_numpy()


numbers = st.one_of(
    st.lists(st.integers(-30, 30), min_size=60, max_size=60),
    st.lists(st.sampled_from([0, 0, 0, 0, 3, 250, 7000]), min_size=60, max_size=60),
    st.lists(st.floats(-1e9, 1e9), min_size=60, max_size=60),
    st.lists(st.sampled_from([0.1, 0.25, 1e-9, np.nan, np.inf, -np.inf]), min_size=60, max_size=60),
    st.lists(st.sampled_from("abcd"), min_size=60, max_size=60),
)


@settings(max_examples=60, deadline=None)
@given(numbers, st.integers(2, 8))
def test_texts_say_what_holds(values, n_bins):
    column = pd.Series(values)
    conditions = read_conditions(pd.DataFrame({"x": column}), n_bins, 5)
    assert len(set(conditions.texts)) == len(conditions.texts)
    for text, rows in zip(conditions.texts, conditions.holds.T, strict=True):
        np.testing.assert_array_equal(rows, holds(text, column), err_msg=text)
        assert 5 <= rows.sum() <= 55


def test_no_range_comes_twice():
    # Cuts near two quantiles, 0.2 and 0.25, have no value between them.
    values = pd.Series([0.1] * 37 + [0.25, 0.25, 1e-9] + [np.inf] * 13 + [-np.inf] * 7)
    conditions = read_conditions(pd.DataFrame({"x": values}), 4, 5)
    assert len(np.unique(conditions.holds, axis=1).T) == len(conditions.texts)


def test_ranges_are_round_and_nearly_of_one_size():
    age = np.random.default_rng(0).normal(38.6, 13, 5000).clip(17, 90).round()
    conditions = read_conditions(pd.DataFrame({"age": age, "income": age**3.3}), 5, 1)
    first = dict(zip(conditions.texts, conditions.holds.mean(axis=0), strict=True))
    assert {"age < 28", "28 <= age < 35", "age >= 50", "28 <= age < 50"} <= set(first)
    cuts = {float(number) for text in first for number in re.findall(r"(?<=[<=] )\d+$", text)}
    assert any(cut >= 100_000 and cut % 10_000 == 0 for cut in cuts), cuts
    for k, text in enumerate(["age < 28", "age < 35", "age < 42", "age < 50"], start=1):
        assert first[text] == pytest.approx(k / 5, abs=0.025)
    assert len(first) == 2 * (5 * 6 // 2 - 1)  # all runs of neighbouring bins, but not all of them


def test_a_value_of_most_rows_stands_alone():
    gain = np.where(np.arange(500) < 450, 0, 100 + np.arange(500))
    texts = read_conditions(pd.DataFrame({"gain": gain}), 5, 5).texts
    assert "gain = 0" in texts
    assert any(re.fullmatch(r"gain >= \d+", text) for text in texts)


def test_columns_of_all_kinds():
    n = 40
    half = np.arange(n) < 20
    frame = pd.DataFrame(
        {
            "text": np.where(half, "a", "b"),
            "flag": half,
            "kind": pd.Categorical(np.where(half, "u", "v"), categories=["u", "v", "unused"]),
            "count": pd.array([1] * 20 + [None] * 5 + [2] * 15, dtype="Int64"),
            "since": pd.date_range("2020-01-01", periods=n, tz="UTC"),
            "object": pd.Series([1] * 20 + [2] * 20, dtype=object),
            "mixed": [*["x"] * 20, *[3] * 20],
            "constant": 1,
            "id": [f"row {i}" for i in range(n)],
            ("a", 1): np.where(half, "p", None),
        }
    )
    conditions = read_conditions(frame, 2, 5)
    texts = dict(zip(conditions.texts, conditions.holds.T, strict=True))
    dates = [text for text in texts if text.startswith("since")]
    assert set(texts) - set(dates) == {
        *("text = a", "text = b", "flag = True", "flag = False", "kind = u", "kind = v"),
        *("count is missing", "count = 1", "count = 2", "object = 1", "object = 2"),
        *("mixed = x", "mixed = 3", """"('a', 1)" = p""", """"('a', 1)" is missing"""),
    }
    before, after = dates
    day = pd.Timestamp(re.fullmatch(r"since < (2020-\d\d-\d\d)", before)[1], tz="UTC")
    assert after == before.replace("<", ">=")
    np.testing.assert_array_equal(texts[before], frame["since"] < day)
    assert abs(texts[before].mean() - 0.5) <= 0.05


def test_odd_names_are_quoted_and_escaped():
    frame = pd.DataFrame(
        {"a = b and c": ["x\x1b[31m"] * 10 + [">50K"] * 10, " ": [""] * 5 + ["z"] * 15}
    )
    assert set(read_conditions(frame, 5, 2).texts) == {
        '"a = b and c" = x\\x1b[31m', '"a = b and c" = ">50K"', '" " = ""', '" " = z'
    }  # fmt: skip


def test_values_that_cannot_be_compared():
    with pytest.raises(TypeError, match="the column tags holds values that cannot be compared"):
        read_conditions(pd.DataFrame({"tags": [["a"], ["b"]]}), 5, 1)
