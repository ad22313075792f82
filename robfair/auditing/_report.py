"""The report: what stands in it, and its template."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from robfair._version import __version__
from robfair.auditing._figures import audit_figures
from robfair.auditing._glossary import GLOSSARY
from robfair.auditing._method import method_rows
from robfair.auditing._tables import (
    group_table,
    measure_table,
    model_group_table,
    model_table,
    row_table,
)
from robfair.auditing._verdict import Verdict, group_names, judge, judge_models

if TYPE_CHECKING:
    from robfair.auditing._audit import Audit
    from robfair.auditing._compare import Comparison

__all__ = ["render", "render_comparison"]


def render(audit: Audit) -> str:
    """Write the report of one model.

    Parameters
    ----------
    audit : Audit
        The numbers.

    Returns
    -------
    str
        HTML.
    """
    part = _part(audit, "audit")
    contents = [
        ("verdict", "What was found"),
        *([("audit-warnings", "Warnings")] if audit.warnings else []),
        ("audit-measures", "Measures"),
        ("audit-groups", "Groups"),
        ("audit-rows", "Most easily flipped rows"),
        ("audit-method", "How this was measured"),
        ("glossary", "Glossary"),
    ]
    return _fill(audit.name, audit, part["verdict"], contents, [part], None)


def render_comparison(comparison: Comparison) -> str:
    """Write the report of several models.

    Parameters
    ----------
    comparison : Comparison
        The audits.

    Returns
    -------
    str
        HTML.
    """
    names = list(comparison.audits)
    audits = list(comparison.audits.values())
    parts = [_part(audit, f"model-{i}") for i, audit in enumerate(audits)]
    confidence = audits[0].settings["confidence"]
    models = {
        "table": model_table(comparison),
        "groups": model_group_table(comparison),
        "figures": [],
        "interval": ""
        if audits[0].settings["n_boot"] is None
        else f", with its {100 * confidence:g} % interval",
    }
    contents = [
        ("verdict", "What was found"),
        ("models", "Models side by side"),
        ("models-groups", "Groups by model"),
        *((part["id"], part["name"]) for part in parts),
        ("glossary", "Glossary"),
    ]
    title = " against ".join(names) if len(names) < 4 else f"{len(names)} models compared"
    return _fill(title, audits[0], judge_models(comparison), contents, parts, models)


def _fill(
    title: str,
    first: Audit,
    verdict: Verdict,
    contents: Sequence[tuple[str, str]],
    audits: list[dict[str, Any]],
    models: dict[str, Any] | None,
) -> str:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
        from markupsafe import Markup
    except ImportError as error:
        raise ImportError(
            'the report needs jinja2 and matplotlib: pip install "robfair[report]".'
        ) from error
    loader = PackageLoader("robfair.auditing")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # What is ours and no text: everything else is escaped.
    script, style = (
        Markup(loader.get_source(environment, name)[0]) for name in ("report.js", "report.css")
    )
    digest = hashlib.sha256(script.encode()).digest()
    return environment.get_template("report.html").render(
        title=title,
        facts=_facts(first),
        verdict=verdict,
        contents=contents,
        models=models,
        audits=audits,
        glossary=GLOSSARY,
        script=script,
        script_hash=f"sha256-{base64.b64encode(digest).decode()}",
        style=style,
        version=__version__,
        date=first.settings["date"],
    )


def _part(audit: Audit, name: str) -> dict[str, Any]:
    return {
        "id": name,
        "name": audit.name,
        "verdict": judge(audit),
        "warnings": audit.warnings,
        "measures": measure_table(audit),
        "groups": group_table(audit),
        "figures": audit_figures(audit),
        "rows": row_table(audit),
        "rows_note": audit.settings["examples"],
        "method": method_rows(audit),
    }


def _facts(audit: Audit) -> str:
    names = group_names(audit.by_group.index)
    by = " and ".join(str(n) for n in audit.by_group.index.names if n is not None)
    few = f": {', '.join(names)}" if len(names) <= 8 else ""
    return (
        f"{len(audit.distance):,} rows in {len(names):,} group{'s' if len(names) != 1 else ''}"
        f"{f' by {by}' if by else ''}{few}."
    )
