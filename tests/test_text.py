"""Names, numbers and lists as text."""

import html
import re
import string
import unicodedata

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robfair._text import (
    Verdict,
    arrow,
    did_you_mean,
    escaped,
    few,
    group_names,
    interval,
    sentence_number,
    table_number,
    type_name,
    visible,
)


@given(st.text(), st.sampled_from(["", "\n"]))
def test_nothing_unseen_is_left_in_a_text(text, keep):
    shown = visible(text, keep)
    assert all(char.isprintable() or char.isspace() or ord(char) > 127 for char in shown)
    kinds = {unicodedata.category(char) for char in shown if char not in keep}
    assert not kinds & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert visible(shown, keep) == shown
    if text.isprintable():
        assert shown == text


def test_long_names_are_cut_unless_they_would_be_the_same():
    long = ["a" * 500, "b" * 500, "c"]
    names = group_names(pd.Index(long))
    assert [len(name) for name in names] == [80, 80, 1]
    assert names[0] == "a" * 50 + "…" + "a" * 29
    alike = ["a" * 300 + middle + "a" * 300 for middle in "xy"]
    assert group_names(pd.Index(alike)) == alike


@pytest.mark.parametrize(
    ("value", "in_table", "in_sentence"),
    [
        (0.00012345, "0.0001234", "0.000123"),
        (1234567.0, "1,234,567", "1.23e+06"),
        (1000, "1,000", "1e+03"),
        (999, "999", "999"),
        (1.0, "1", "1"),
        (np.nan, "unknown", "nan"),
        (np.inf, "inf", "inf"),
    ],
)
def test_numbers(value, in_table, in_sentence):
    assert table_number(value) == in_table
    assert sentence_number(value) == in_sentence


def test_an_interval_is_named_if_its_level_is_given():
    row = pd.Series({"value": 0.333333, "lower": 0.29, "upper": 0.37})
    assert interval(row, "value", 0.95) == "0.333 (95 % interval 0.29 to 0.37)"
    assert interval(row, "value") == "0.333 (0.29 to 0.37)"
    assert interval(row.replace(0.29, np.nan), "value", 0.95) == "0.333"


def test_few():
    assert few(["a", "b"], 2) == "a, b"
    assert few(iter("abcde"), 2) == "a, b and 3 more"
    assert few([1, "x"], 2, repr) == "1, 'x'"
    assert few([]) == ""


@given(st.floats(-1e300, 1e300), st.floats(-1e300, 1e300))
def test_the_sides_of_an_arrow_differ_where_the_numbers_do(before, after):
    left, right = arrow(before, after).split(" -> ")
    assert (left == right) == (before == after) or {before, after} == {0.0, -0.0}
    assert float(left) == pytest.approx(before, rel=0.01)


def test_names_of_groups():
    assert group_names(pd.Index([1, "b"])) == ["1", "b"]
    crossed = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
    assert group_names(crossed) == ["a / 1", "b / 2"]


@given(st.text())
def test_escaped_text_is_one_line_that_reads_as_before(text):
    shown = escaped(text)
    assert "\n" not in shown
    assert html.unescape(re.sub(r"\\([\\`*_\[\]|#~$!])", r"\1", shown)) == html.unescape(
        html.escape(" ".join(visible(text, string.whitespace).split()), quote=False)
    )
    assert not re.search(r"(?<!\\)(?:\\\\)*[`*_|<]", shown)


def test_a_verdict_is_its_sentences():
    assert str(Verdict("One.", ("Two.", "Three."))) == "One. Two. Three."


def test_of_many_names_the_rest_is_counted():
    assert did_you_mean("?", "abc") == "There are 'a', 'b', 'c'."
    assert did_you_mean("?", "abcdefghij").endswith("'g', 'h' and 2 more.")


def test_the_nearest_name_is_suggested_whatever_its_case():
    assert did_you_mean("RACES", ["Race", "Sex"]) == "Did you mean 'Race'?"
    assert did_you_mean("xyz", ["Race", "Sex"]) == "There are 'Race', 'Sex'."


@pytest.mark.parametrize(
    ("value", "name"),
    [(pd.DataFrame(), "pandas DataFrame"), (pl.Series(), "polars Series"), ([], "list")],
)
def test_types_are_told_apart(value, name):
    assert type_name(value) == name
