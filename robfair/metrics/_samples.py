"""The group means of a call: of all rows, or within each value of the control features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._group_means import GroupMeans, group_means
from robfair._groups import Groups, cross_labels, encode_groups
from robfair._standardize import condition, standardized_means
from robfair._validation import check_robustness_inputs
from robfair._warnings import each_once, warn
from robfair.exceptions import CensoredDistanceWarning
from robfair.metrics._estimate import Estimate, undefined, warn_empty

# What a measure returns: a table by value of the control features, if there are any.
Measured: TypeAlias = "Estimate | pd.Series[Any] | pd.DataFrame"


@dataclass(frozen=True, eq=False)
class Samples:
    """The group means of a call."""

    parts: list[GroupMeans]  # one, or one for each value of the control features
    control: pd.Index[Any] | None

    def index(self, inner: pd.Index[Any]) -> pd.Index[Any]:
        """Name the rows of a table that has each of `inner` for each part."""
        return inner if self.control is None else cross_labels(self.control, inner)

    def each(
        self,
        measure: str,
        function: Callable[[GroupMeans], Estimate],
        confidence_level: float | None,
    ) -> Measured:
        """Apply a measure, named in warnings, to each part.

        It is NaN, with one warning for all parts, where a block has no samples.
        """
        warn_empty(measure, self.parts)
        with each_once():
            values = [
                undefined(confidence_level) if part.blocks_of(0) else function(part)
                for part in self.parts
            ]
        if self.control is None:
            return values[0]
        if confidence_level is None:
            return pd.Series(values, index=self.control, dtype=float)
        rows = [(float(value), *(value.interval or ())) for value in values]
        return pd.DataFrame(rows, index=self.control, columns=["value", "lower", "upper"])

    def each_group(
        self, function: Callable[[GroupMeans], list[NDArray[np.float64]]], names: list[str]
    ) -> pd.DataFrame:
        """Tabulate the numbers that a function gives of each group, a column for each name.

        They are NaN, with one warning, where a group has no samples.
        """
        warn_empty("Rob(P) of the groups concerned", self.parts)
        numbers = np.concatenate([np.stack(function(part)) for part in self.parts], axis=-1)
        index = self.index(self.parts[0].labels)
        return pd.DataFrame(dict(zip(names, numbers, strict=False)), index=index)


def robustness_samples(
    y_true: Any,
    y_pred: Any,
    distance: Any,
    tau_max: float | None,
    sensitive_features: Any,
    control_features: Any,
    standardize_by: Any,
    *,
    infinite: bool = False,
) -> Samples:
    """Return the group means that are Rob(P), or the standardised Rob(P).

    The value of a censored sample is NaN, with a warning, or inf if `infinite`.
    """
    features = {"control_features": control_features, "standardize_by": standardize_by}
    inputs = {"sensitive_features": sensitive_features, **features}
    if infinite:
        _, values = check_robustness_inputs(y_true, y_pred, distance, tau_max, **inputs)
    else:
        values = robustness_values(y_true, y_pred, distance, tau_max, **inputs)
    groups = encode_groups(sensitive_features, len(values))
    return split_samples(values, groups, y_true, **features)


def split_samples(
    values: NDArray[np.float64],
    groups: Groups,
    y_true: Any,
    *,
    control_features: Any,
    standardize_by: Any,
    counted: NDArray[np.bool_] | None = None,
) -> Samples:
    """Return the group means of a value, within the control features and standardised.

    Only the samples that are `counted` have a part, but every group and control value stays.
    """
    strata = encode_feature(standardize_by, "standardize_by", y_true, len(values))

    def part(rows: NDArray[np.bool_], common: str) -> GroupMeans:
        rows = rows if counted is None else rows & counted
        return means_of(values, groups, strata, rows, common)

    return samples_within(control_features, y_true, len(values), part)


def samples_within(
    control_features: Any,
    y_true: Any,
    n_samples: int,
    part: Callable[[NDArray[np.bool_], str], GroupMeans],
) -> Samples:
    """Make the part of each value of the control features, from what `parts_of` returns."""
    control = encode_feature(control_features, "control_features", y_true, n_samples)
    parts = [part(rows, common) for rows, common in parts_of(control, n_samples)]
    return Samples(parts, None if control is None else control.labels)


def parts_of(feature: Groups | None, n_samples: int) -> list[tuple[NDArray[np.bool_], str]]:
    """Return the rows of each value and what they have in common, in words for messages.

    Without a feature, these are all rows, and nothing.
    """
    if feature is None:
        return [(np.ones(n_samples, dtype=bool), "")]
    return [
        (feature.codes == code, condition(feature.labels, value, "control_features"))
        for code, value in enumerate(feature.labels)
    ]


def means_of(
    values: NDArray[np.float64],
    groups: Groups,
    strata: Groups | None,
    rows: NDArray[np.bool_],
    *common: str,
) -> GroupMeans:
    """Return the group means of rows with something in common, standardised if there are strata."""
    known = " and ".join(filter(None, common))
    where = known and f" where {known}"
    part = slice(None) if rows.all() else rows  # of millions of rows a copy takes memory
    inside = Groups(groups.codes[part], groups.labels)
    if strata is None:
        return group_means(values[part], inside, where)
    mix = Groups(strata.codes[part], strata.labels)
    return standardized_means(values[part], inside, mix, where)


def encode_feature(given: Any, name: str, y_true: Any, n_samples: int) -> Groups | None:
    """Encode the values of a control feature or the strata; "y_true" means the true labels."""
    if given is None:
        return None
    if not isinstance(given, str):
        return encode_groups(given, n_samples, name)
    if given != "y_true":
        raise ValueError(
            f"{name}={given!r} is a name, and there is no table to look it up in. Pass the values, "
            f"one for each sample, or {name}='y_true' for the true labels."
        )
    classes = encode_groups(y_true, n_samples, "y_true")
    return Groups(classes.codes, classes.labels.rename(classes.labels.name or "y_true"))


def robustness_values(
    y_true: Any, y_pred: Any, distance: Any, tau_max: float | None, **others: Any
) -> NDArray[np.float64]:
    """Return the value of each sample whose mean is Rob(P); NaN where it is censored.

    `others` are as for `check_robustness_inputs`.
    """
    correct, values = check_robustness_inputs(y_true, y_pred, distance, tau_max, **others)
    censored = np.isinf(values)  # only among correct samples: the others are 0
    if censored.any():
        warn(
            f"The distance is infinite for {int(censored.sum())} of {int(correct.sum())} "
            "correctly classified samples: no adversarial was found for them (they are censored). "
            "The robustness of their groups, and every measure across groups, is NaN. Pass "
            "tau_max= to cap the distances at a value that matters.",
            CensoredDistanceWarning,
        )
    return np.where(censored, np.nan, values)  # not inf, whose differences are undefined
