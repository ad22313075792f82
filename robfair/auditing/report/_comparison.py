"""`Comparison`: audits of several models, and all that can be said of them side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from robfair._text import visible
from robfair.auditing._numbers import ComparisonNumbers
from robfair.auditing.report._audit import Audit
from robfair.auditing.report._exports import Exports
from robfair.auditing.report._figures import known_models, model_display
from robfair.auditing.report._html import comparison_html
from robfair.auditing.report._json import audit_record
from robfair.auditing.report._markdown import comparison_markdown
from robfair.auditing.report._notebook import comparison_notebook
from robfair.auditing.report._print import print_comparison
from robfair.auditing.report._verdict_baseline import judge_against
from robfair.auditing.report._verdict_models import judge_models


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(ComparisonNumbers, Exports):
    """Audits of several models on the same samples and partition.

    Attributes
    ----------
    audits : dict of str to Audit
        The audit of each model.
    """

    audits: dict[str, Audit]  # each can be printed and written by itself too

    def verdict(self, baseline: str | None = None) -> str:
        """Say in words what the numbers show, and how far that holds.

        Two models differ by more than the error of sampling if a test on the rows that both were
        audited on finds it at the audit's confidence, corrected for the number of comparisons that
        the verdict may make (Holm). Rob(f) is compared row by row; V_f and CV without the part that
        noise adds to them.

        Parameters
        ----------
        baseline : str, default=None
            Name of a model with which each other one is compared, measure by measure. None: the
            best models by V_f, Rob(f) and CV are named.

        Returns
        -------
        str
            One sentence with the result, and some on its limits or its cost.

        Raises
        ------
        ValueError
            If `baseline` is not one of the models, or is the only one.
        """
        if baseline is None:
            return str(judge_models(self))
        return str(judge_against(self, baseline))

    def to_frame(self) -> pd.DataFrame:
        """Return the table of the models.

        Returns
        -------
        pandas.DataFrame
            The same as `overall`.
        """
        return self.overall

    def plot(self, *, ax: Any = None) -> Any:
        """Draw V_f against Rob(f), a point for each model.

        Parameters
        ----------
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
            If both measures are known for no model.
        """
        if known_models(self).empty:
            raise ValueError(
                "nothing to draw: Rob(f) and V_f are unknown for all models. Where no adversarial "
                "was found for some sample, compare with tau_max=."
            )
        return model_display(self).plot(ax=ax).ax_

    def _repr_html_(self) -> str:
        return comparison_notebook(self, judge_models(self))

    def __str__(self) -> str:
        return visible(print_comparison(self), keep="\n")

    def _record(self) -> dict[str, Any]:
        models = [audit_record(audit) for audit in self.audits.values()]
        return {"verdict": self.verdict(), "models": models}

    def _markdown(self) -> list[str]:
        return comparison_markdown(self)

    def _html(self, title: str | None, notes: str | None) -> str:
        return comparison_html(self, judge_models(self), title, notes)
