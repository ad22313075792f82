"""Audits and comparisons as Markdown."""

from __future__ import annotations

from robfair._tables import Table, markdown_table
from robfair._text import escaped
from robfair.auditing._numbers import AuditNumbers, ComparisonNumbers
from robfair.auditing.report import _tables
from robfair.auditing.report._discovered import discovered_tables
from robfair.auditing.report._method import method_line, notes, status_line


def audit_markdown(audit: AuditNumbers) -> list[str]:
    """Return the blocks that follow the verdict of an audit."""
    captioned = [each for *_, tables in _tables.sections(audit) for each in tables]
    tables = _tables.measure_table(audit), _tables.group_table(audit)
    more = [
        block
        for caption, table in captioned
        for block in (escaped(f"{caption}:"), _markdown(table))
    ]
    return [*map(_markdown, tables), *more, *_lines(audit)]


def comparison_markdown(comparison: ComparisonNumbers) -> list[str]:
    """Return the blocks that follow the verdict of a comparison."""
    tables = [_tables.model_table(comparison), _tables.model_group_table(comparison)]
    same_mix = _tables.model_standardized_table(comparison)
    tables += [] if same_mix is None else [same_mix]
    audits = comparison.audits.items()
    found = [
        block
        for name, audit in audits
        for caption, table in discovered_tables(audit)
        for block in (escaped(f"{name}: {caption}:"), _markdown(table))
    ]
    lines = [f"{escaped(name)}: {line}" for name, audit in audits for line in _lines(audit)]
    return [*map(_markdown, tables), *found, *lines]


def _lines(audit: AuditNumbers) -> list[str]:
    return [*map(escaped, notes(audit)), escaped(f"{method_line(audit)}. {status_line(audit)}.")]


def _markdown(table: Table) -> str:
    rows = [[escaped(str(cell)) for cell in row] for row in table.rows]
    return markdown_table([escaped(title) for title in table.columns], rows)
