"""Rob(P) of each group on held-out data, for strategies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from robfair.distance import boundary_distance
from robfair.exceptions import CensoredDistanceWarning
from robfair.metrics._validation import warn
from robfair.threat import ThreatModel

__all__ = ["Judge"]


@dataclass(frozen=True)
class Judge:
    """Held-out samples and how their distance to the boundary is measured.

    Attributes
    ----------
    module : torch.nn.Module
        The network that is being trained.
    X, y, groups : ndarray
        Held-out samples, with classes and groups as integers from 0.
    n_groups : int
        Number of groups.
    method : str
        Method of :func:`robfair.boundary_distance`.
    threat_model : ThreatModel
        Norm, box and mutable features of the distance.
    """

    module: nn.Module
    X: NDArray[Any]
    y: NDArray[np.intp]
    groups: NDArray[np.intp]
    n_groups: int
    method: Any
    threat_model: ThreatModel

    def robustness(self) -> NDArray[np.float64]:
        """Rob(P) of each group, of shape (n_groups,).

        Samples for which no boundary was found count with the largest distance that was found, and
        a warning says how many they are. If none was found for any sample (a constant classifier),
        all groups are equally robust.
        """
        found = boundary_distance(
            self.module,
            self.X,
            y=self.y,
            method=self.method,
            threat_model=self.threat_model,
            return_adversarial=False,
        )
        distance = np.where(found.status == "skipped", 0.0, found.distance)
        censored = found.status == "censored"
        if censored.any():
            finite = distance[~censored]
            cap = finite.max() if finite.size else 0.0
            warn(
                f"no boundary was found for {int(censored.sum())} of {len(distance)} held-out "
                f"samples; to judge the groups they count with distance {cap:.4g}, the largest "
                "found.",
                CensoredDistanceWarning,
            )
            distance[censored] = cap
        sizes = np.bincount(self.groups, minlength=self.n_groups)
        sums = np.bincount(self.groups, weights=distance, minlength=self.n_groups)
        return sums / sizes
