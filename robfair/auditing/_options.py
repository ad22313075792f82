"""The options of an audit, as one object."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

from robfair._validation import check_confidence
from robfair.auditing._discovery import DiscoveryOptions
from robfair.distance import DistanceOptions
from robfair.threat import ThreatModel


@dataclass(frozen=True, kw_only=True, eq=False)
class AuditOptions:
    """The options of `audit`; raises TypeError or ValueError for a number that it cannot use."""

    method: str
    threat_model: ThreatModel | None
    tau_max: float | None
    certify: bool
    n_check: int  # rows in all
    confidence: float | None  # None: no interval
    examples: int  # rows of each group
    eps: tuple[float, ...]
    metrics: Any  # names or functions
    discovery: DiscoveryOptions | None  # None: subgroups are not searched
    control_features: Any  # what groups are compared within; None: the true label
    favorable_label: Any  # None: nothing is said of decisions
    random_state: Any  # as it was passed
    distance: DistanceOptions  # with the seed of the searches
    verbose: int | None

    def __post_init__(self) -> None:
        check_confidence(self.confidence)
        for name in ("n_check", "examples"):
            if operator.index(rows := getattr(self, name)) < 0:
                raise ValueError(f"{name} must be a number of rows, 0 for none; got {rows}.")
