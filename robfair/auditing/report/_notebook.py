"""Audits and comparisons as notebooks show them."""

from __future__ import annotations

from typing import Any

import numpy as np

from robfair._notebook import dot_drawing, html_block, html_table
from robfair._text import Verdict
from robfair.auditing._numbers import AuditNumbers, ComparisonNumbers
from robfair.auditing.report import _tables
from robfair.auditing.report._method import method_line, notes, status_line
from robfair.auditing.report._verdict import judge_audit


def audit_notebook(audit: AuditNumbers) -> str:
    """Write an audit as HTML: verdict, groups with their intervals, measures, notes."""
    verdict = judge_audit(audit)
    mean = float(audit.overall["value"]["Rob(f)"])
    values = audit.by_group[["robustness", "lower", "upper"]].to_numpy(float)
    end = _end(values)
    drawings = [dot_drawing(row, end, mean) for row in values.tolist()]
    caption = f"Rob(P) from 0 to {end:.3g} from left to right; the stroke is Rob(f)"
    return html_block(
        [verdict.headline, *verdict.details[:1]],
        [*verdict.details[1:], *notes(audit), f"{method_line(audit)}. {status_line(audit)}."],
        html_table(_tables.group_table(audit), caption, drawings),
        html_table(_tables.measure_table(audit, meanings=False)),
    )


def comparison_notebook(comparison: ComparisonNumbers, verdict: Verdict) -> str:
    """Write a comparison as HTML: verdict, models with their Rob(f), groups, notes."""
    audits = comparison.audits
    columns = ["value", "lower", "upper"]
    values = np.array([a.overall.loc["Rob(f)", columns].to_numpy(float) for a in audits.values()])
    end = _end(values)
    drawings = [dot_drawing(row, end) for row in values.tolist()]
    said = [f"{name}: {note}" for name, audit in audits.items() for note in notes(audit)]
    return html_block(
        [verdict.headline],
        [*verdict.details, *said],
        html_table(
            _tables.model_table(comparison),
            f"Rob(f) from 0 to {end:.3g} from left to right",
            drawings,
        ),
        html_table(_tables.model_group_table(comparison), "Rob(P) of each group by each model"),
    )


def _end(values: Any) -> float:
    return float(np.max(values, where=np.isfinite(values), initial=0.0))
