"""Audits and comparisons as values that JSON can hold."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from robfair.auditing._numbers import AuditNumbers
from robfair.auditing.report._discovered import discovered_record
from robfair.auditing.report._flat import flat_numbers
from robfair.auditing.report._verdict import judge_audit


def audit_record(audit: AuditNumbers) -> dict[str, Any]:
    """Return all that an audit measured, without the distances of single rows."""
    distances = audit.distances
    return {
        "name": audit.name,
        "verdict": str(judge_audit(audit)),
        "overall": audit.overall.to_dict(orient="index"),
        "sensitive_features": list(audit.by_group.index.names),
        "by_group": _records(audit.by_group),
        "by_eps": _by_eps(audit),
        "metrics": {
            "all": audit.metrics_overall.to_dict(),
            "by_group": _records(audit.metrics),
        },
        "numbers": flat_numbers(audit),
        "favorable": None if audit.favorable is None else _decisions(audit),
        "control_features": list(audit.labels.labels.names),
        "by_label": _label_records(audit),
        "standardized": audit.standardized.to_dict(orient="index"),
        "decomposition": _records(audit.decomposition),
        "discovered": discovered_record(audit),
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


def plain(node: Any) -> Any:
    """Turn values into what JSON can hold: None for NaN, "inf", and text for unknown types."""
    if isinstance(node, dict):
        return {str(key): plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [plain(value) for value in node]
    if isinstance(node, np.generic):  # np.float64 is a float, but np.float32 and np.int64 are not
        node = node.item()
    if isinstance(node, float) and not np.isfinite(node):
        return None if np.isnan(node) else str(node)
    return node if node is None or isinstance(node, bool | int | float | str) else str(node)


def _by_eps(audit: AuditNumbers) -> list[dict[str, Any]]:
    """List the shares that withstand each eps."""
    eps = audit.by_eps.index.unique(0)
    return [{"eps": each, **row} for each in eps for row in _records(audit.by_eps.loc[each])]


def _decisions(audit: AuditNumbers) -> list[dict[str, Any]]:
    """List the rows of `favorable`, each with its decision and its group."""
    frame: pd.DataFrame = audit.favorable  # type: ignore[assignment]
    decisions = frame.index.unique(0)  # by position: a column of the groups may have its name
    return [{"decision": d, **row} for d in decisions for row in _records(frame.loc[d])]


def _label_records(audit: AuditNumbers) -> list[dict[str, Any]]:
    """List the rows of `by_label`, each with its label and its group."""
    rows: list[dict[Any, Any]] = audit.by_label.to_dict(orient="records")
    names = product(audit.labels.labels, audit.by_group.index)  # as `by_label` has them
    return [
        {"label": label, "group": group, **row}
        for (label, group), row in zip(names, rows, strict=True)
    ]


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """List the rows of a table of groups, each with its label or labels as "group"."""
    rows: list[dict[Any, Any]] = table.to_dict(orient="records")
    return [{"group": group, **row} for group, row in zip(table.index, rows, strict=True)]
