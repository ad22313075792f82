"""The numbers of an audit and of a comparison; report/ turns them into words and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from robfair._label_doubts import label_doubts
from robfair.distance import BoundaryDistance
from robfair.metrics import certified_ordering


@dataclass(frozen=True, eq=False, repr=False)
class AuditNumbers:
    """The fields of `Audit`, which describes them."""

    name: str
    overall: pd.DataFrame
    by_group: pd.DataFrame
    by_eps: pd.DataFrame
    metrics: pd.DataFrame
    metrics_overall: pd.Series[float]
    distances: BoundaryDistance
    check: pd.DataFrame | None  # None: no second search
    warnings: tuple[str, ...]
    y_true: NDArray[Any]
    sensitive_features: Any  # as passed
    groups: Any  # encoded, `Groups`, which the measures take too
    examples: pd.DataFrame
    settings: dict[str, Any]  # plain values, so that they can be written as JSON

    @property
    def doubts(self) -> list[str]:
        """Reasons why the predictions tell nothing of the true labels: the first warnings."""
        return label_doubts(self.y_true, self.distances.predicted)

    def ordering(self) -> pd.DataFrame:
        """Tell which groups are provably less robust than which others.

        Returns
        -------
        pandas.DataFrame of bool
            True in row A and column B where A is provably less robust than B.

        Raises
        ------
        ValueError
            If the distances have no certified lower bounds.
        """
        if self.distances.lower is None:
            raise ValueError("the distances have no lower bounds: audit with certify=True.")
        return certified_ordering(
            self.y_true,
            self.distances.predicted,
            distance=self.distances.distance,
            lower=self.distances.lower,
            sensitive_features=self.groups,
            tau_max=self.settings["tau_max"],
        )


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonNumbers:
    """The audits of several models on the same samples and partition."""

    audits: Mapping[str, AuditNumbers]

    @property
    def overall(self) -> pd.DataFrame:
        """A row per model: accuracy, Rob(f), V_f, CV, worst group and gap."""
        return pd.DataFrame({name: a.overall["value"] for name, a in self.audits.items()}).T

    @property
    def by_group(self) -> pd.DataFrame:
        """A row per model and group, with the columns of `Audit.by_group`."""
        return pd.concat({name: a.by_group for name, a in self.audits.items()}, names=["model"])
