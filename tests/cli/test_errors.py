"""Errors as one line, and suggestions for names."""

import pytest

from robfair.cli._errors import did_you_mean, one_line


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("a  line\n and another"), "a line and another"),
        (ValueError(), "ValueError"),
        (FileNotFoundError(2, "No such file", "x.csv"), "x.csv: No such file"),
        (OSError(28, "No space left"), "No space left"),
        (OSError("without a number"), "without a number"),
    ],
)
def test_one_line(error, line):
    assert one_line(error) == line


def test_of_many_names_the_rest_is_counted():
    assert did_you_mean("?", "abc") == "There are 'a', 'b', 'c'."
    assert did_you_mean("?", "abcdefghij").endswith("'g', 'h' and 2 more.")


def test_the_nearest_name_is_suggested_whatever_its_case():
    assert did_you_mean("RACES", ["Race", "Sex"]) == "Did you mean 'Race'?"
    assert did_you_mean("xyz", ["Race", "Sex"]) == "There are 'Race', 'Sex'."
