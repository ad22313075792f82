"""Tables on paper A: its numbers beside ours, what holds of its sentences, and every method."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair.reproduction._fairness_tables import holds, spread
from robfair.reproduction._farmur_claims import TABLE_1, Sentence
from robfair.reproduction._farmur_recipes import Methods

__all__ = [
    "DISTANCES",
    "compare_sentences",
    "compare_table",
    "list_groups",
    "list_methods",
    "number",
    "values_of",
]

DISTANCES = ("paper", "auto")  # how distances are measured: Eq. 8, and robfair's own search
MEASURES = ("test accuracy", "Rob(f)", "V_f", "CV", "worst group", "gap")


def values_of(
    measures: pd.DataFrame, distance: str, method: str, measure: str, label: str | None = None
) -> NDArray[np.float64]:
    """Pick a measure of a method.

    Parameters
    ----------
    measures : DataFrame
        Measures of all seeds.
    distance : str
        The protocol: how distances were measured, or another one.
    method, measure : str
        Names of the method and of the measure.
    label : str, default=None
        "lower" or "upper" for the bounds of the interval.

    Returns
    -------
    ndarray of shape (n_seeds,)
        A value for each seed, in the order of seeds.
    """
    rows = measures[
        (measures["protocol"] == distance)
        & (measures["model"] == method)
        & (measures["measure"] == measure)
        & (measures["label"].isna() if label is None else measures["label"] == label)
    ]
    return rows.sort_values("seed")["value"].to_numpy()


def number(value: float) -> str:
    """Write a number with three digits or, as accuracies need, from 0.9 on with four."""
    return f"{value:.3g}" if abs(value) < 0.9 else f"{value:.4g}"


def _cell(measures: pd.DataFrame, distance: str, method: str, measure: str) -> str:
    """Write mean ± SD over seeds or, for one seed, the value and its bootstrap interval."""
    values = values_of(measures, distance, method, measure)
    text = " ".join(spread(values, number)) or "-"
    if len(values) != 1:
        return text
    low, high = (values_of(measures, distance, method, measure, s) for s in ("lower", "upper"))
    if len(low) == 0 or np.isnan(low).any():
        return text
    return f"{text} ({number(low[0])} to {number(high[0])})"


def compare_table(dataset: str, measures: pd.DataFrame, names: Methods) -> pd.DataFrame:
    """Put Table 1 beside our numbers.

    Parameters
    ----------
    dataset : str
        Data set and network.
    measures : DataFrame
        Our measures of all seeds.
    names : Methods
        Names of the methods.

    Returns
    -------
    DataFrame of str
        A row for each measure and method. The paper's column is missing where Table 1 has no row.
    """
    paper, rows = TABLE_1.get(dataset), []
    fields = {"test accuracy": "accuracy", "Rob(f)": "rob", "V_f": "v_f", "CV": "cv"}
    for measure, field in fields.items():
        for i, method in enumerate((names.natural, names.trades, names.farmur)):
            row = {"measure": measure, "method": method}
            if paper is not None:
                row["paper"] = number(getattr(paper, field)[i])
            for distance in DISTANCES:
                row[f'ours, "{distance}"'] = _cell(measures, distance, method, measure)
            rows.append(row)
    return pd.DataFrame(rows)


def compare_sentences(claims: list[Sentence], measures: pd.DataFrame) -> pd.DataFrame:
    """Say of each sentence whether it holds of our networks.

    Parameters
    ----------
    claims : list of Sentence
        What is said.
    measures : DataFrame
        Our measures of all seeds.

    Returns
    -------
    DataFrame of str
        A row for each sentence.
    """
    rows = []
    for claim in claims:
        row = {"where": claim.where, "sentence": claim.what, "measure": claim.measure,
               "paper": claim.printed}  # fmt: skip
        for distance in DISTANCES:
            before, after = (
                values_of(measures, distance, method, claim.measure)
                for method in (claim.before, claim.after)
            )
            parts = [" ".join(spread(values, number)) for values in (before, after)]
            first, last = before.mean(), after.mean()
            change = f" ({last / first - 1:+.0%})" if first > 0 else ""
            row[f'ours, "{distance}"'] = f"{parts[0]} → {parts[1]}{change}"
            row[f'holds? ("{distance}")'] = holds(claim.sign * (after - claim.kept * before))
        rows.append(row)
    return pd.DataFrame(rows)


def list_methods(measures: pd.DataFrame, distance: str, names: Methods) -> pd.DataFrame:
    """List all measures of all methods.

    Parameters
    ----------
    measures : DataFrame
        Our measures of all seeds.
    distance : {"paper", "auto"}
        How distances were measured.
    names : Methods
        Names of the methods.

    Returns
    -------
    DataFrame of str
        A row for each method.
    """
    return pd.DataFrame(
        {
            "method": method,
            **{measure: _cell(measures, distance, method, measure) for measure in MEASURES},
        }
        for method in names
    )


def list_groups(measures: pd.DataFrame, distance: str, names: Methods) -> pd.DataFrame:
    """List Rob(P) of every group, and how it comes about, for TRADES and FARMUR.

    Parameters
    ----------
    measures : DataFrame
        Our measures of all seeds.
    distance : {"paper", "auto"}
        How distances were measured.
    names : Methods
        Names of the methods.

    Returns
    -------
    DataFrame of str
        A row for each group: means over seeds of its size, and of accuracy, mean distance of the
        correct samples and their product Rob(P); and in how many seeds FARMUR found the group
        vulnerable.
    """
    rows = measures[(measures["protocol"] == distance) & measures["label"].isna()]
    means = rows.groupby(["group", "model", "measure"])["value"].mean()
    judged = measures[(measures["protocol"] == "training") & (measures["measure"] == "vulnerable")]
    vulnerable = judged.groupby("group")["value"].sum().to_dict()
    n = measures["seed"].nunique()
    parts = ("group accuracy", "group mean_distance", "Rob(P)")
    return pd.DataFrame(
        {
            "group": group,
            "size": f"{means[group, names.trades, 'group size']:.0f}",
            f"vulnerable (of {n})": "-" if group not in vulnerable else f"{vulnerable[group]:.0f}",
            **{
                f"{method}: accuracy × mean distance = Rob(P)": "{} × {} = {}".format(
                    *(number(means[group, method, part]) for part in parts)
                )
                for method in (names.trades, names.farmur)
            },
        }
        for group in means.index.unique("group")
    )
