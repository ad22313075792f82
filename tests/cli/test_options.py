"""What arguments accept, and how they refuse the rest."""

import argparse
from pathlib import Path

import pytest

from robfair.cli._options import file_argument, names, positive_float, positive_int, seed, sizes


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("age", ["age"]),
        ("age, hours ,job", ["age", "hours", "job"]),
        ('"last, first",age', ["last, first", "age"]),
    ],
)
def test_names(text, parsed):
    assert names(text) == parsed


@pytest.mark.parametrize("text", ["", "a,,b", ",", "a,"])
def test_empty_names_are_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="names separated by commas; got"):
        names(text)


@pytest.mark.parametrize(("parse", "least"), [(positive_int, 1), (seed, 0), (positive_float, 0.5)])
def test_numbers(parse, least):
    assert parse(str(least)) == least
    with pytest.raises(argparse.ArgumentTypeError, match="must be"):
        parse(str(least - 1))


@pytest.mark.parametrize("text", ["inf", "nan", "0"])
def test_a_number_must_be_finite(text):
    with pytest.raises(argparse.ArgumentTypeError, match="a finite number above 0"):
        positive_float(text)


def test_sizes():
    assert sizes("0.1, 2") == [0.1, 2.0]
    with pytest.raises(argparse.ArgumentTypeError, match="a finite number above 0"):
        sizes("0.1,0")
    with pytest.raises(ValueError, match="could not convert"):
        sizes("0.1,")


def test_a_file_is_a_path_that_shells_complete():
    parser = argparse.ArgumentParser()
    file_argument(parser, "--html", metavar="FILE")
    assert parser.parse_args(["--html", "a.html"]).html == Path("a.html")
    assert parser._actions[-1].complete["bash"] == "_shtab_compgen_files"
