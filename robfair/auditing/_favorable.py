"""Tell how easily a favourable decision is taken away, and how far a denied one is.

Three things are told apart, since a short distance is bad for one group of rows and good for
another: granted decisions, that a small change takes away; wrongly denied ones, whose distance is
the way to the grant [1]_ [2]_; and rightly denied ones.

References
----------
.. [1] "FaiR-N: Fair and Robust Neural Networks for Structured Data", arXiv:2010.06113: recourse,
   and its difference between groups.
.. [2] arXiv:2509.04128: the social burden, what qualified people must change to be accepted.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._group_means import group_means, mean_intervals
from robfair._groups import Groups, cross_labels
from robfair._text import few
from robfair.auditing._block_distances import measure_wrong_blocks
from robfair.auditing._blocks import RowBlocks, take_rows
from robfair.auditing._options import AuditOptions
from robfair.distance import BoundaryDistance, measure_distance

GRANTED, WRONGLY_DENIED, RIGHTLY_DENIED = "granted", "wrongly denied", "rightly denied"


def check_favorable(favorable: Any, model: Any, y_true: NDArray[Any]) -> None:
    """Raise ValueError, before any distance is computed, unless it is a label."""
    labels = np.unique(getattr(model, "classes_", y_true)).tolist()
    if favorable is not None and favorable not in labels:
        raise ValueError(
            f"favorable_label is {favorable!r}, which is not a label: they are "
            f"{few(labels, 8, repr)}."
        )


def measure_favorable(
    model: Any,
    X: Any,
    y_true: NDArray[Any],
    distances: BoundaryDistance,
    groups: Groups,
    options: AuditOptions,
) -> pd.DataFrame | None:
    """Return a row per decision and group: size, mean distance, its interval, beyond_median.

    None if no label is favourable.

    The distances of rows that are classified wrongly, which no other measure needs, are searched
    here. Of more than two classes nothing is said of denied rows: a change of their decision need
    not be the grant.
    """
    if options.favorable_label is None:
        return None
    favorable, tau_max, confidence = options.favorable_label, options.tau_max, options.confidence
    granted = distances.predicted == favorable
    decisions = [granted]
    labels = {*pd.unique(y_true), *pd.unique(distances.predicted)}
    names = [GRANTED]
    if len(set(getattr(model, "classes_", labels))) <= 2:
        qualified = y_true == favorable
        decisions += [~granted & qualified, ~granted & ~qualified]
        names += [WRONGLY_DENIED, RIGHTLY_DENIED]
    distance = distances.distance.copy()
    rows = np.flatnonzero((y_true != distances.predicted) & np.any(decisions, axis=0))
    if len(rows):
        distance[rows] = _distances_of_wrong(model, X, y_true, rows, distances, options)
    capped = np.minimum(distance, np.inf if tau_max is None else tau_max)
    values = np.where(np.isinf(capped), np.nan, capped)
    frames = [
        _frame(values[rows], Groups(groups.codes[rows], groups.labels), confidence, tau_max)
        for rows in decisions
    ]
    index = cross_labels(pd.Index(names, name="decision"), groups.labels)
    return pd.concat(frames).set_axis(index, axis=0)


def _distances_of_wrong(
    model: Any,
    X: Any,
    y_true: NDArray[Any],
    rows: NDArray[np.intp],
    distances: BoundaryDistance,
    options: AuditOptions,
) -> NDArray[np.float64]:
    if isinstance(X, RowBlocks):
        return measure_wrong_blocks(model, X, y_true, rows, options).distance
    found = measure_distance(
        model,
        take_rows(X, rows),
        method=options.method,
        threat_model=distances.threat_model,  # in the box of all rows
        options=options.distance,
        return_adversarial=False,
    )
    return found.distance


def _frame(
    values: NDArray[np.float64], groups: Groups, confidence: float | None, tau_max: float | None
) -> pd.DataFrame:
    means = group_means(values, groups)
    lower, upper = mean_intervals(means, confidence, tau_max)
    # The change that flips half of these decisions, of whatever group.
    median = np.median(values) if len(values) else np.nan
    beyond = np.where(np.isnan(values) | np.isnan(median), np.nan, values > median)
    columns = {
        "size": means.count, "mean_distance": means.mean, "lower": lower, "upper": upper,
        "beyond_median": group_means(beyond, groups).mean,
    }  # fmt: skip
    return pd.DataFrame(columns, index=groups.labels)
