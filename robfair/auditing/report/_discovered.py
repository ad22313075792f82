"""Subgroups that nobody named, as a sentence and a table."""

from __future__ import annotations

from typing import Any

from robfair._tables import Cell, Table
from robfair._text import interval_title, table_number
from robfair.auditing._numbers import AuditNumbers

LEAST_P = 1e-4  # smaller ones are not told apart


def discovered_tables(audit: AuditNumbers) -> list[tuple[str, Table]]:
    """Make a row per subgroup that was tested, with a caption; nothing if none were searched."""
    frame = audit.discovered
    if frame is None:
        return []
    facts = frame.attrs
    caption = (
        f"Subgroups that nobody named: {facts['n_searched']:,} were searched on "
        f"{facts['search_rows']:,} rows, and {_tested(len(frame))} on {facts['test_rows']:,} others"
    )
    if frame.empty:
        return [(caption, Table(("subgroup",), ((Cell("none", ""),),)))]
    columns = (
        *("subgroup", "rows", "Rob(P)", "of the rest", "difference"),
        f"{interval_title(facts['confidence'])} of it",
        *("corrected p", "in the search", "confirmed"),
    )
    return [(caption, Table(columns, tuple(_row(row) for row in frame.to_dict(orient="records"))))]


def discovered_record(audit: AuditNumbers) -> dict[str, Any] | None:
    """Return the same as values for JSON."""
    frame = audit.discovered
    if frame is None:
        return None
    facts = {str(name): value for name, value in frame.attrs.items()}
    return {**facts, "tested": frame.to_dict(orient="records")}


def _tested(n: int) -> str:
    if n == 0:
        return "none stood out to be tested"
    return "one was tested" if n == 1 else f"{n} were tested"


def _row(row: dict[Any, Any]) -> tuple[Cell, ...]:
    p = row["p_value"]
    return (
        Cell(row["condition"], row["condition"]),
        *(_number(row[name]) for name in ("size", "robustness", "rest", "difference")),
        Cell(f"{table_number(row['lower'])} to {table_number(row['upper'])}", float(row["lower"])),
        Cell(f"< {LEAST_P:g}" if p < LEAST_P else f"{p:.4f}", float(p)),
        _number(row["found_difference"]),
        Cell("confirmed" if row["confirmed"] else "", "confirmed" if row["confirmed"] else ""),
    )


def _number(value: float) -> Cell:
    return Cell(table_number(value), float(value))
