"""Audits and comparisons with their words, tables and figures."""

from robfair.auditing.report._audit import Audit
from robfair.auditing.report._comparison import Comparison

__all__ = ["Audit", "Comparison"]
