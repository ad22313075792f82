"""Second searches over some distances of an audit, and the warnings that follow from them.

A search bounds a distance from above. Its result tells neither how far it is off, nor whether it is
off by more for one group than for another, which an audit depends on. So some rows of each group
are searched again: by a stronger search, and by one that needs no gradients.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._groups import SMALL_GROUP, Groups
from robfair._text import interval_title
from robfair.auditing._blocks import take_rows
from robfair.distance import METHODS, BoundaryDistance, DistanceOptions, measure_distance

# Relative differences of mean distances above which a reader is warned.
LOOSE = 0.03  # of the quick search to "strong"
MASKED = 0.03  # of the best search by gradients to "decision"
LEAST = 5  # rows of a group without which nothing is said of it


def search_again(
    model: Any,
    X: Any,
    distances: BoundaryDistance,
    groups: Groups,
    n_check: int,
    options: DistanceOptions,
) -> pd.DataFrame | None:
    """Compute distances of some rows of each group by other methods, with the same options.

    Returns a row per group: n, the rows compared, and their mean distance by each method; None if
    there is nothing to compare.
    """
    methods = METHODS[distances.method].checked_by
    rows = _some_of_each(groups, np.isfinite(distances.distance), n_check)
    if not methods or len(rows) == 0:
        return None
    searches = {distances.method: distances.distance[rows]}
    for method in methods:
        again = measure_distance(
            model,
            take_rows(X, rows),
            method=method,
            threat_model=distances.threat_model,  # in the box of all rows, where that is the data's
            options=options.for_another_method(),
            return_adversarial=False,
        )
        searches[method] = again.distance
    # A row that one method could not flip is left out for all, so that means are of the same rows.
    flipped = np.isfinite(list(searches.values())).all(axis=0)
    codes = groups.codes[rows[flipped]]
    n = np.bincount(codes, minlength=len(groups.labels))
    means = {
        name: np.bincount(codes, values[flipped], minlength=len(n)) / np.where(n > 0, n, np.nan)
        for name, values in searches.items()
    }
    return pd.DataFrame({"n": n, **means}, index=groups.labels)


def _some_of_each(groups: Groups, usable: NDArray[np.bool_], n: int) -> NDArray[np.intp]:
    """Choose up to `n` rows in all, the same number from each group."""
    share = n // len(groups.labels)
    chosen = []
    for code in range(len(groups.labels)):
        rows = np.flatnonzero((groups.codes == code) & usable)
        # Spread evenly, not drawn: no random state is used up, and sorted data are covered.
        spread = np.linspace(0, len(rows) - 1, min(share, len(rows)))
        chosen.append(rows[spread.astype(np.intp)])
    return np.sort(np.concatenate(chosen))


def reverses(check: pd.DataFrame | None, rob: NDArray[np.float64], low: int, high: int) -> bool:
    """Tell whether the second searches, if there are enough of them, reverse the order of two.

    `rob` has shape (n_groups,): Rob(P) by the first search, over all rows or those of a label.
    """
    both = [low, high]
    if check is None or (check["n"].iloc[both] < LEAST).any():
        return False
    searches = check.iloc[both, 1:]
    # The factor by which other searches shorten the first one's distances, by group.
    shrink = (searches.min(axis=1) / searches.iloc[:, 0]).to_numpy()
    shortened = rob[both] * shrink
    return bool(shortened[0] >= shortened[1])


def warn_of_gaps(check: pd.DataFrame | None) -> list[str]:
    """Say where another search finds clearly shorter distances."""
    if check is None:
        return []
    quick, *others = check.columns[1:]  # the first is n
    enough = check[check["n"] >= LEAST]
    warnings = []
    if "strong" in others and quick != "strong":
        excess = enough[quick] / enough["strong"] - 1
        loose = excess[excess > LOOSE]
        if len(loose):
            parts = ", ".join(f"{group}: {value:.0%}" for group, value in loose.items())
            warnings.append(
                f'distances by "{quick}" are longer than by "strong", by more for some groups than '
                f'for others ({parts}): compare the groups by method="strong".'
            )
    best = enough[[name for name in (quick, "strong") if name in check]].min(axis=1)
    lead = 1 - enough["decision"] / best
    masked = lead[lead > MASKED]
    if len(masked):
        parts = ", ".join(f"{group}: {value:.0%}" for group, value in masked.items())
        warnings.append(
            "a search that sees labels only finds shorter distances than the gradient does "
            f'({parts}): the gradients are masked, and d(x) is overstated. Use method="decision".'
        )
    return warnings


def warn_of_small_groups(sizes: pd.Series, confidence: float) -> list[str]:
    """Name the groups that are too small for intervals that can be relied on."""
    small = sizes[(sizes > 0) & (sizes < SMALL_GROUP)]
    if small.empty:
        return []
    parts = ", ".join(f"{group} ({size})" for group, size in small.items())
    return [
        f"groups of fewer than {SMALL_GROUP} samples: {parts}. "
        f"Their {interval_title(confidence)}s may be too narrow, and V_f, CV, gap and worst group "
        "rest on them."
    ]
