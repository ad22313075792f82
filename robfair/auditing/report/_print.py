"""Audits and comparisons as they are printed."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from robfair._tables import text_table
from robfair._text import interval_title
from robfair.auditing._numbers import AuditNumbers, ComparisonNumbers
from robfair.auditing.report import _tables
from robfair.auditing.report._discovered import discovered_tables
from robfair.auditing.report._method import method_line, notes, status_line

WIDTH = 96  # of sentences; tables are as wide as they are


def print_audit(audit: AuditNumbers) -> str:
    """Write an audit as text: method, measures, groups, notes; doubts of the labels come first."""
    doubts = [f"warning: {text}" for text in audit.doubts]
    blocks = [
        "\n".join([audit.name, _wrapped([method_line(audit)]), status_line(audit)]),
        _wrapped(doubts),
        text_table(_tables.measure_table(audit, meanings=False)),
        text_table(_tables.group_table(audit)),
        *(
            f"{_wrapped([caption])}:\n{text_table(table, beside=name != 'beside')}"
            for name, _, tables in _tables.sections(audit)
            for caption, table in tables
        ),
        _wrapped(note for note in notes(audit) if note not in doubts),
    ]
    return "\n\n".join(filter(None, blocks))  # nothing to say: no empty block either


def print_comparison(comparison: ComparisonNumbers) -> str:
    """Write a comparison as text: measures and groups by model, methods, notes."""
    audits = comparison.audits
    first = next(iter(audits.values()))
    settings = first.settings
    title = "Rob(P) of each group"
    if settings["confidence"] is not None:
        title += f", with its {interval_title(settings['confidence'])}"
    methods: dict[str, list[str]] = {}  # a method that all models share is told once
    for name, audit in audits.items():
        methods.setdefault(method_line(audit), []).append(name)
    lines = [
        method if len(methods) == 1 else f"{', '.join(names)}: {method}"
        for method, names in methods.items()
    ]
    certified = _tables.certified_table(comparison)
    same_mix = _tables.model_standardized_table(comparison)
    blocks = [
        text_table(_tables.model_table(comparison), beside=False),
        ""
        if same_mix is None
        else f"As if every group had the same mix of {_tables.fixed(first)}:\n"
        + text_table(same_mix, beside=False),
        f"{title}:\n{text_table(_tables.model_group_table(comparison))}",
        ""
        if certified is None
        else "Where each measure lies for certain, by proof from below and search from above:\n"
        + text_table(certified),
        *(
            f"{_wrapped([f'{name}: {caption}'])}:\n{text_table(table)}"
            for name, audit in audits.items()
            for caption, table in discovered_tables(audit)
        ),
        "\n".join([_wrapped(lines), *(f"{name}: {status_line(a)}" for name, a in audits.items())]),
        _wrapped((f"{name}: {note}" for name, a in audits.items() for note in notes(a)), "  "),
    ]
    return "\n\n".join(filter(None, blocks))


def _wrapped(lines: Iterable[str], indent: str = "") -> str:
    return "\n".join(
        part for line in lines for part in textwrap.wrap(line, WIDTH, subsequent_indent=indent)
    )
