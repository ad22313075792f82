"""Discovery of subgroups on values of rows: split, search, test; `discover_groups` without a model.

A value is that of Rob(P): the distance where the prediction is right, and 0 elsewhere.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from robfair._alignment import check_aligned
from robfair._group_tests import holm
from robfair._groups import SMALL_GROUP, encode_groups
from robfair._text import did_you_mean, few, type_name
from robfair._validation import (
    check_length,
    check_robustness_inputs,
    check_tau_max,
    check_vector,
)
from robfair._warnings import warn
from robfair.auditing._conditions import Conditions, read_conditions
from robfair.auditing._subgroups import Chosen, Half, pool_rare, search, select
from robfair.distance import BoundaryDistance
from robfair.exceptions import GroupsWarning

MOST_CONDITIONS = 2000  # from where the pairs take minutes

# Of the table, with their types. The last three are of the rows of the search.
COLUMNS: dict[str, Any] = {
    "condition": str,
    "size": int,
    "robustness": float,
    "rest": float,
    "difference": float,
    "lower": float,
    "upper": float,
    "p_value": float,
    "confirmed": bool,
    "found_size": int,
    "found_robustness": float,
    "found_difference": float,
}


@dataclass(frozen=True, kw_only=True, eq=False)
class DiscoveryOptions:
    """Options of `discover_groups`; raises TypeError or ValueError for what it cannot use."""

    columns: Any = None
    max_conditions: int = 2
    min_size: int = SMALL_GROUP  # in each of the two parts
    n_bins: int = 5
    test_size: float = 0.5
    standardize_by: Any = "y_true"
    confidence: float = 0.95
    tau_max: float | None = None

    def __post_init__(self) -> None:
        for name, least in (("max_conditions", 1), ("min_size", 2), ("n_bins", 2)):
            if operator.index(value := getattr(self, name)) < least:
                raise ValueError(f"{name} must be at least {least}; got {value}.")
        for name in ("test_size", "confidence"):
            if not 0 < (value := getattr(self, name)) < 1:
                raise ValueError(f"{name} must be between 0 and 1; got {value}.")
        check_tau_max(self.tau_max)


def as_discovery(
    discover: Any, confidence: float | None, tau_max: float | None
) -> DiscoveryOptions | None:
    """Turn the `discover` of an audit into options: True for the columns of X, None for nothing."""
    if discover is None or discover is False:
        return None
    columns = None if discover is True else discover
    level = 0.95 if confidence is None else confidence
    return DiscoveryOptions(columns=columns, confidence=level, tau_max=tau_max)


@dataclass(frozen=True, eq=False)
class Discovery:
    """The rows and conditions of a discovery; all bad input is refused when it is made."""

    options: DiscoveryOptions
    y_true: NDArray[Any]
    conditions: Conditions
    strata: NDArray[np.intp]

    @classmethod
    def of(cls, X: Any, y: ArrayLike, options: DiscoveryOptions) -> Discovery:
        """Read the columns and check the options against the rows."""
        y_true = check_vector(y, "y")
        check_aligned(X=X, y=y)
        n = len(y_true)
        n_test = int(n * options.test_size)
        if min(n_test, n - n_test) < 2 * options.min_size:
            raise ValueError(
                f"{n} rows are too few to search on {n - n_test} and test on {n_test}: a subgroup "
                f"and the rest need min_size={options.min_size} rows each, in both parts. Pass "
                "more rows, or a smaller min_size."
            )
        by = options.standardize_by
        y_groups = encode_groups(y_true, n, "y_true")  # refuses missing labels
        if by is None:
            strata = np.zeros(n, dtype=np.intp)
        elif isinstance(by, str):
            if by != "y_true":
                raise ValueError(
                    f"standardize_by must be 'y_true', None or a value for each row; got {by!r}."
                )
            strata = y_groups.codes
        else:
            strata = encode_groups(by, n, "standardize_by").codes
        frame = _table(X, options.columns, n)
        if len(twice := frame.columns[frame.columns.duplicated()]):
            raise ValueError(f"two columns are named {twice.tolist()[0]!r}: rename one of them.")
        conditions = read_conditions(frame, options.n_bins, 2 * options.min_size)
        _check_conditions(conditions, frame, options)
        return cls(options, y_true, conditions, pool_rare(strata))

    def measure(self, distances: BoundaryDistance, seed: int) -> pd.DataFrame:
        """Run on what Rob(P) is the mean of; raises ValueError if it is infinite for some row."""
        values = self._values(distances)
        if reason := _unknown(values):
            raise ValueError(reason)
        return self.run(values, seed)

    def in_audit(
        self, distances: BoundaryDistance, seed: int
    ) -> tuple[pd.DataFrame | None, list[str]]:
        """Run as `measure`; where that is not possible, return a warning in place of the table.

        The audit's measures are NaN then.
        """
        values = self._values(distances)
        if reason := _unknown(values):
            return None, [f"no subgroups were searched: {reason}"]
        return self.run(values, seed), []

    def _values(self, distances: BoundaryDistance) -> NDArray[np.float64]:
        found, cap = distances.distance, self.options.tau_max
        return check_robustness_inputs(self.y_true, distances.predicted, found, cap)[1]

    def run(self, values: NDArray[np.float64], seed: int) -> pd.DataFrame:
        """Search on one part of the rows and test on the other; a row per subgroup tested."""
        options = self.options
        tested = _split(self.strata, options.test_size, seed)
        half, other = self._part(values, ~tested), self._part(values, tested)
        ranked, n_searched = search(half, options.min_size, options.max_conditions)
        selected = select(ranked, half, other, options.min_size)
        table = _tabulate(selected, half, other, 1 - options.confidence)
        table.attrs = {
            "n_searched": n_searched,
            "search_rows": len(half.values),
            "test_rows": len(other.values),
            "confidence": options.confidence,
        }
        return table

    def _part(self, values: NDArray[np.float64], rows: NDArray[np.bool_]) -> Half:
        names, columns = self.conditions.texts, self.conditions.columns
        conditions = Conditions(names, columns, self.conditions.holds[rows])
        return Half(values[rows], self.strata[rows], conditions)


def _unknown(values: NDArray[np.float64]) -> str:
    n_censored = int(np.isinf(values).sum())
    if not n_censored:
        return ""
    return (
        f"for {n_censored:,} rows no adversarial was found, so that no mean over them is known. "
        "Pass tau_max=, the largest distance that matters."
    )


def _table(X: Any, columns: Any, n: int) -> pd.DataFrame:
    """Return the columns to search in: those of X, some of them by name, or others."""
    if isinstance(columns, str):
        columns = [columns]
    by_name = isinstance(columns, list | tuple | pd.Index)
    source, name = (X, "X") if columns is None or by_name else (columns, "columns")
    if isinstance(source, Mapping):
        source = pd.DataFrame(source)
    elif hasattr(source, "to_pandas"):  # polars, pyarrow
        source = source.to_pandas()
    elif isinstance(source, pd.Series):
        source = source.to_frame("value" if source.name is None else source.name)
    if not isinstance(source, pd.DataFrame):
        raise ValueError(
            f"{name} is a {type_name(source)}, which does not name its columns. Pass columns=, a "
            "DataFrame with a row for each row of X: its columns need not be features of the model."
        )
    check_length(len(source), name, n)
    if not by_name:
        check_aligned(X=X, columns=source)
        return source
    if len(columns) == 0:
        raise ValueError("columns is empty: name at least one column of X, or pass None for all.")
    for each in columns:
        if each not in source.columns:
            hint = did_you_mean(str(each), map(str, source.columns))
            raise ValueError(f"columns names {each!r}, which X does not have. {hint}")
    return source.loc[:, source.columns.isin(list(columns))]


def _check_conditions(
    conditions: Conditions, frame: pd.DataFrame, options: DiscoveryOptions
) -> None:
    """Raise ValueError if there is nothing to search, or too much; warn of columns left out."""
    n, names = len(conditions.texts), list(frame.columns)
    if n > MOST_CONDITIONS:
        raise ValueError(
            f"{len(names)} columns give {n:,} conditions, and {MOST_CONDITIONS:,} can be searched. "
            "Name fewer columns by columns=, or pass a smaller n_bins or a larger min_size."
        )
    silent = [name for j, name in enumerate(names) if j not in conditions.columns]
    if not silent:
        return
    reason = f"has a category or range with min_size={options.min_size} rows in and outside of it"
    if n == 0:
        raise ValueError(f"no column can be searched: none of {few(silent, 5, repr)} {reason}.")
    warn(
        f"nothing is searched in {few(silent, 5, repr)}: none {reason} in both parts of the data. "
        "Leave such columns out by columns=.",
        GroupsWarning,
    )


def _split(strata: NDArray[np.intp], test_size: float, seed: int) -> NDArray[np.bool_]:
    """Draw the rows of the test, the same share of each stratum."""
    n = len(strata)
    order = np.random.default_rng(seed).permutation(n)
    order = order[np.argsort(strata[order], kind="stable")]
    # Every second one, for a half: rows of a stratum stand together.
    steps = np.floor(np.arange(n + 1) * test_size)
    tested = np.zeros(n, dtype=bool)
    tested[order] = np.diff(steps) > 0
    return tested


def _tabulate(selected: list[Chosen], half: Half, other: Half, alpha: float) -> pd.DataFrame:
    """Make a row per subgroup that was tested."""
    rows = []
    for chosen in selected:
        searched, inside = half.conditions.rows(chosen), other.conditions.rows(chosen)
        rest, contrast = other.compare(inside)
        ends = contrast.ends(alpha / 2 / len(selected))  # they hold together (Bonferroni)
        rows.append(
            (
                half.conditions.text(chosen),
                inside.sum(),
                other.values[inside].mean(),
                rest,
                *map(float, (contrast.difference, *ends, 2 * contrast.p_lower())),
                False,
                searched.sum(),
                half.values[searched].mean(),
                float(half.compare(searched)[1].difference),
            )
        )
    table = pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)
    table["p_value"] = holm(table["p_value"].to_numpy())
    table["confirmed"] = table["p_value"] <= alpha
    return table.sort_values("upper", kind="stable", ignore_index=True)
