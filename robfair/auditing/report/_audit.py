"""`Audit`: the numbers of one model, and all that can be said of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from robfair._text import visible
from robfair.auditing._numbers import AuditNumbers
from robfair.auditing.report._exports import Exports
from robfair.auditing.report._figures import curve_display, group_display, known_groups
from robfair.auditing.report._flat import flat_numbers
from robfair.auditing.report._html import audit_html
from robfair.auditing.report._json import audit_record
from robfair.auditing.report._markdown import audit_markdown
from robfair.auditing.report._method import method_line, notes, status_line
from robfair.auditing.report._notebook import audit_notebook
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
        definition_5 (the paper's: Rob(P) < Rob(f), by however little) and vulnerable (by more than
        the error of sampling, corrected for the number of groups).
    by_label : pandas.DataFrame
        A row per true label, or value of the control features, and group, in an index of both; size
        to upper as in `by_group`. Combinations that no row has are there, with size 0 and NaN.
    standardized : pandas.DataFrame
        The measures of `overall`, without accuracy, as if every group had the labels' mix of all
        rows. NaN where a group has no row of a label.
    decomposition : pandas.DataFrame
        A row per group: difference, Rob(P) - Rob(f), and the parts that add up to it, label_mix,
        accuracy and distance; see `robfair.metrics.robustness_decomposition`.
    by_eps : pandas.DataFrame
        A row per eps and group: robust_accuracy (the share of the rows that are right and farther
        than eps) with lower and upper, attack_success (the share of the right rows that are not),
        and with certified distances low and high. A search may miss a smaller change, so that it
        gives an upper bound of the robust accuracy.
    metrics : pandas.DataFrame
        A row per group and a column per metric of fairness; ``fairlearn.metrics.MetricFrame``
        computes them.
    metrics_overall : pandas.Series
        The same metrics of all samples.
    favorable : pandas.DataFrame or None
        Of ``favorable_label=``: a row per decision (granted, wrongly denied, rightly denied) and
        group; size, mean_distance with lower and upper, wrong rows included, and beyond_median, the
        share that lies farther than the median of such decisions. A short distance takes a granted
        decision away easily; for a wrongly denied person it is a short way to the grant. Of more
        than two classes only granted decisions.
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
    groups, labels : object
        Groups, and what they are compared within, encoded: `codes`, the group of each row by its
        position in `labels`.
    examples : pandas.DataFrame
        The most easily flipped of the correctly classified rows of each group: group, row (its
        position in X), index (if X is a DataFrame), label, label after, distance, and changed: the
        change in words. It holds data of single rows.
    settings : dict
        The other things on which the numbers depend: tau_max, confidence, n_check,
        random_state, the options of the distances, the date, the versions of libraries; and
        "examples", the terms in which the examples are told.
    discovered : pandas.DataFrame or None
        With ``discover=`` the subgroups that nobody named, as `discover_groups` returns them.
    """

    def verdict(self) -> str:
        """Say in words what the numbers show, and how far that holds.

        A difference counts as larger than the error of sampling if Welch's t-test and Hall's test
        for skewed means both find it at the audit's confidence. All pairs of groups, over all rows
        and within each label, are one family (Holm).

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

    def as_dict(self) -> dict[str, float]:
        """Return all numbers in one flat dict, for the trackers of experiments.

        Returns
        -------
        dict of str to float
            Measures by key, such as "v_f"; their ends, such as "v_f.lower", where they are known;
            the numbers of groups, such as "group/Female/rob_p". Names consist of the letters A to
            Z, digits, and the signs ``_ - . /``, so that MLflow and others take them.

        Examples
        --------
        >>> from sklearn.linear_model import LogisticRegression
        >>> from robfair import audit
        >>> from robfair.datasets import make_group_margins
        >>> data = make_group_margins(random_state=0)
        >>> clf = LogisticRegression(C=1e6).fit(data.X, data.y)
        >>> numbers = audit(clf, data.X, data.y, sensitive_features=data.groups).as_dict()
        >>> round(numbers["group/2/rob_p"], 1), numbers["v_f.lower"] < numbers["v_f"]
        (1.5, True)
        """
        return flat_numbers(self)

    def plot(self, kind: Literal["groups", "curves"] = "groups", *, ax: Any = None) -> Any:
        """Draw the groups.

        Parameters
        ----------
        kind : {"groups", "curves"}, default="groups"
            Rob(P) of each group with its interval, or the robustness curves, whose areas they are.
            `robfair.plotting` has more figures, and options.
        ax : matplotlib Axes, default=None
            Axes to draw on. None: a new figure.

        Returns
        -------
        matplotlib Axes
            What was drawn on.

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If `kind` is another word, or Rob(P) is known for no group.
        """
        if kind not in ("groups", "curves"):
            raise ValueError(f'kind must be "groups" or "curves"; got {kind!r}.')
        if known_groups(self).empty:
            raise ValueError(
                "nothing to draw: Rob(P) is unknown for all groups. Where no adversarial was found "
                "for some sample, audit with tau_max=."
            )
        display = group_display(self) if kind == "groups" else curve_display(self)
        return display.plot(ax=ax).ax_

    def _repr_html_(self) -> str:
        return audit_notebook(self)

    def __str__(self) -> str:
        return visible(print_audit(self), keep="\n")

    def _record(self) -> dict[str, Any]:
        return audit_record(self)

    def _markdown(self) -> list[str]:
        return audit_markdown(self)

    def _html(self, title: str | None, notes: str | None) -> str:
        return audit_html(self, title, notes)
