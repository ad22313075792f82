"""The numbers of an audit and of a comparison; report/ turns them into words and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._decomposition import decompose
from robfair._group_tests import GroupTests, compare_groups, error_level, row_values
from robfair._label_doubts import label_doubts
from robfair.auditing._frames import measure_frame
from robfair.distance import BoundaryDistance
from robfair.metrics import AUDIT_MEASURES, certified_ordering

# Accuracy is that of all rows, which standardising would change.
STANDARDIZED = tuple(measure for measure in AUDIT_MEASURES if measure.key != "accuracy")


@dataclass(frozen=True, eq=False, repr=False)
class AuditNumbers:
    """The fields of `Audit`, which describes them."""

    name: str
    overall: pd.DataFrame
    by_group: pd.DataFrame
    by_eps: pd.DataFrame
    metrics: pd.DataFrame
    metrics_overall: pd.Series[float]
    favorable: pd.DataFrame | None  # None: no favorable_label
    by_label: pd.DataFrame
    distances: BoundaryDistance
    check: pd.DataFrame | None  # None: no second search
    warnings: tuple[str, ...]
    y_true: NDArray[Any]
    sensitive_features: Any  # as passed
    groups: Any  # encoded, `Groups`, which the measures take too
    labels: Any  # likewise, what by_label compares the groups within
    examples: pd.DataFrame
    settings: dict[str, Any]  # plain values, so that they can be written as JSON
    discovered: pd.DataFrame | None = None  # None: subgroups were not searched

    @cached_property
    def doubts(self) -> list[str]:
        """Reasons why the predictions tell nothing of the true labels: the first warnings."""
        return label_doubts(self.y_true, self.distances.predicted)

    @cached_property
    def decomposition(self) -> pd.DataFrame:
        """Rob(P) - Rob(f) of each group as the labels' mix, accuracy and distance within labels."""
        return decompose(self._correct, self._values, self.groups, self.labels)

    @cached_property
    def standardized(self) -> pd.DataFrame:
        """The measures as if every group had the mix of labels that all rows have.

        A row per measure, as in `overall`, but for accuracy. NaN where a group has no row of a
        label, a distance is unknown, or there is one group only.
        """
        smallest = int(self.by_label["size"].min())
        values = self._values
        if (
            smallest == 0
            or len(self.groups) < 2
            or not (np.isfinite(values).all() and values.any())
        ):
            names = [measure.symbol for measure in STANDARDIZED]
            return pd.DataFrame(np.nan, index=names, columns=self.overall.columns[:4])
        return measure_frame(
            STANDARDIZED,
            self.y_true,
            self.distances.predicted,
            self.groups,
            self.settings["confidence"] if smallest > 1 else None,
            smallest,
            distance=self.distances.distance,
            tau_max=self.settings["tau_max"],
            standardize_by=self.labels,
        )

    @property
    def _correct(self) -> NDArray[np.bool_]:
        return np.asarray(self.y_true == self.distances.predicted, dtype=bool)

    @property
    def _values(self) -> NDArray[np.float64]:
        return row_values(self._correct, self.distances.distance, self.settings["tau_max"])

    @cached_property
    def tests(self) -> GroupTests:
        """Tests of every two groups, over all labels and within each."""
        level = error_level(self.settings["confidence"])
        return compare_groups(self._values, self.groups, self.labels, level)

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
        """A row per model: its measures over all groups."""
        return pd.DataFrame({name: a.overall["value"] for name, a in self.audits.items()}).T

    @property
    def standardized(self) -> pd.DataFrame:
        """A row per model: the same measures, with one mix of labels in every group."""
        return pd.DataFrame({name: a.standardized["value"] for name, a in self.audits.items()}).T

    @property
    def by_label(self) -> pd.DataFrame:
        """A row per model, label and group, with the columns of `Audit.by_label`."""
        return pd.concat({name: a.by_label for name, a in self.audits.items()}, names=["model"])

    @property
    def by_group(self) -> pd.DataFrame:
        """A row per model and group, with the columns of `Audit.by_group`."""
        return pd.concat({name: a.by_group for name, a in self.audits.items()}, names=["model"])

    @property
    def discovered(self) -> pd.DataFrame | None:
        """A row per model and subgroup that nobody named; None where none was searched."""
        found = {name: a.discovered for name, a in self.audits.items() if a.discovered is not None}
        return pd.concat(found, names=["model"]) if found else None
