"""The tables of an audit as text, with what their columns are sorted by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from robfair._text import group_names

if TYPE_CHECKING:
    from robfair.auditing._audit import Audit
    from robfair.auditing._compare import Comparison

__all__ = [
    "Cell",
    "Table",
    "group_table",
    "measure_table",
    "model_group_table",
    "model_table",
    "row_table",
]

ROWS_OF = 40  # groups of which single rows are shown

MEANINGS = {
    "accuracy": "share of rows that are classified correctly",
    "Rob(f)": "mean of Rob(P) over the groups: how much change the model withstands",
    "V_f": "variance of Rob(P) between the groups; 0 if all are equal, or all are 0",
    "CV": "standard deviation of Rob(P) between the groups, divided by Rob(f)",
    "worst group": "least Rob(P)",
    "gap": "greatest Rob(P) less the least",
}


@dataclass(frozen=True)
class Cell:
    """What stands in a table.

    Attributes
    ----------
    text : str
        As it is shown.
    key : float or str
        What the column is sorted by; "" at the end.
    beside : str
        An interval that may stand on a line of its own.
    """

    text: str
    key: float | str
    beside: str = ""


@dataclass(frozen=True)
class Table:
    """Text in rows; the first cell of each is its name.

    Attributes
    ----------
    columns : tuple of str
        Their titles.
    rows : tuple of tuple of Cell
        The cells.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def is_number(self) -> tuple[bool, ...]:
        """Which columns are sorted as numbers."""
        keys = [[row[j].key for row in self.rows] for j in range(len(self.columns))]
        return tuple(
            any(isinstance(key, float) for key in column)
            and all(key == "" or isinstance(key, float) for key in column)
            for column in keys
        )


def measure_table(audit: Audit) -> Table:
    """Make a row per measure, with its intervals and what it is."""
    sides = _sides(audit.overall, audit)
    rows = [
        (_word(name), _number(row["value"]), *_intervals(row, sides), _word(MEANINGS[str(name)]))
        for name, row in audit.overall.iterrows()
    ]
    return Table(("measure", "value", *sides, "what it is"), tuple(rows))


def group_table(audit: Audit) -> Table:
    """Make a row per group: size, accuracy, mean distance, Rob(P), intervals, vulnerable."""
    sides = _sides(audit.by_group, audit)
    columns = ("size", "accuracy", "mean_distance", "robustness")
    rows = [
        (
            _word(name),
            *(_number(row[column]) for column in columns),
            *_intervals(row, sides),
            _word("vulnerable" if row["vulnerable"] else ""),
        )
        for name, (_, row) in zip(
            group_names(audit.by_group.index), audit.by_group.iterrows(), strict=True
        )
    ]
    titles = (_group(audit), "size", "accuracy", "mean distance", "Rob(P)", *sides, "below Rob(f)")
    return Table(titles, tuple(rows))


def model_table(comparison: Comparison) -> Table:
    """Make a row per model, each measure with its interval."""
    measures = comparison.overall.columns
    rows = [
        (_word(name), *(_with_interval(audit.overall.T[m], "value") for m in measures))
        for name, audit in comparison.audits.items()
    ]
    return Table(("model", *measures), tuple(rows))


def model_group_table(comparison: Comparison) -> Table:
    """Make a row per group: its size, and its Rob(P) by each model."""
    audits = list(comparison.audits.values())
    names = group_names(audits[0].by_group.index)
    rows = [
        (
            _word(name),
            _number(audits[0].by_group["size"].iloc[i]),
            *(_with_interval(audit.by_group.iloc[i], "robustness") for audit in audits),
        )
        for i, name in enumerate(names)
    ]
    return Table((_group(audits[0]), "size", *comparison.audits), tuple(rows))


def row_table(audit: Audit) -> Table:
    """Tell the most easily flipped rows of the groups that have the lowest Rob(P)."""
    frame = audit.examples
    weakest = audit.by_group["robustness"].sort_values().index[:ROWS_OF]
    frame = frame[frame["group"].isin(list(weakest))]
    indexed = "index" in frame and (frame["index"] != frame["row"]).any()
    rows = [
        (
            _word(group_names(pd.Index([row["group"]]))[0]),
            Cell(str(row["row"]), float(row["row"])),
            *([_word(row["index"])] if indexed else []),
            _word(f"from {row['label']} to {row['label after']}"),
            _number(row["distance"]),
            _word(row["changed"]),
        )
        for row in frame.to_dict(orient="records")
    ]
    place = ("row", "index") if indexed else ("row",)
    titles = (_group(audit), *place, "decision", "distance", "what would have to change")
    return Table(titles, tuple(rows))


def _group(audit: Audit) -> str:
    """Name the partition, if its columns have names."""
    return " / ".join(str(n) for n in audit.by_group.index.names if n is not None) or "group"


def _sides(table: pd.DataFrame, audit: Audit) -> dict[str, tuple[str, str]]:
    """Map the titles of the intervals that there are to the columns of their ends."""
    sides = {f"{100 * audit.settings['confidence']:g} % interval": ("lower", "upper")}
    if audit.settings["n_boot"] is None:
        sides = {}
    return sides | ({"certified": ("low", "high")} if "low" in table else {})


def _intervals(row: pd.Series[Any], sides: dict[str, tuple[str, str]]) -> list[Cell]:
    return [_interval(row[low], row[high]) for low, high in sides.values()]


def _interval(low: float, high: float) -> Cell:
    return Cell("", "") if np.isnan(low) else Cell(f"{low:.4g} to {high:.4g}", float(low))


def _with_interval(row: pd.Series[Any], column: str) -> Cell:
    cell = _number(row[column])
    if np.isnan(row["lower"]):
        return cell
    return Cell(cell.text, cell.key, f"({_interval(row['lower'], row['upper']).text})")


def _number(value: Any) -> Cell:
    if float(value).is_integer() and abs(value) >= 1000:
        return Cell(f"{int(value):,}", float(value))
    return Cell("unknown", "") if np.isnan(value) else Cell(f"{value:.4g}", float(value))


def _word(text: Any) -> Cell:
    return Cell(str(text), str(text))
