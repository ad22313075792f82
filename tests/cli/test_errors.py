"""Errors as one line."""

import pytest

from robfair.cli._errors import one_line


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
