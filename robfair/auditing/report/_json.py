"""Audits and comparisons as values that JSON can hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from robfair.auditing._numbers import AuditNumbers, ComparisonNumbers
from robfair.auditing.report._verdict import judge_audit

__all__ = ["audit_record", "comparison_record", "plain"]


def audit_record(audit: AuditNumbers) -> dict[str, Any]:
    """Return all that an audit measured, without the distances of single rows."""
    distances = audit.distances
    return {
        "name": audit.name,
        "verdict": str(judge_audit(audit)),
        "overall": audit.overall.to_dict(orient="index"),
        "sensitive_features": list(audit.by_group.index.names),
        "by_group": _records(audit.by_group),
        "check": None if audit.check is None else _records(audit.check),
        "warnings": audit.warnings,
        "method": distances.method,
        "threat_model": repr(distances.threat_model),
        "n_samples": len(distances),
        "status": distances.counts(),
        "passes": {"forward": distances.n_forward.sum(), "backward": distances.n_backward.sum()},
        "examples": audit.examples.to_dict(orient="records"),
        "settings": audit.settings,
    }


def comparison_record(comparison: ComparisonNumbers, verdict: str) -> dict[str, Any]:
    """Return all that the audits of a comparison measured."""
    return {"verdict": verdict, "models": [audit_record(a) for a in comparison.audits.values()]}


def plain(node: Any) -> Any:
    """Turn values of numpy and pandas into what JSON can hold.

    Parameters
    ----------
    node : object
        A value, or dicts and lists of values.

    Returns
    -------
    object
        The same, with None for NaN, "inf" for infinity, and text for what JSON does not know.
    """
    if isinstance(node, dict):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [plain(value) for value in node]
    if isinstance(node, np.generic):
        node = node.item()
    if isinstance(node, float) and not np.isfinite(node):
        return None if np.isnan(node) else str(node)
    return node if node is None or isinstance(node, bool | int | float | str) else str(node)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """List the rows of a table of groups, each with its label or labels as "group"."""
    rows: list[dict[Any, Any]] = table.to_dict(orient="records")
    return [{"group": group, **row} for group, row in zip(table.index, rows, strict=True)]
