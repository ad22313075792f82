"""Find out which features a fitted transformer makes of which column, and by which function.

Only the categories that encoders know are read from the transformer's parts. The rest is found by
probing: rows that differ in one column only are transformed, and the features that then differ
belong to that column. A last check, of rows with shuffled values, confirms that no feature depends
on two columns together.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from robfair.threat._block import Block
from robfair.threat._codec import Category, Column, Number, Opaque, as_dtype, key
from robfair.threat._resolution import is_whole, written_step

# Probes show what a feature depends on; that all of X lies on the line found is checked apart, so
# that a few suffice. The cost is one pass of N_BASES * N_VALUES rows per column.
N_BASES = 5  # rows in which the values of a column are tried
N_VALUES = 9  # values of a numeric column that are tried
N_SHUFFLED = 1000  # rows of the last check
# Numbers in the output of the probes of one column, 512 MB: a column of names would take more.
PROBED = 2**26


class ColumnReader:
    """A fitted transformer, and samples in its original columns."""

    def __init__(self, transformer: Any, X: pd.DataFrame) -> None:
        self.transformer, self.X = transformer, X
        self.encoders: dict[Hashable, list[Any]] = {}  # the categories known, by column
        self.lenient: set[Hashable] = set()  # columns whose encoder takes other values, too
        self.steps: dict[Hashable, str] = {}  # the step of a ColumnTransformer, by column
        if not hasattr(self.transformer, "transform"):
            raise TypeError(
                "transformer must be a fitted ColumnTransformer or another transformer, such as "
                f"pipeline[:-1]; got a {type(self.transformer).__name__} without `transform`. For "
                "a model that takes the table as it is, use ThreatModel.from_frame."
            )
        check_is_fitted(self.transformer)
        names = getattr(self.transformer, "feature_names_in_", None)
        if names is None and not hasattr(self.transformer, "n_features_in_"):
            names = X.columns  # one of the user's own, which takes them as they come
        if names is None:
            raise ValueError(
                "the transformer was not fitted on a DataFrame whose columns are named by strings: "
                "fit it on one, so that it knows its columns."
            )
        absent = [name for name in names if name not in self.X.columns]
        if absent:
            raise ValueError(f"X has no column {absent[0]!r}, which the transformer was fitted on.")
        self.names = list(names)
        self.used = set(self.names)
        self._find_encoders(self.transformer, self.names)

    @property
    def encodes(self) -> bool:
        """Tell whether a column that is used is anything but a number that need not be whole."""
        used = [self.X[name] for name in self.names if name in self.used]
        real = (pd.api.types.is_float_dtype(x.dtype) and not is_whole(x) for x in used)
        return bool(self.encoders) or not all(real)

    @cached_property
    def rows(self) -> NDArray[Any]:
        """X as the transformer gives it."""
        return self.transform(self.X)

    def _add_unseen(self) -> None:
        """Add what encoders have not seen to what they know, or raise if they do not take it."""
        for name, known in self.encoders.items():
            seen = {key(value) for value in known}
            unseen = [value for value in self.X[name].dropna().unique() if value not in seen]
            if unseen and name not in self.lenient:
                raise ValueError(
                    f"column {name!r} holds {unseen[0]!r}, which its encoder has not seen: fit the "
                    "transformer on data that holds it, or leave these rows out of X."
                )
            self.encoders[name] = [*known, *unseen]

    def _find_encoders(self, step: Any, names: list[Hashable]) -> bool:
        """Note the steps of columns and the categories of encoders; False ends the search."""
        if isinstance(step, ColumnTransformer):
            for label, inner, _ in step.transformers_:
                columns = [names[i] for i in step._transformer_to_input_indices[label]]
                if inner != "drop":
                    self.steps.update(dict.fromkeys(columns, label))
                    self._find_encoders(inner, columns)
            self.used -= set(names) - set(self.steps)
            return False
        if isinstance(step, Pipeline):
            return all(self._find_encoders(inner, names) for _, inner in step.steps)
        known = getattr(step, "categories_", None)
        if isinstance(known, list) and len(known) == len(names):
            self.encoders.update({n: c.tolist() for n, c in zip(names, known, strict=True)})
            if getattr(step, "handle_unknown", "ignore") != "error":
                self.lenient.update(names)
        # Behind an imputer the values are still those of the column; behind others they may not be.
        return step in (None, "passthrough") or hasattr(step, "statistics_")

    def transform(self, frame: pd.DataFrame) -> NDArray[Any]:
        """Transform rows, and return an array of floats."""
        try:
            out = self.transformer.transform(frame[self.names])  # a copy: some work in place
        except ValueError as error:
            raise ValueError(f"the transformer fails on X: {error}") from error
        out = out.toarray() if hasattr(out, "toarray") else np.asarray(out)
        try:
            out = out if out.dtype.kind == "f" else out.astype(np.float64)
        except ValueError as error:
            raise ValueError(f"the transformer must return numbers only: {error}") from error
        if not np.isfinite(out).all():
            feature = int(np.flatnonzero(~np.isfinite(out).all(axis=0))[0])
            raise ValueError(
                f"the transformer returns NaN or infinity in feature {feature}: put an imputer "
                "before it."
            )
        return out

    def read(
        self, further: dict[Hashable, list[float]], integer: frozenset[Hashable]
    ) -> tuple[Column, ...]:
        """Find the features of each column, and the function that makes them.

        `further` are values of numeric columns that are tried beside those in X, and `integer` the
        columns that move by whole steps.
        """
        self._add_unseen()
        tried = {name: self._values(name, further.get(name, [])) for name in self.X.columns}
        outputs = {name: self._probe_or_reason(name, values) for name, values in tried.items()}
        features = {
            name: np.array([], dtype=np.intp) if isinstance(output, str) else self._features(output)
            for name, output in outputs.items()
        }
        owners: dict[int, list[Hashable]] = {}
        for name, made in features.items():
            for feature in made:
                owners.setdefault(int(feature), []).append(name)
        columns: list[Column] = []
        for name, values in tried.items():
            made, output = features[name], outputs[name]
            step = f"by {self.steps[name]!r}" if name in self.steps else "by the transformer"
            others = [other for f in made for other in owners[int(f)] if other != name]
            dtype, single = self.X[name].dtype, name in self.used and len(values) < 2
            column: Column | None = None
            if isinstance(output, str):
                columns.append(Opaque(name, output))
                continue
            if single:
                reason = "holds one value only in X"
            elif not len(made):
                reason = "changes nothing for the transformer"
            elif dtype.kind in "mM":
                reason = f"is of dtype {dtype}, neither a number nor a category"
            elif others:
                reason = f"is mixed with {others[0]!r} {step}"
            elif not self._is_number(name):
                column = self._category(name, values, made, output[0])
            elif len(made) > 1:
                reason = f"is made into {len(made)} features {step}, not an affine function of it"
            else:
                reason = f"is not mapped by an affine function of the column {step}"
                column = self._number(name, values, int(made[0]), output[0], name in integer)
            columns.append(column or Opaque(name, reason, idle=single or not len(made)))
        return tuple(columns)

    def _is_number(self, name: Hashable) -> bool:
        """Tell whether a column is numeric, and not taken apart by an encoder."""
        dtype = self.X[name].dtype
        numeric = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
        return numeric and name not in self.encoders

    def _values(self, name: Hashable, further: list[float]) -> list[Any]:
        """Return the values of a column that are tried, in order where they are numbers."""
        column = self.X[name]
        if name not in self.used:
            return []
        if self._is_number(name):
            x = np.sort(column.dropna().to_numpy(dtype=np.float64))
            spread = x[np.linspace(0, len(x) - 1, min(N_VALUES, len(x))).astype(int)]
            return np.unique([*spread, *further]).tolist()  # type: ignore[no-any-return]
        values = self.encoders.get(name, column.dropna().unique().tolist())
        # Where X holds missing values that an imputer fills, they have the code of its filling.
        seen = {key(value) for value in values}
        return [*values, None] if column.isna().any() and None not in seen else values

    def _probe_or_reason(self, name: Hashable, values: Sequence[Any]) -> NDArray[Any] | str:
        """Probe a column, or say why that cannot be done."""
        if N_BASES * len(values) * self.rows.shape[1] > PROBED:
            return f"holds {len(values):,} values, which are too many to try"
        try:
            return self.probe(name, values)
        except ValueError as error:
            return f"cannot be tried with other values: {error}".rstrip(".")

    def probe(self, name: Hashable, values: Sequence[Any]) -> NDArray[Any]:
        """Return the features, of shape (rows tried, values, features), with each value put in."""
        if not len(values):
            return self.rows[None, :1]
        base = np.unique(np.linspace(0, len(self.X) - 1, N_BASES).astype(int))
        frame = self.X.iloc[np.repeat(base, len(values))].reset_index(drop=True)
        frame[name] = as_dtype(list(values) * len(base), self.X[name].dtype)
        return self.transform(frame).reshape(len(base), len(values), -1)

    def _rounding(self, output: NDArray[Any]) -> NDArray[np.float64]:
        """Return how far two outputs of each feature may differ and still count as equal."""
        low = np.minimum(self.rows.min(axis=0), output.min(axis=(0, 1)))
        high = np.maximum(self.rows.max(axis=0), output.max(axis=(0, 1)))
        size = np.maximum(np.abs(low), np.abs(high))
        return np.asarray(1e-6 * (high - low) + 8 * np.finfo(output.dtype).eps * size)

    def _features(self, output: NDArray[Any]) -> NDArray[np.intp]:
        """Return the features that differ between the values of a column."""
        differs = np.abs(output - output[:, :1]) > self._rounding(output)
        return np.flatnonzero(differs.any(axis=(0, 1)))

    def _number(
        self, name: Hashable, x: list[float], feature: int, output: NDArray[Any], integer: bool
    ) -> Number | None:
        """Fit the line through the values, and return it if all of X lies on it."""
        z = output[:, feature].astype(np.float64)
        scale = (z[-1] - z[0]) / (x[-1] - x[0])
        offset = z[0] - scale * x[0]
        column, held = self.X[name], self.rows[:, feature].astype(np.float64)
        filled = held[column.isna()]
        missing = filled[0] if len(filled) and np.ptp(filled) == 0 else np.nan
        size = float(np.abs(z).max())
        number = Number(
            name,
            column.dtype,
            feature,
            scale,
            offset,
            float(missing),
            integer,
            size,
            written_step(column),
        )
        known = column.notna().to_numpy()
        off = np.r_[scale * np.array(x) + offset - z, (number.encode(column[known]) - held[known])]
        if scale == 0 or (np.abs(off) > 10 * self._rounding(output)[feature]).any():
            return None
        return number

    def _category(
        self, name: Hashable, values: list[Any], features: NDArray[np.intp], output: NDArray[Any]
    ) -> Category:
        """Collect the codes of the categories, and those that share one."""
        codes, code = np.unique(output[:, features], axis=0, return_inverse=True)
        times = self.X[name].map(key).value_counts(dropna=False)
        often = {key(value): n for value, n in times.items()}
        same: list[list[Any]] = [[] for _ in codes]
        for value, i in zip(values, code.ravel(), strict=True):
            same[i].append(value)
        shared = tuple(tuple(sorted(s, key=lambda v: -often.get(key(v), 0))) for s in same)
        block = Block(features.tolist(), codes, name=str(name))
        return Category(name, self.X[name].dtype, block, shared)

    def check_apart(self, columns: Sequence[Number | Category]) -> None:
        """Raise unless columns keep their features when they change together."""
        feature = self._not_apart(columns)
        if feature is not None:
            raise ValueError(
                f"feature {feature} of the transformer's output depends on several columns "
                "together, or on whether one is missing: leave these out of `mutable`."
            )

    def apart(self, columns: Sequence[Number | Category]) -> list[Number | Category]:
        """Return those columns, one after another, that keep their features together."""
        if self._not_apart(columns) is None:
            return list(columns)
        kept: list[Number | Category] = []
        for column in columns:
            if self._not_apart([*kept, column]) is None:
                kept.append(column)
        return kept

    def _not_apart(self, columns: Sequence[Number | Category]) -> int | None:
        """Shuffle values of columns together; return a feature that is not as expected, if any."""
        # Spread over X, which may be sorted.
        at = np.unique(np.linspace(0, len(self.X) - 1, N_SHUFFLED).astype(int))
        frame, expected = self.X.iloc[at].reset_index(drop=True), self.rows[at].copy()
        rng = np.random.default_rng(0)  # the same rows, and the same verdict, in each run
        for column in columns:
            present = self.X[column.name].dropna().to_numpy(dtype=object)
            there = frame[column.name].notna().to_numpy()  # gaps stay gaps
            cells = frame[column.name].to_numpy(dtype=object, copy=True)
            cells[there] = rng.choice(present, int(there.sum()))
            frame[column.name] = as_dtype(cells, column.dtype)
            encoded = column.encode(frame[column.name][there])
            if isinstance(column, Number):
                expected[there, column.feature] = encoded
            else:
                columns_of = np.array(column.block.columns)
                expected[np.flatnonzero(there)[:, None], columns_of] = column.block.codes[encoded]
        off = np.abs(self.transform(frame) - expected) > 10 * self._rounding(expected[None])
        return int(np.flatnonzero(off.any(axis=0))[0]) if off.any() else None
