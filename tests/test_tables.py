"""The writers of tables: the cells come back, in columns."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robfair._tables import Cell, Table, markdown_table, text_table

LETTERS = st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="\\|")
WORDS = st.text(LETTERS, max_size=9).map(str.strip)
TABLE = Table(
    ("name", "n", "words"),
    (
        (Cell("a", "a"), Cell("1,000", 1000.0, "(1 to 2)"), Cell("x", "x")),
        (Cell("long name", "long name"), Cell("unknown", ""), Cell("", "")),
    ),
)


def test_columns_of_numbers():
    assert TABLE.is_number == (False, True, False)


def test_words_stand_left_and_numbers_right():
    assert text_table(TABLE, beside=False).splitlines() == [
        "name             n  words",
        "a            1,000  x",
        "long name  unknown",
    ]


def test_intervals_beside_the_numbers():
    assert "1,000 (1 to 2)" in text_table(TABLE)
    assert "(1 to 2)" not in text_table(TABLE, beside=False)


@given(st.lists(st.tuples(WORDS, WORDS), min_size=1))
def test_markdown_keeps_cells_and_aligns_bars(rows):
    lines = markdown_table(rows[0], rows[1:]).splitlines()
    assert len({len(line) for line in lines}) == 1
    read = [tuple(c.strip() for c in line[1:-1].split("|")) for line in lines]
    assert [read[0], *read[2:]] == rows
    assert re.fullmatch(r"\| -* \| -* \|", lines[1])


@pytest.mark.parametrize("cell", ["a|b", r"a\|b"])
def test_a_bar_is_escaped_once(cell):
    assert markdown_table(["x"], [[cell]]).splitlines()[-1] == r"| a\|b |"
