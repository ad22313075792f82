"""Arguments that several commands share, without torch: help must be fast."""

from __future__ import annotations

import argparse
import math
import re
from pathlib import Path
from typing import Any

__all__ = [
    "file_argument",
    "names",
    "positive_float",
    "positive_int",
    "seed",
    "separator",
    "sizes",
]

# How the shells complete names of files, in shtab's words.
_FILES = {"bash": "_shtab_compgen_files", "zsh": "_files", "tcsh": "f"}


def file_argument(parser: Any, name: str, **options: Any) -> None:
    """Add an argument that is the name of a file, which shells complete."""
    parser.add_argument(name, type=Path, **options).complete = _FILES


def names(text: str) -> list[str]:
    """Parse names that are separated by commas; one that holds a comma stands in double quotes.

    Raises argparse.ArgumentTypeError, as do the parsers below, if the text is not valid.
    """
    # Quoted as in the header of a CSV; blanks count in quotes only.
    fields = re.findall(r'\s*(?:"((?:[^"]|"")*)"|([^,]*?))\s*(?:,|$)', text)
    parsed = [quoted.replace('""', '"') or bare for quoted, bare in fields]
    if not text.rstrip().endswith(","):
        del parsed[-1:]  # what is left at the end
    if not parsed or "" in parsed:
        raise argparse.ArgumentTypeError(f"must be names separated by commas; got {text!r}")
    return parsed


def positive_int(text: str) -> int:
    """Parse a number that is at least 1."""
    return _at_least(1, text)


def seed(text: str) -> int:
    """Parse a seed, a number that is at least 0."""
    return _at_least(0, text)


def _at_least(least: int, text: str) -> int:
    number = int(text)  # argparse makes a usage error of a ValueError
    if number < least:
        raise argparse.ArgumentTypeError(f"must be at least {least}; got {number}")
    return number


def positive_float(text: str) -> float:
    """Parse a finite number above 0."""
    number = float(text)
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"must be a finite number above 0; got {number:g}")
    return number


def sizes(text: str) -> list[float]:
    """Parse finite numbers above 0 that are separated by commas."""
    return [positive_float(number) for number in text.split(",")]


def separator(text: str) -> str:
    """Parse what separates the columns of a CSV: a character, or backslash and t for a tab."""
    mark = {"\\t": "\t", "tab": "\t"}.get(text, text)
    if len(mark) != 1 or mark in '"\r\n\0' or mark.isalnum():
        raise argparse.ArgumentTypeError(
            f"must be one character, such as ';', '|' or '\\t' for a tab; got {text!r}"
        )
    return mark
