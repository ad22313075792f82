"""The distances of blocks of rows as those of all rows."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from robfair.distance._result import BoundaryDistance

__all__ = ["join_distances"]

COUNTS = re.compile(r"\b(\d+) of (\d+)(?= (?:samples|rows))")  # in warnings


def join_distances(parts: Sequence[BoundaryDistance]) -> BoundaryDistance:
    """Put the distances of consecutive blocks of rows together.

    Parameters
    ----------
    parts : sequence of BoundaryDistance
        Distances of one model under one threat model, block by block.

    Returns
    -------
    BoundaryDistance
        The distances of all rows, without the points behind them. Counts in warnings are added up.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from robfair import boundary_distance
    >>> from robfair.distance import join_distances
    >>> X, y = [[0.0], [1.0], [3.0], [4.0]], [0, 0, 1, 1]
    >>> model = LogisticRegression().fit(X, y)
    >>> join_distances([boundary_distance(model, X[:2]), boundary_distance(model, X[2:])])
    BoundaryDistance(4 samples: 4 exact; mean distance 1.5; method='linear', ThreatModel(norm=2))
    """
    methods = list(dict.fromkeys(part.method for part in parts))
    lower = None
    if any(part.lower is not None for part in parts):
        lower = np.concatenate(
            [np.full(len(part), np.nan) if part.lower is None else part.lower for part in parts]
        )
    return BoundaryDistance(
        distance=np.concatenate([part.distance for part in parts]),
        lower=lower,
        predicted=np.concatenate([part.predicted for part in parts]),
        status=np.concatenate([part.status for part in parts]),
        adversarial=None,
        # A block whose reading failed was searched by another method, whose numbers prove less.
        method=methods[0] if len(methods) == 1 else "auto",
        threat_model=parts[0].threat_model,
        n_forward=np.concatenate([part.n_forward for part in parts]),
        n_backward=np.concatenate([part.n_backward for part in parts]),
        warnings_=tuple(_added_up([part.warnings_ for part in parts])),
    )


def _added_up(warnings: Sequence[Sequence[str]]) -> list[str]:
    """Return each warning once, with the sum of its counts."""
    counts: dict[str, list[tuple[int, int]]] = {}
    for texts in warnings:
        for text in texts:
            found = COUNTS.search(text)
            key = COUNTS.sub("\0", text)
            pair = (int(found[1]), int(found[2])) if found else (0, 0)
            counts.setdefault(key, []).append(pair)
    return [
        key.replace("\0", f"{sum(a for a, _ in pairs)} of {sum(b for _, b in pairs)}")
        for key, pairs in counts.items()
    ]
