"""Group membership: any container of sensitive features as integer codes and labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._text import appearance, few
from robfair._validation import check_length, to_array
from robfair._warnings import warn
from robfair.exceptions import GroupsWarning

# Fewer show too little of a skewed distribution: benchmarks/bench_coverage.py has groups of 30.
SMALL_GROUP = 30
# More are an age, an income or a number of a row, which nobody compares value by value.
MAX_GROUPS = 50
MANY_ALONE = 10  # as many samples with a group each are data, not an example
MISSING = {"nan", "<NA>", "NaT"}


@dataclass(frozen=True, eq=False)
class Groups:
    """A partition of the samples."""

    codes: NDArray[np.intp]  # (n_samples,): position in `labels` of the sample's group
    labels: pd.Index[Any]  # in their order; a MultiIndex where columns are crossed

    def __len__(self) -> int:
        return len(self.labels)


def encode_groups(features: Any, n_samples: int, name: str = "sensitive_features") -> Groups:
    """Encode group membership of shape (n_samples,) or (n_samples, n_columns).

    One column gives the distinct values, sorted or in the order of a pandas Categorical. Several
    columns are crossed: the combinations that occur are the groups. Categories without samples are
    left out, with a warning; another one names values that look alike. `Groups` stay as they are.
    Raises TypeError if `features` is None, ValueError if its shape or length is wrong, a label is
    missing, or there are more groups than anyone means.
    """
    if features is None:
        raise TypeError(
            f"{name} is None. Pass the group of each sample, as an array or a DataFrame of "
            "several columns to be crossed."
        )
    if isinstance(features, Groups):
        check_length(len(features.codes), name, n_samples)
        return features
    columns = group_columns(features, n_samples, name)
    encoded = [_encode_column(values, label) for values, label in columns]
    _check_missing([codes for codes, _ in encoded], name)
    encoded = [_without_unused(codes, labels, name) for codes, labels in encoded]
    for _, labels in encoded:
        _warn_of_names(labels, name)
    groups = Groups(*encoded[0]) if len(encoded) == 1 else _cross(encoded)
    if name != "y_true":  # there may be any number of classes
        _check_number(groups, all(_is_categorical(values) for values, _ in columns), name)
    return groups


def cross_labels(outer: pd.Index[Any], inner: pd.Index[Any]) -> pd.MultiIndex:
    """Name every pair of an outer and an inner label, by the columns of both."""
    at_outer = np.repeat(np.arange(len(outer)), len(inner))
    at_inner = np.tile(np.arange(len(inner)), len(outer))
    levels = [outer.get_level_values(i).take(at_outer) for i in range(outer.nlevels)]
    levels += [inner.get_level_values(i).take(at_inner) for i in range(inner.nlevels)]
    return pd.MultiIndex.from_arrays(levels, names=[*outer.names, *inner.names])


def _check_values(features: list[Any], name: str, n_samples: int) -> None:
    """Raise ValueError if a short list of texts can only be names of columns."""
    if len(features) < min(n_samples, 10) and all(isinstance(each, str) for each in features):
        raise ValueError(
            f"{name} has {len(features)} samples and y_true has {n_samples}. If {features!r} are "
            f"names of columns, pass the columns: X[{features!r}]."
        )


def group_columns(features: Any, n_samples: int, name: str) -> list[tuple[Any, Any]]:
    """List each column with its name, so that it keeps its own type."""
    features = _in_a_frame(features)
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
                f"{type(features).__name__} of shape {array.shape}. Pass the group of each sample"
                + (f", such as X[{features!r}]." if isinstance(features, str) else ".")
            )
        if len(array) != n_samples and isinstance(features, list):
            _check_values(features, name, n_samples)
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


def _in_a_frame(features: Any) -> Any:
    """Turn what holds columns or categories, and is neither pandas nor polars, into pandas."""
    if isinstance(features, Mapping) or getattr(getattr(features, "dtype", None), "names", None):
        return pd.DataFrame(features)  # of a dict, or a structured array
    if type(features).__module__.partition(".")[0] == "pyarrow":
        return features.to_pandas()
    if hasattr(features, "collect") and hasattr(features, "columns"):  # a LazyFrame of polars
        return features.collect()
    return features


def _is_categorical(values: Any) -> bool:
    return isinstance(getattr(values, "dtype", None), pd.CategoricalDtype)


def _encode_column(values: Any, label: Any) -> tuple[NDArray[np.intp], pd.Index[Any]]:
    if _is_categorical(values):
        column = pd.Categorical(values)
        codes, uniques = np.asarray(column.codes), column.categories  # -1 where missing
    else:
        codes, distinct = _factorized(to_array(values))
        uniques = pd.Index(distinct).infer_objects()
    return codes.astype(np.intp), uniques.rename(label)


def _factorized(values: NDArray[Any]) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """Return codes and the distinct values in order; by their text, if they have no order."""
    try:
        return pd.factorize(values, sort=True)
    except TypeError:
        codes, distinct = pd.factorize(values)
        order = np.argsort([str(value) for value in distinct], kind="stable")
        return np.where(codes < 0, codes, np.argsort(order)[codes]), distinct[order]


def _check_missing(codes: list[NDArray[np.intp]], name: str) -> None:
    missing = np.any([column < 0 for column in codes], axis=0)
    if missing.any():
        raise ValueError(
            f"{name} is missing (NaN or None) for {int(missing.sum())} of {len(missing)} samples. "
            "Give them a group of their own, for instance .fillna('unknown'), or leave these "
            "samples out of all arguments."
        )


def _without_unused(
    codes: NDArray[np.intp], labels: pd.Index[Any], name: str
) -> tuple[NDArray[np.intp], pd.Index[Any]]:
    """Leave out the categories that are declared and have no samples, with a warning."""
    used = np.bincount(codes, minlength=len(labels)) > 0
    if used.all():
        return codes, labels
    warn(
        f"{name} declares {int((~used).sum())} of {len(labels)} categories that no sample has, "
        f"which are left out: {few(labels[~used], 5, repr)}. To leave them out yourself, call "
        ".cat.remove_unused_categories().",
        GroupsWarning,
    )
    return (np.cumsum(used) - 1)[codes], labels[used]


def _warn_of_names(labels: pd.Index[Any], name: str) -> None:
    """Warn if two names look alike, or one is what numpy and pandas write for a missing value."""
    if labels.dtype.kind in "biufmM":
        return
    looks: dict[str, list[Any]] = {}
    for label in labels:
        looks.setdefault(appearance(label), []).append(label)
    alike = [pair for pair in looks.values() if len(pair) > 1]
    if alike:
        warn(
            f"{name} holds names that look alike and count as different groups: "
            f"{few(alike, 3, ascii)}. If they are the same, strip the names, and normalise their "
            "Unicode (NFC).",
            GroupsWarning,
        )
    missing = [label for label in labels if isinstance(label, str) and label in MISSING]
    if missing:
        warn(
            f"{name} holds a group named {few(missing, 3, repr)}, which is how a missing value is "
            "written as text: np.array([..., np.nan]) and .astype(str) do so. If it is one, name "
            "the group with .fillna('unknown') before, or leave its samples out.",
            GroupsWarning,
        )


def _check_number(groups: Groups, declared: bool, name: str) -> None:
    """Raise ValueError if there are more groups than anyone means."""
    n_samples, n_groups = len(groups.codes), len(groups)
    alone = n_groups == n_samples > MANY_ALONE
    if not alone and (declared or n_groups <= MAX_GROUPS):
        return
    raise ValueError(
        f"{name} has {n_groups} groups for {n_samples} samples"
        f"{', a group for each' if alone else ''}. Make intervals of a number, for instance "
        "pd.cut(age, [0, 30, 50, 120]), and join rare categories or leave out a column."
        + ("" if alone else " If all of them are meant, pass .astype('category').")
    )


def _cross(encoded: list[tuple[NDArray[np.intp], pd.Index[Any]]]) -> Groups:
    columns = [labels for _, labels in encoded]
    shape = tuple(len(labels) for labels in columns)
    # Each combination as one number.
    cells = np.ravel_multi_index(tuple(codes for codes, _ in encoded), shape)
    used, codes = np.unique(cells, return_inverse=True)
    crossed = pd.MultiIndex.from_arrays(
        [labels.take(at) for labels, at in zip(columns, np.unravel_index(used, shape), strict=True)]
    )
    return Groups(codes, crossed)
