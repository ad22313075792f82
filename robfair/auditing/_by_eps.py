"""The share of each group that withstands changes of a stated size, from the distances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._group_means import group_means, mean_intervals
from robfair._groups import Groups
from robfair.distance import BoundaryDistance


def check_eps(eps: Any) -> tuple[float, ...]:
    """Return the sizes as floats; raises TypeError or ValueError unless they are distances."""
    try:
        sizes = [float(size) for size in np.atleast_1d(eps)]
    except (TypeError, ValueError) as error:
        raise TypeError(f"eps must be one or several distances; got {eps!r}.") from error
    if not all(np.isfinite(size) and size > 0 for size in sizes):
        raise ValueError(f"eps must be distances above 0; got {eps!r}.")
    return tuple(sorted(set(sizes)))


def measure_by_eps(
    y_true: NDArray[Any],
    distances: BoundaryDistance,
    groups: Groups,
    eps: tuple[float, ...],
    confidence: float | None,
) -> pd.DataFrame:
    """Return a row per eps and group: robust_accuracy, its interval, and attack_success.

    An attack of size eps succeeds on a right row if its distance is at most eps [1]_: the robust
    accuracy is I_P at eps. With lower bounds low and high hold whatever search comes.
    """
    correct = np.asarray(y_true == distances.predicted)
    right = group_means(correct.astype(float), groups).mean
    if not eps:
        return pd.DataFrame(columns=["robust_accuracy", "lower", "upper", "attack_success"])
    tables = []
    for size in eps:  # one at a time: of millions of rows each takes memory
        means = group_means((correct & (distances.distance > size)).astype(float), groups)
        with np.errstate(invalid="ignore", divide="ignore"):  # no success where no row is right
            success = np.where(right > 0, 1 - means.mean / right, np.nan)
        lower, upper = mean_intervals(means, confidence, 1.0)
        columns = {
            "robust_accuracy": means.mean, "lower": lower, "upper": upper,
            "attack_success": success,
        }  # fmt: skip
        if distances.lower is not None:
            proven = (correct & (distances.lower > size)).astype(float)
            columns |= {"low": group_means(proven, groups).mean, "high": means.mean}
        tables.append(pd.DataFrame(columns, index=groups.labels))
    return pd.concat(tables, keys=eps, names=["eps"])
