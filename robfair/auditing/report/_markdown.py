"""Audits and comparisons as Markdown."""

from __future__ import annotations

from robfair._tables import Table, markdown_table
from robfair._text import escaped
from robfair.auditing._numbers import AuditNumbers, ComparisonNumbers
from robfair.auditing.report._method import method_line, notes, status_line
from robfair.auditing.report._tables import (
    group_table,
    measure_table,
    model_group_table,
    model_table,
)

__all__ = ["audit_markdown", "comparison_markdown"]


def audit_markdown(audit: AuditNumbers) -> list[str]:
    """Return the blocks that follow the verdict of an audit."""
    return [_markdown(measure_table(audit)), _markdown(group_table(audit)), *_lines(audit)]


def comparison_markdown(comparison: ComparisonNumbers) -> list[str]:
    """Return the blocks that follow the verdict of a comparison."""
    return [
        _markdown(model_table(comparison)),
        _markdown(model_group_table(comparison)),
        *(
            f"{escaped(name)}: {line}"
            for name, audit in comparison.audits.items()
            for line in _lines(audit)
        ),
    ]


def _lines(audit: AuditNumbers) -> list[str]:
    return [*map(escaped, notes(audit)), escaped(f"{method_line(audit)}. {status_line(audit)}.")]


def _markdown(table: Table) -> str:
    rows = [[escaped(str(cell)) for cell in row] for row in table.rows]
    return markdown_table([escaped(title) for title in table.columns], rows)
