"""Tables on paper A: its Table 1 beside ours, every method, and every group."""

from __future__ import annotations

import numpy as np
import pandas as pd

from robfair.metrics import AUDIT_MEASURES
from robfair.reproduction._claims import spread, values_of
from robfair.reproduction.farmur._claims import TABLE_1, number
from robfair.reproduction.farmur._recipes import Methods

__all__ = ["DISTANCES", "compare_table", "list_groups", "list_methods"]

DISTANCES = ("paper", "auto")  # how distances are measured: Eq. 8, and robfair's own search
# Accuracy on all test rows, in place of those alone whose distance is measured.
ACCURACY = "test accuracy"
MEASURES = (ACCURACY, *(m.symbol for m in AUDIT_MEASURES if m.key != "accuracy"))


def _cell(measures: pd.DataFrame, distance: str, method: str, measure: str) -> str:
    """Write mean ± SD over seeds or, for one seed, the value and its bootstrap interval."""
    values = values_of(measures, distance, method, measure)
    text = spread(values, number)
    if len(values) != 1:
        return text
    low, high = (
        values_of(measures, distance, method, measure, label=label) for label in ("lower", "upper")
    )
    if len(low) == 0 or np.isnan(low).any():
        return text
    return f"{text} ({number(low[0])} to {number(high[0])})"


def compare_table(dataset: str, measures: pd.DataFrame, names: Methods) -> pd.DataFrame:
    """Put Table 1 beside our numbers: a row for each measure and method.

    The paper's column is missing where Table 1 has no row.
    """
    paper, rows = TABLE_1.get(dataset), []
    fields = {ACCURACY: "accuracy", "Rob(f)": "rob", "V_f": "v_f", "CV": "cv"}
    for measure, field in fields.items():
        for i, method in enumerate((names.natural, names.trades, names.farmur)):
            row = {"measure": measure, "method": method}
            if paper is not None:
                row["paper"] = number(getattr(paper, field)[i])
            for distance in DISTANCES:
                row[f'ours, "{distance}"'] = _cell(measures, distance, method, measure)
            rows.append(row)
    return pd.DataFrame(rows)


def list_methods(measures: pd.DataFrame, distance: str, names: Methods) -> pd.DataFrame:
    """List all measures of all methods: a row for each method."""
    return pd.DataFrame(
        {
            "method": method,
            **{measure: _cell(measures, distance, method, measure) for measure in MEASURES},
        }
        for method in names
    )


def list_groups(measures: pd.DataFrame, distance: str, names: Methods) -> pd.DataFrame:
    """List Rob(P) of every group, and how it comes about, for TRADES and FARMUR.

    A row has the means over seeds of the group's size, and of accuracy, mean distance of the
    correct samples and their product Rob(P); and in how many seeds FARMUR found it vulnerable.
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
