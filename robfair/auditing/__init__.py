"""Audits: distances and measures of one model, or of several side by side."""

from robfair.auditing._audit import audit
from robfair.auditing._blocks import Checkpoint, RowBlocks
from robfair.auditing._compare import compare
from robfair.auditing._discover import discover_groups
from robfair.auditing._history import audit_history
from robfair.auditing.report import Audit, Comparison

__all__ = [
    "Audit",
    "Checkpoint",
    "Comparison",
    "RowBlocks",
    "audit",
    "audit_history",
    "compare",
    "discover_groups",
]
