"""Group membership: any container of sensitive features as integer codes and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._validation import check_length, to_array

# A bootstrap from fewer samples gives an interval that is clearly too narrow.
SMALL_GROUP = 30


@dataclass(frozen=True, eq=False)
class Groups:
    """A partition of the samples."""

    codes: NDArray[np.intp]  # (n_samples,): position in `labels` of the sample's group
    labels: pd.Index[Any]  # empty groups included; a MultiIndex where columns are crossed

    def __len__(self) -> int:
        return len(self.labels)


def encode_groups(features: Any, n_samples: int, name: str = "sensitive_features") -> Groups:
    """Encode group membership of shape (n_samples,) or (n_samples, n_columns).

    One column gives the sorted distinct values. Several columns are crossed: the combinations that
    occur are the groups. A pandas Categorical declares its groups, so that a category without
    samples is an empty group; crossed with others, so is every combination without samples. Raises
    TypeError if `features` is None, ValueError if its shape or length is wrong or a label missing.
    """
    if features is None:
        raise TypeError(
            f"{name} is None. Pass the group of each sample, as an array or a DataFrame of "
            "several columns to be crossed."
        )
    columns = _columns(features, n_samples, name)
    encoded = [_encode_column(values, label) for values, label in columns]
    _check_missing([codes for codes, _ in encoded], name)
    if len(encoded) == 1:
        return Groups(*encoded[0])
    declared = any(_is_categorical(values) for values, _ in columns)
    return _cross(encoded, declared)


def _columns(features: Any, n_samples: int, name: str) -> list[tuple[Any, Any]]:
    """List each column with its name, so that it keeps its own type."""
    columns: list[tuple[Any, Any]]
    if isinstance(features, pd.DataFrame):
        columns = [(features.iloc[:, j], label) for j, label in enumerate(features.columns)]
    elif hasattr(features, "columns") and hasattr(features, "__getitem__"):  # polars
        columns = [(features[label], label) for label in features.columns]
    elif _is_categorical(features):
        columns = [(features, getattr(features, "name", None))]
    else:
        array = to_array(features)
        if array.ndim not in (1, 2):
            raise ValueError(
                f"{name} must have shape (n_samples,) or (n_samples, n_columns); got a "
                f"{type(features).__name__} of shape {array.shape}. Pass the group of each sample."
            )
        check_length(len(array), name, n_samples)
        if array.ndim == 1:
            # A torch tensor has a `name` too, which is not a label of the column.
            label = getattr(features, "name", None) if hasattr(features, "to_numpy") else None
            columns = [(array, label or None)]
        else:
            columns = [(column, None) for column in array.T]
    if not columns:
        raise ValueError(f"{name} has no columns. Pass at least one column that names the group.")
    check_length(len(columns[0][0]), name, n_samples)
    return columns


def _is_categorical(values: Any) -> bool:
    return isinstance(getattr(values, "dtype", None), pd.CategoricalDtype)


def _encode_column(values: Any, label: Any) -> tuple[NDArray[np.intp], pd.Index[Any]]:
    if _is_categorical(values):
        column = pd.Categorical(values)
        codes, uniques = np.asarray(column.codes), column.categories  # -1 where missing
    else:
        codes, distinct = pd.factorize(to_array(values), sort=True)
        uniques = pd.Index(distinct).infer_objects()
    return codes.astype(np.intp), uniques.rename(label)


def _check_missing(codes: list[NDArray[np.intp]], name: str) -> None:
    missing = np.any([column < 0 for column in codes], axis=0)
    if missing.any():
        raise ValueError(
            f"{name} is missing (NaN or None) for {int(missing.sum())} of {len(missing)} samples. "
            "Give them a group of their own, for instance .fillna('unknown'), or leave these "
            "samples out of all arguments."
        )


def _cross(encoded: list[tuple[NDArray[np.intp], pd.Index[Any]]], declared: bool) -> Groups:
    columns = [labels for _, labels in encoded]
    shape = tuple(len(labels) for labels in columns)
    # Each combination as one number.
    cells = np.ravel_multi_index(tuple(codes for codes, _ in encoded), shape)
    # Empty combinations too, if declared.
    used = np.arange(np.prod(shape)) if declared else np.unique(cells)
    positions = np.unravel_index(used, shape)
    crossed = pd.MultiIndex.from_arrays(
        [labels.take(at) for labels, at in zip(columns, positions, strict=True)]
    )
    return Groups(np.searchsorted(used, cells), crossed)
