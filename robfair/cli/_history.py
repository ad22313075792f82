"""``robfair history FILES``: audits over time in one table."""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Any

from robfair._names import AUDIT_MEASURES
from robfair._tables import Cell, Table, text_table
from robfair._text import table_number, visible
from robfair.cli._options import file_argument
from robfair.cli._warnings import shown_warnings

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["add_history"]

WORDS = ("date", "name", "groups")


def add_history(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``robfair history`` to its parser."""
    parser.description = (
        "Put audits that were written as JSON into one table, the oldest first: each measure with "
        "its interval."
    )
    parser.epilog = "example: robfair history audits/*.json"
    file_argument(
        parser, "files", nargs="+", metavar="FILE",
        help="what `robfair audit --json` or to_json has written",
    )  # fmt: skip
    parser.add_argument(
        "--csv", action="store_true", help="all numbers as CSV, those of groups too"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command."""
    from robfair.auditing import audit_history

    with shown_warnings():
        history = audit_history(arguments.files)
    if arguments.csv:
        print(history.to_csv(index=False), end="")
    else:
        print(text_table(_table(history)))
    return 0


def _table(history: pd.DataFrame) -> Table:
    """Make a row per audit: date, model, groups, rows, and each measure with its interval."""
    from robfair.metrics import find_measure

    rows = [
        (
            *(Cell(visible(str(row[word])), str(row[word])) for word in WORDS),
            Cell(f"{row['rows']:,}", float(row["rows"])),
            *(_cell(row, key) for key in AUDIT_MEASURES),
        )
        for row in history.to_dict(orient="records")
    ]
    symbols = (find_measure(key).symbol for key in AUDIT_MEASURES)
    return Table((*WORDS, "rows", *symbols), tuple(rows))


def _cell(row: dict[Any, Any], key: str) -> Cell:
    value, low, high = (row.get(k, math.nan) for k in (key, f"{key}.lower", f"{key}.upper"))
    beside = "" if math.isnan(low) else f"({table_number(low)} to {table_number(high)})"
    return Cell(table_number(value), value, beside)
