"""An audit as one flat dict of numbers, under names that experiment trackers accept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from robfair._text import group_names
from robfair.auditing._numbers import AuditNumbers
from robfair.metrics import find_measure

# What MLflow refuses, and what others take for a level of a name.
_REFUSED = re.compile(r"[^A-Za-z0-9_-]+")
_SIGNS = {"<=": "le_", ">=": "ge_", "<": "lt_", ">": "gt_"}  # or "<=50K" and ">50K" would be equal


def flat_numbers(audit: AuditNumbers) -> dict[str, float]:
    """Return the measures with their ends, then the numbers of each group."""
    metrics = audit.metrics_overall
    named = zip(safe_names(map(str, metrics.index)), metrics, strict=True)
    return dict(
        [
            *_measures("", audit.overall),
            *_measures("standardized/", audit.standardized),
            *((f"all/{name}", float(value)) for name, value in named),
            *_groups(audit),
            *_labels(audit),
        ]
    )


def safe_names(names: Iterable[str]) -> list[str]:
    """Write names in letters, digits, "_" and "-"; those that become equal get a number."""
    taken: list[str] = []
    for name in names:
        for sign, word in _SIGNS.items():
            name = name.replace(sign, word)
        name = _REFUSED.sub("_", name).strip("_") or "unnamed"
        free, number = name, 1
        while free in taken:
            number += 1
            free = f"{name}_{number}"
        taken.append(free)
    return taken


def _measures(place: str, table: pd.DataFrame) -> Iterator[tuple[str, float]]:
    for symbol, row in table.iterrows():
        key = f"{place}{find_measure(str(symbol)).key}"
        yield key, float(row["value"])
        yield from _known(key, row.drop("value"))


def _groups(audit: AuditNumbers) -> Iterator[tuple[str, float]]:
    table = audit.by_group.rename(columns={"robustness": "rob_p"})
    ends = table.reindex(columns=["lower", "upper", "low", "high"])
    table = table[["size", "accuracy", "mean_distance", "rob_p"]]
    eps = audit.by_eps.index.unique(0)
    shares = {f"withstands_{each:g}": audit.by_eps.loc[each]["robust_accuracy"] for each in eps}
    # By position: an index of groups may hold what pandas cannot align.
    values = [*table.to_numpy().T, *(share.to_numpy() for share in shares.values())]
    values += list(audit.metrics.to_numpy().T)
    # The names of metrics are the user's, and take no other's place.
    metrics = safe_names([*table, *map(str, audit.metrics)])[len(table.columns) :]
    columns = [*table, *shares, *metrics]
    for i, name in enumerate(safe_names(group_names(audit.by_group.index))):
        for column, value in zip(columns, values, strict=True):
            yield f"group/{name}/{column}", float(value[i])
        yield from _known(f"group/{name}/rob_p", ends.iloc[i])


def _labels(audit: AuditNumbers) -> Iterator[tuple[str, float]]:
    cells = product(
        safe_names(group_names(audit.labels.labels)), safe_names(group_names(audit.by_group.index))
    )  # as `by_label` has them
    for (label, group), row in zip(cells, audit.by_label.to_dict(orient="records"), strict=True):
        for column in ("size", "accuracy", "mean_distance"):
            yield f"label/{label}/{group}/{column}", float(row[column])
        yield f"label/{label}/{group}/rob_p", float(row["robustness"])


def _known(key: str, ends: pd.Series[Any]) -> Iterator[tuple[str, float]]:
    """Yield the ends of a number that are known."""
    return ((f"{key}.{end}", float(value)) for end, value in ends.items() if not np.isnan(value))
