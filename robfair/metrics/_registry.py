"""The registry of measures: each with its symbol, function, direction, unit and meaning."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from robfair._validation import check_correct
from robfair.metrics._box_extremes import (
    dispersion_extremes,
    gap_extremes,
    gini_extremes,
    ratio_extremes,
    variance_extremes,
)
from robfair.metrics._class_accuracy import class_accuracy_unfairness
from robfair.metrics._class_robustness import class_robustness_unfairness
from robfair.metrics._disparity import robustness_dispersion, robustness_variance
from robfair.metrics._equalized_odds import equalized_odds_unfairness
from robfair.metrics._extremes import robustness_gap, worst_group_robustness
from robfair.metrics._inequality import robustness_gini, robustness_ratio
from robfair.metrics._leave_one_out import leave_one_out_unfairness
from robfair.metrics._robustness import classifier_robustness, group_robustness


@dataclass(frozen=True)
class Measure:
    """Describe one measure for tables, figures, reports and the command line.

    Attributes
    ----------
    key : str
        Name as it is typed, such as "v_f".
    symbol : str
        Name as tables show it, such as "V_f".
    function : callable
        The function of `robfair.metrics` that computes it from arrays.
    greater_is_better : bool
        Whether a greater value is better.
    unit : str
        Unit of the value; "1" for a number without one.
    meaning : str
        One sentence, without capital and full stop.
    note : str
        A further sentence for the glossary of a report, or "".
    corrects : bool
        Whether the function has the option `bias_corrected`, without the part that noise adds.
    extremes : callable or None
        A function (low, high) -> (least, greatest): the measure's certified bounds where each
        Rob(P) lies between its ends, NaN of one group and of zeros alone where the measure is
        undefined there. None if no bounds are known.

    Examples
    --------
    >>> from robfair.metrics import find_measure
    >>> find_measure("V_f").meaning
    'variance of Rob(P) between the groups; 0 if all are equal, or all are 0'
    """

    key: str
    symbol: str
    function: Callable[..., Any]
    greater_is_better: bool
    unit: str
    meaning: str
    note: str = ""
    corrects: bool = False
    extremes: Callable[..., tuple[float, float]] | None = None


# An audit passes the same keywords to every measure: distances and groups, which this one ignores.
def _accuracy(y_true: ArrayLike, y_pred: ArrayLike, **_: Any) -> float:
    """Return the fraction of correct predictions."""
    return float(check_correct(y_true, y_pred).mean())


# The extremes of what rises with each Rob(P).
def _rising(statistic: Callable[..., Any], low: Any, high: Any) -> tuple[float, float]:
    return statistic(low), statistic(high)


# In the order of the tables of an audit.
AUDIT_MEASURES: tuple[Measure, ...] = (
    # Of all rows, so that a large group counts more, unlike in the other measures.
    Measure("accuracy", "accuracy", _accuracy, True, "1",
            "share of rows that are classified correctly"),
    Measure("rob_f", "Rob(f)", classifier_robustness, True, "distance",
            "mean of Rob(P) over the groups: how much change the model withstands",
            "Each group counts the same, however large it is.",
            extremes=partial(_rising, np.mean)),
    Measure("v_f", "V_f", robustness_variance, False, "distance squared",
            "variance of Rob(P) between the groups; 0 if all are equal, or all are 0",
            "It also falls when all groups become easier to attack: read it with Rob(f).",
            True, variance_extremes),
    Measure("cv", "CV", robustness_dispersion, False, "1",
            "standard deviation of Rob(P) between the groups, divided by Rob(f)",
            "It does not depend on the unit of distances.", True, dispersion_extremes),
    Measure("worst_group", "worst group", worst_group_robustness, True, "distance", "least Rob(P)",
            extremes=partial(_rising, np.min)),
    Measure("gap", "gap", robustness_gap, False, "distance", "greatest Rob(P) less the least",
            extremes=gap_extremes),
    Measure("ratio", "ratio", robustness_ratio, True, "1", "least Rob(P) divided by the greatest",
            "For rates of selection, a ratio below 0.8 is a common sign of adverse impact.",
            extremes=ratio_extremes),
    Measure("gini", "Gini", robustness_gini, False, "1",
            "mean difference of Rob(P) between two groups, divided by twice Rob(f)",
            "0 if all groups are equal.", extremes=gini_extremes),
)  # fmt: skip

MEASURES: tuple[Measure, ...] = (
    *AUDIT_MEASURES,
    Measure("rob_p", "Rob(P)", group_robustness, True, "distance",
            "mean distance of the rows of a group, where a row that is classified wrongly counts "
            "as 0",
            "It is the accuracy times the mean distance of the rows that are right."),
    Measure("cau", "CAU", class_accuracy_unfairness, False, "1",
            "greatest accuracy of a class less the least"),
    # One function for both forms: its argument chooses.
    Measure("cru_eps", "CRU_eps", class_robustness_unfairness, False, "eps",
            "greatest mean least eps of a class less the least"),
    Measure("cru_s", "CRU_s", class_robustness_unfairness, False, "1",
            "greatest success rate of an attack on a class less the least"),
    Measure("luf", "LUF", leave_one_out_unfairness, False, "1",
            "mean over the rows of the greatest change of a confidence when one training row is "
            "left out"),
    Measure("eou", "EOU", equalized_odds_unfairness, False, "1",
            "greatest difference between two groups in their mean confidence in a class"),
)  # fmt: skip


def find_measure(name: str) -> Measure:
    """Return a measure by its key or by its symbol.

    Parameters
    ----------
    name : str
        Such as "v_f" or "V_f".

    Returns
    -------
    Measure
        The entry of the registry.

    Raises
    ------
    ValueError
        If no measure has this key or symbol.

    Examples
    --------
    >>> from robfair.metrics import find_measure
    >>> find_measure("cau").function.__name__
    'class_accuracy_unfairness'
    """
    for measure in MEASURES:
        if name in (measure.key, measure.symbol):
            return measure
    known = ", ".join(measure.key for measure in MEASURES)
    raise ValueError(f"name must be a measure ({known}); got {name!r}.")
