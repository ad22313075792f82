"""Trees behind the transformers of a Pipeline, read in the columns that enter it.

Each output of the transformers must follow from one column: for codes of categories in any way, for
numbers by an affine function, whose splits are found back to the last bit by bisection through the
transformers themselves. What they make of rows whose values are shuffled is held against it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair.adapters._steps import chained
from robfair.adapters.trees._ensemble import Ensemble, UnreadableTrees

__all__ = ["StepsBefore", "read_behind"]

N_BASES = 3  # rows in which all values of a column are tried
N_VALUES = 30  # of a column of numbers that are tried
MOST_VALUES = 5000  # of a column of categories
NEAR = 1e-6  # relative width of the first interval in which a split is looked for
DOUBLINGS = 40

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class StepsBefore:
    """The steps of a Pipeline before its last one, and some rows of a table.

    Attributes
    ----------
    transform : callable or None
        From a table to what the last step is given; None where that is the table itself.
    last : object
        The last step.
    decode : callable
        From an array of numbers and codes to a table.
    rows : ndarray of shape (n_rows, n_columns)
        Some rows as such an array.
    """

    transform: Callable[[Any], Any] | None
    last: Any
    decode: Callable[[NDArray[Any]], Any]
    rows: Floats

    def through(self, transform: Callable[[Any], Any] | None, last: Any) -> StepsBefore:
        """Return the steps with those of a Pipeline that is the last one of them."""
        return replace(self, transform=chained(self.transform, transform), last=last)

    def outputs(self, rows: Floats) -> list[pd.Series[Any]]:
        """Return what the last step is given for rows, column by column."""
        table = self.decode(rows)
        try:
            out = table if self.transform is None else self.transform(table)
        except Exception as error:
            reason = str(error).strip().split("\n")[0]
            raise UnreadableTrees(f"the steps before it refuse some values ({reason})") from error
        out = out.toarray() if hasattr(out, "toarray") else out
        frame = out if isinstance(out, pd.DataFrame) else pd.DataFrame(np.asarray(out))
        if len(frame) != len(rows):
            raise UnreadableTrees("the steps before it return another number of rows")
        return [frame.iloc[:, k] for k in range(frame.shape[1])]


Read = Callable[[Any, Mapping[int, Sequence[Any]]], Ensemble]


def read_behind(
    steps: StepsBefore, categories: Mapping[int, Sequence[Any]], read: Read
) -> Ensemble:
    """Read trees behind transformers.

    Parameters
    ----------
    steps : StepsBefore
        The transformers and the last step.
    categories : dict
        For columns of categories: the values that the codes 0, 1, ... stand for.
    read : callable
        Reads the last step; see :func:`robfair.adapters.trees.read_trees`.

    Returns
    -------
    Ensemble
        The trees, as they look at the columns that enter the transformers.

    Raises
    ------
    UnreadableTrees
        If an output that the trees look at follows from several columns or from a number that is
        not mapped by an affine function, or the last step cannot be read.
    """
    probes = _Probes(steps, categories)
    inner = read(steps.last, probes.inner_categories)
    mapped = _map(inner, probes)
    probes.hold(inner, mapped)
    return mapped


class _Probes:
    """Rows that differ in one column alone, and what the transformers make of them."""

    def __init__(self, steps: StepsBefore, categories: Mapping[int, Sequence[Any]]) -> None:
        self.steps, self.rows, self.categories = steps, steps.rows, categories
        n = len(self.rows)
        if n == 0:
            raise UnreadableTrees("there are no rows on which the steps before it could be tried")
        self.bases = self.rows[np.unique(np.linspace(0, n - 1, N_BASES).astype(np.intp))]
        self.values = [self._values(j) for j in range(self.rows.shape[1])]
        tried = [self._with(j) for j in range(len(self.values))]
        outputs = self.steps.outputs(np.concatenate([self.rows, *tried]))
        self.coded = [self._is_coded(k, output) for k, output in enumerate(outputs)]
        # The categories that each coded output holds, which become codes.
        self.known: list[list[Any]] = [
            list(dict.fromkeys(v for v in output.astype(object) if v == v and v is not None))
            if coded
            else []
            for output, coded in zip(outputs, self.coded, strict=True)
        ]
        self.seen = self._encode(outputs)
        self.owner = self._find_owners()

    @property
    def inner_categories(self) -> dict[int, list[Any]]:
        """The values that the codes of outputs stand for."""
        return {k: known for k, known in enumerate(self.known) if self.coded[k]}

    def made_of(self, rows: Floats) -> Floats:
        """Return the outputs of rows as numbers and codes."""
        return self._encode(self.steps.outputs(rows))

    def tried(self, j: int, k: int) -> Floats:
        """Return an output for each value of a column; the last one is a gap."""
        size = [len(self.bases) * len(values) for values in self.values]
        start = len(self.rows) + sum(size[:j])
        return self.seen[start : start + len(self.values[j]), k]

    def split_at(self, j: int, k: int, splits: Floats) -> tuple[bool, Floats]:
        """Return the greatest number of a column up to each split of an output; and if it rises.

        For one that falls: the greatest number whose output is above the split.
        """
        x, z = self.values[j][:-1], self.tried(j, k)[:-1]
        known = ~np.isnan(z)
        if not known.all() or len(x) < 2:
            raise UnreadableTrees(
                f"the steps before it leave gaps in column {j}, or know one value"
            )
        scale = (z[-1] - z[0]) / (x[-1] - x[0])
        offset = z[0] - scale * x[0]
        held = ~np.isnan(self.rows[:, j])
        off = np.abs(scale * self.rows[held, j] + offset - self.seen[: len(self.rows)][held, k])
        width = 1e-5 * np.ptp(z) + 1e-12 * np.abs(z).max()
        if scale == 0 or (off > width).any():
            raise UnreadableTrees(f"the steps before it map column {j} by no affine function")
        rises = bool(scale > 0)
        at = np.flatnonzero(np.isfinite(splits))  # others part gaps from numbers

        def is_low(x: Floats) -> NDArray[np.bool_]:
            rows = np.repeat(self.bases[:1], len(x), axis=0)
            rows[:, j] = x
            z = self.made_of(rows)[:, k]
            return z <= splits[at] if rises else z > splits[at]

        start = (splits[at] - offset) / scale
        found = splits if rises else -splits
        found[at] = _bisect(is_low, start, NEAR * (np.abs(start) + np.ptp(x)) + 1)
        return rises, found

    def hold(self, inner: Ensemble, mapped: Ensemble) -> None:
        """Raise UnreadableTrees unless rows of shuffled values end in the same leaves."""
        rng = np.random.default_rng(0)  # the same rows, and the same verdict, in each run
        rows = self.rows.copy()
        for j, values in enumerate(self.values):
            there = ~np.isnan(rows[:, j])
            rows[there, j] = rng.choice(values[:-1], int(there.sum()))
        rows = np.concatenate([rows, self.rows])
        if (mapped.leaves(rows) != inner.leaves(self.made_of(rows))).any():
            raise UnreadableTrees("the steps before it mix columns")

    def _values(self, j: int) -> Floats:
        """Return the values of a column that are tried, and a gap."""
        if j in self.categories:
            codes = [code for code, value in enumerate(self.categories[j]) if value is not None]
            if len(codes) > MOST_VALUES:
                raise UnreadableTrees(f"column {j} holds {len(codes):,} categories")
            return np.array([*codes, np.nan])
        x = self.rows[:, j]
        x = np.unique(x[~np.isnan(x)])
        at = np.unique(np.linspace(0, len(x) - 1, min(N_VALUES, len(x))).astype(np.intp))
        return np.append(x[at], np.nan)

    def _with(self, j: int) -> Floats:
        """Return the bases with each value of a column; a gap only where the column has some."""
        values = self.values[j]
        if not np.isnan(self.rows[:, j]).any():
            values = np.append(values[:-1], values[:1])  # instead of the gap
        rows = np.repeat(self.bases, len(values), axis=0)
        rows[:, j] = np.tile(values, len(self.bases))
        return rows

    def _is_coded(self, k: int, output: pd.Series[Any]) -> bool:
        """Tell whether the last step is given categories in an output."""
        told = getattr(self.steps.last, "get_cat_feature_indices", None)  # of CatBoost
        if told is not None and k in told():
            return True
        held = output[output.notna()]
        return isinstance(output.dtype, pd.CategoricalDtype) or not all(
            isinstance(value, int | float | np.number | np.bool_) for value in held
        )

    def _encode(self, outputs: Sequence[pd.Series[Any]]) -> Floats:
        columns = []
        for output, coded, known in zip(outputs, self.coded, self.known, strict=True):
            if coded:
                codes = pd.Index(known, dtype=object).get_indexer(pd.Index(output.astype(object)))
                columns.append(np.where(codes < 0, np.nan, codes))
            else:
                columns.append(output.to_numpy(dtype=np.float64, na_value=np.nan))
        return np.stack(columns, axis=1)

    def _find_owners(self) -> NDArray[np.intp]:
        """Return the column that each output follows from, -1 for none and -2 for several."""
        owner = np.full(self.seen.shape[1], -1)
        start = len(self.rows)
        for j, values in enumerate(self.values):
            part = self.seen[start : start + len(self.bases) * len(values)]
            start += len(part)
            part = part.reshape(len(self.bases), len(values), -1)
            first = part[:, :1]
            moves = ((part != first) & ~(np.isnan(part) & np.isnan(first))).any(axis=(0, 1))
            owner = np.where(moves, np.where(owner == -1, j, -2), owner)
        return owner


def _map(inner: Ensemble, probes: _Probes) -> Ensemble:
    """Return the trees with each node looking at the column that its output follows from."""
    feature, split = inner.feature.copy(), inner.split.copy()
    left, right = inner.left.copy(), inner.right.copy()
    missing_left = inner.missing_left.copy()
    left_set = np.full(len(feature), -1, dtype=np.intp)
    sets: list[NDArray[np.bool_]] = []
    n_codes = max([0, *(len(values) for values in probes.categories.values())])
    for k in np.unique(inner.feature[inner.feature >= 0]):
        at, j = np.flatnonzero(inner.feature == k), int(probes.owner[k])
        if j == -2:
            raise UnreadableTrees("the steps before it mix columns")
        made = probes.tried(max(j, 0), int(k))
        goes = np.array([inner.goes_left(at, np.full(len(at), z)) for z in made])
        feature[at], missing_left[at] = max(j, 0), goes[-1]
        if j in probes.categories:
            flags = np.zeros((len(at), n_codes), dtype=bool)
            flags[:, probes.values[j][:-1].astype(np.intp)] = goes[:-1].T
            left_set[at] = sum(map(len, sets)) + np.arange(len(at))
            sets.append(flags)
        elif j < 0 or np.ptp(made[:-1]) == 0:
            split[at] = np.where(goes[0], np.inf, -np.inf)  # of gaps alone, or constant
        elif (inner.left_set[at] >= 0).any():
            raise UnreadableTrees(f"the steps before it make codes of column {j}, a number")
        else:
            rises, split[at] = probes.split_at(j, int(k), inner.split[at])
            if not rises:
                left[at], right[at] = right[at], left[at].copy()
                missing_left[at] = ~missing_left[at]
    return replace(
        inner,
        n_features=probes.rows.shape[1],
        feature=feature,
        split=split,
        left=left,
        right=right,
        missing_left=missing_left,
        left_set=left_set,
        left_sets=np.concatenate(sets) if sets else np.zeros((0, 0), dtype=bool),
        categories={},
    )


def _bisect(is_low: Callable[[Floats], NDArray[np.bool_]], start: Floats, width: Floats) -> Floats:
    """Return the greatest numbers that are low, given that these lie close to `start`."""
    low, high = start - width, start + width
    for _ in range(DOUBLINGS):
        wrong_low, wrong_high = ~is_low(low), is_low(high)
        if not wrong_low.any() and not wrong_high.any():
            break
        width = width * 2
        low, high = (
            np.where(wrong_low, start - width, low),
            np.where(wrong_high, start + width, high),
        )
    else:
        raise UnreadableTrees("the steps before it are not affine beyond the rows")
    while True:
        middle = low / 2 + high / 2
        open_ = (middle > low) & (middle < high)
        if not open_.any():
            return low
        lower = is_low(np.where(open_, middle, low))
        low, high = np.where(open_ & lower, middle, low), np.where(open_ & ~lower, middle, high)
