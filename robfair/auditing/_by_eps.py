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
    sizes = np.asarray(eps)
    withstands = correct[:, None] & (distances.distance[:, None] > sizes)
    means = group_means(withstands.astype(float), groups)
    robust = means.mean.T  # (n_eps, n_groups)
    right = group_means(correct.astype(float), groups).mean
    with np.errstate(invalid="ignore", divide="ignore"):  # no success where no row is right
        success = 1 - robust / right
    lower, upper = mean_intervals(means, confidence, 1.0)
    columns = {
        "robust_accuracy": robust,
        "lower": lower,
        "upper": upper,
        "attack_success": np.where(right > 0, success, np.nan),
    }
    if distances.lower is not None:
        proven = correct[:, None] & (distances.lower[:, None] > sizes)
        columns |= {"low": group_means(proven.astype(float), groups).mean.T, "high": robust}
    tables = [
        pd.DataFrame({name: values[i] for name, values in columns.items()}, index=groups.labels)
        for i in range(len(eps))
    ]
    if not tables:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(tables, keys=eps, names=["eps"])
