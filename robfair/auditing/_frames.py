"""The frames of an audit: a row per measure, per group, or per group and label."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._group_means import below_the_mean, group_means, mean_intervals
from robfair._group_tests import GroupTests
from robfair._groups import Groups, encode_groups
from robfair.metrics import Measure


def measure_frame(
    measures: Iterable[Measure],
    y_true: NDArray[Any],
    y_pred: NDArray[Any],
    groups: Groups,
    confidence: float | None,
    smallest: int,
    **arguments: Any,
) -> pd.DataFrame:
    """Return each measure with its interval and, where it has one, its value less the noise.

    `smallest` is the least number of rows of which a mean is taken.
    """
    arguments["sensitive_features"] = groups
    wrong = np.asarray(y_true != y_pred).astype(np.int8)
    rows: dict[str, tuple[float, ...]] = {}
    for measure in measures:
        value = measure.function(y_true, y_pred, **arguments, confidence_level=confidence)
        # The first one has checked the labels. Measures only see which of them match, and checks of
        # thousands of names take longer than all the rest.
        if not wrong.all():
            y_true, y_pred = np.zeros_like(wrong), wrong
        ends = getattr(value, "interval", None) or (np.nan, np.nan)  # accuracy has none
        corrected = np.nan
        if measure.corrects and smallest > 1:  # the noise of one row is unknown
            raw = measure.function(y_true, y_pred, **arguments, bias_corrected=True)
            corrected = np.maximum(float(raw), 0.0)
        rows[measure.symbol] = (float(value), *ends, corrected)
    columns = ["value", "lower", "upper", "corrected"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def group_frame(
    correct: NDArray[np.bool_],
    values: NDArray[np.float64],
    groups: Groups,
    confidence: float | None,
    tau_max: float | None,
) -> pd.DataFrame:
    """Return size, accuracy, mean distance of the right rows, Rob(P) and its interval by group.

    `values`, of shape (n_samples,), are what Rob(P) is the mean of, NaN where one is unknown.
    """
    size = np.bincount(groups.codes, minlength=len(groups))
    right = np.bincount(groups.codes, correct, minlength=len(groups))
    means = group_means(values, groups)
    with np.errstate(invalid="ignore", divide="ignore"):  # NaN where no row is, or none is right
        accuracy = right / size
        distance = means.mean / accuracy
    lower, upper = mean_intervals(means, confidence, tau_max)
    columns = {
        "size": size, "accuracy": accuracy, "mean_distance": distance,
        "robustness": means.mean, "lower": lower, "upper": upper,
    }  # fmt: skip
    return pd.DataFrame(columns, index=groups.labels)


def add_judgements(by_group: pd.DataFrame, tests: GroupTests) -> None:
    """Add the columns that say which groups are below Rob(f)."""
    # If groups differ at all, some are below their mean, by more than chance or not.
    by_group["definition_5"] = below_the_mean(by_group["robustness"].to_numpy())
    by_group["vulnerable"] = tests.vulnerable


def control_labels(y_true: NDArray[Any], control: Groups | None) -> Groups:
    """Name what groups are compared within: the true label, unless another feature is given."""
    if control is None:
        labels = encode_groups(y_true, len(y_true), "y_true")
        return Groups(labels.codes, labels.labels.rename("label"))
    names = ["control" if name is None else name for name in control.labels.names]
    return Groups(control.codes, control.labels.set_names(names))
