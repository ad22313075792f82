"""`Audit`: the numbers of one model, and all that can be said of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from robfair._text import visible
from robfair.auditing._numbers import AuditNumbers
from robfair.auditing.report._exports import Exports
from robfair.auditing.report._html import audit_html
from robfair.auditing.report._json import audit_record
from robfair.auditing.report._markdown import audit_markdown
from robfair.auditing.report._method import method_line, notes, status_line
from robfair.auditing.report._print import print_audit
from robfair.auditing.report._verdict import judge_audit


@dataclass(frozen=True, eq=False, repr=False)
class Audit(AuditNumbers, Exports):
    """Measures of one model on one partition of the samples.

    Attributes
    ----------
    name : str
        Name of the model.
    overall : pandas.DataFrame
        A row per measure of ``robfair.metrics.AUDIT_MEASURES``; columns value, lower and upper (the
        interval, for the error of sampling), corrected (V_f and CV without the part that noise
        within the groups adds, cut at 0) and, with certified distances, low and high
        (the measure of these samples lies between them, whatever search or proof comes).
    by_group : pandas.DataFrame
        A row per group: size, accuracy, mean_distance (of the correctly classified samples), their
        product robustness = Rob(P) with lower and upper, with certified distances low and high,
        and vulnerable (Rob(P) < Rob(f)).
    distances : BoundaryDistance
        The distances, with method, threat model and the status of each search.
    check : pandas.DataFrame or None
        A row per group: n rows that were searched again, and their mean distance by each method.
    warnings : tuple of str
        Reasons to distrust the numbers; a sentence each.
    y_true : ndarray of shape (n_samples,)
        True labels.
    sensitive_features : array-like
        The groups, as they were passed.
    groups : object
        Their `codes`, the group of each row by its position in `labels`.
    examples : pandas.DataFrame
        The most easily flipped of the correctly classified rows of each group: group, row (its
        position in X), index (if X is a DataFrame), label, label after, distance, and changed: the
        change in words. It holds data of single rows.
    settings : dict
        The other things on which the numbers depend: tau_max, confidence, n_check,
        random_state, the options of the distances, the date, the versions of libraries; and
        "examples", the terms in which the examples are told.
    """

    def verdict(self) -> str:
        """Say in words what the numbers show, and how far that holds.

        A difference counts as larger than the error of sampling if Welch's t-test and Hall's test
        for skewed means both find it at the audit's confidence, corrected for the number of pairs
        of groups (Holm).

        Returns
        -------
        str
            One sentence with the result, and some on its cause and its limits.
        """
        return str(judge_audit(self))

    def method_line(self) -> str:
        """Name the method of the distances, the threat model and the cap.

        Returns
        -------
        str
            One line.
        """
        return method_line(self)

    def status_line(self) -> str:
        """Count the samples by the status of their search.

        Returns
        -------
        str
            One line.
        """
        return status_line(self)

    def notes(self) -> list[str]:
        """Say how far the numbers can be trusted.

        Returns
        -------
        list of str
            A sentence each: the result of a second search, what is proven, and the warnings.
        """
        return notes(self)

    def to_frame(self) -> pd.DataFrame:
        """Return the table of the groups.

        Returns
        -------
        pandas.DataFrame
            A copy of `by_group`.
        """
        return self.by_group.copy()

    def __str__(self) -> str:
        return visible(print_audit(self), keep="\n")

    def _record(self) -> dict[str, Any]:
        return audit_record(self)

    def _markdown(self) -> list[str]:
        return audit_markdown(self)

    def _html(self) -> str:
        return audit_html(self)
