"""Audits: distances and measures of one model, or of several side by side."""

from robfair.auditing._audit import Audit, audit
from robfair.auditing._compare import Comparison, compare

__all__ = ["Audit", "Comparison", "audit", "compare"]
