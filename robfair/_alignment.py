"""A check that the tables of a call name the same rows, and columns, in the same order."""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import Any

import pandas as pd

from robfair._text import few, type_name


def check_aligned(**samples: Any) -> None:
    """Raise ValueError if two of the arguments have an index, and name their rows differently.

    `samples` are the arguments of the user by their names. Those without an index are matched by
    position. So are those whose index has names of another kind, or runs from 0 to n - 1, as pandas
    makes it where none is given, unless two hold the same labels in another order. Raise TypeError
    for X of pyarrow, whose columns no model knows by name.
    """
    if type_name(samples.get("X")).startswith("pyarrow"):
        raise TypeError(
            f"X is a {type_name(samples['X'])}, which has no columns to read by name. Pass "
            "X.to_pandas(), or polars.from_arrow(X), as the model's predict takes it."
        )
    indexes = {
        name: values.index
        for name, values in samples.items()
        if isinstance(getattr(values, "index", None), pd.Index)
    }
    for (name, index), (other_name, other) in combinations(indexes.items(), 2):
        # Where lengths differ, another check says so. Labels of two dtypes may still be equal.
        if len(index) != len(other) or index.equals(other) or list(index) == list(other):
            continue
        reordered = Counter(index) == Counter(other)
        if not reordered and (_is_default(index, other) or _kind(index) != _kind(other)):
            continue
        at = next(i for i, pair in enumerate(zip(index, other, strict=True)) if pair[0] != pair[1])
        raise ValueError(
            f"the indexes of {name} and {other_name} differ: they hold "
            f"{'the same labels in another order' if reordered else 'different labels'}, "
            f"{index.tolist()[at]!r} and {other.tolist()[at]!r} at position {at}. Align them, e.g. "
            f"{other_name}.loc[{name}.index]; or, if the rows are in the same order, pass "
            f"{other_name}.to_numpy()."
        )


def check_columns(**frames: Any) -> None:
    """Raise ValueError if two of the arguments have the same columns in another order."""
    named = {
        name: list(values.columns) for name, values in frames.items() if hasattr(values, "columns")
    }
    for (name, columns), (other_name, other) in combinations(named.items(), 2):
        if columns != other and Counter(columns) == Counter(other):
            raise ValueError(
                f"the columns of {name} and {other_name} are in another order, {few(columns)} and "
                f"{few(other)}: pass {other_name}[{name}.columns]."
            )


def _is_default(*indexes: pd.Index[Any]) -> bool:
    """Tell whether one of the indexes is what pandas makes where none is given."""
    return any(index.equals(pd.RangeIndex(len(index))) for index in indexes)


def _kind(index: pd.Index[Any]) -> str:
    kind = index.inferred_type
    return "number" if kind in ("integer", "floating", "mixed-integer-float") else kind
