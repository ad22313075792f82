"""The report: its content, put into its template."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from robfair._text import Verdict, group_names, interval_title, visible
from robfair._version import __version__
from robfair.auditing._numbers import AuditNumbers, ComparisonNumbers
from robfair.auditing.report import _tables
from robfair.auditing.report._figures import audit_figures, model_figures
from robfair.auditing.report._glossary import GLOSSARY, SECTION_NOTES
from robfair.auditing.report._method import method_rows
from robfair.auditing.report._next_steps import next_steps
from robfair.auditing.report._verdict import judge_audit


def audit_html(audit: AuditNumbers, title: str | None = None, notes: str | None = None) -> str:
    """Write the report of one model; its name is the title unless there is another."""
    environment = _environment()
    part = _part(audit, "audit")
    contents = [
        ("verdict", "What was found"),
        *([("audit-warnings", "Warnings")] if audit.warnings else []),
        *([("audit-steps", "What now")] if part["steps"] else []),
        ("audit-measures", "Measures"),
        ("audit-groups", "Groups"),
        *((f"audit-{name}", heading) for name, heading, _ in part["sections"]),
        ("audit-rows", "Most easily flipped rows"),
        ("audit-method", "How this was measured"),
        ("glossary", "Glossary"),
    ]
    head = _head(audit, title or audit.name, f"Model: {audit.name}.", notes)
    return _fill(environment, head, part["verdict"], contents, [part])


def comparison_html(
    comparison: ComparisonNumbers,
    verdict: Verdict,
    title: str | None = None,
    notes: str | None = None,
) -> str:
    """Write the report of several models."""
    environment = _environment()
    names = list(comparison.audits)
    audits = list(comparison.audits.values())
    parts = [_part(audit, f"model-{i}") for i, audit in enumerate(audits)]
    models = {
        "table": _tables.model_table(comparison),
        "groups": _tables.model_group_table(comparison),
        "figures": model_figures(comparison),
        "interval": ""
        if audits[0].settings["confidence"] is None
        else f", with its {interval_title(audits[0].settings['confidence'])}",
    }
    contents = [
        ("verdict", "What was found"),
        ("models", "Models side by side"),
        ("models-groups", "Groups by model"),
        *((part["id"], part["name"]) for part in parts),
        ("glossary", "Glossary"),
    ]
    default = f"{len(names)} models" if len(names) > 3 else ", ".join(names)
    head = _head(audits[0], title or default, f"Models: {', '.join(names)}.", notes)
    return _fill(environment, head, verdict, contents, parts, models)


def _head(first: AuditNumbers, title: str, models: str, notes: str | None) -> dict[str, Any]:
    """Return what stands on top: of what model, of which rows, of when, and the user's notes."""
    date = first.settings["date"]
    return {
        "title": title,
        "facts": [models, _facts(first), f"Measured on {date[:10]}."],
        "user_notes": [part for part in re.split(r"\n\s*\n", notes or "") if part.strip()],
        "date": date,
    }


def _environment() -> Any:
    # Before anything is drawn, so that one message names all that is missing.
    try:
        import matplotlib  # noqa: F401
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise ImportError(
            'a report needs jinja2 and matplotlib: pip install "robfair[report]".'
        ) from error
    return Environment(
        loader=PackageLoader("robfair.auditing.report"),
        autoescape=True,  # names of groups and models come from data
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _fill(
    environment: Any,
    head: dict[str, Any],
    verdict: Verdict,
    contents: list[tuple[str, str]],  # id and title of each section
    audits: list[dict[str, Any]],
    models: dict[str, Any] | None = None,
) -> str:
    def ours(name: str) -> str:
        text: str = environment.loader.get_source(environment, name)[0]
        return text

    script = ours("report.js")
    # The page allows this script alone: no other that names or data might smuggle in.
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    html: str = environment.get_template("report.html").render(
        **head,
        glossary=GLOSSARY,
        script=script,
        script_hash=f"sha256-{digest}",
        style=ours("report.css"),
        version=__version__,
        verdict=verdict,
        contents=contents,
        audits=audits,
        models=models,
    )
    # Names of models hold what they like; a space of no width comes from our own figures.
    return visible(html, keep="\n\u200b")


def _part(audit: AuditNumbers, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": audit.name,
        "verdict": judge_audit(audit),
        "steps": next_steps(audit),
        "warnings": [visible(text[:1].upper() + text[1:]) for text in audit.warnings],
        "measures": _tables.measure_table(audit),
        "groups": _tables.group_table(audit),
        "figures": audit_figures(audit),
        "sections": _tables.sections(audit),
        "notes": SECTION_NOTES,
        "rows": _tables.row_table(audit),
        "rows_note": audit.settings["examples"],
        "method": method_rows(audit),
    }


def _facts(audit: AuditNumbers) -> str:
    names = group_names(audit.by_group.index)
    by = " and ".join(visible(str(n)) for n in audit.by_group.index.names if n is not None)
    listed = f": {', '.join(names)}" if len(names) <= 8 else ""
    return (
        f"{len(audit.distances):,} rows in {len(names):,} group{'s' if len(names) != 1 else ''}"
        f"{f' by {by}' if by else ''}{listed}."
    )
