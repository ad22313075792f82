"""The categories that the encoders of a fitted model know, by column."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from robfair._text import few
from robfair.cli._boosters import FileModel
from robfair.cli._csv import MISSING
from robfair.cli._errors import BadInput

__all__ = ["check_categories", "check_seen", "find_categories", "missing_cells"]

INNER = ("best_estimator_", "estimator_", "estimator")  # of searches, and of other wrappers


def find_categories(model: Any, columns: list[str]) -> dict[str, list[Any]]:
    """Return the categories of each column that enters an encoder, such as a OneHotEncoder.

    `columns` are those that the model takes, in order. Columns that nothing is known of are not in
    the result.
    """
    found: dict[str, list[Any]] = {}
    if isinstance(model, FileModel):  # whose file lists them
        return {name: known for name, known in model.categories.items() if known is not None}
    _search(model, columns, found)
    return found


def _search(step: Any, columns: list[str], found: dict[str, list[Any]]) -> bool:
    """Note what the encoders in a step know; False if the values behind it are others."""
    if isinstance(step, ColumnTransformer):
        for name, inner, _ in getattr(step, "transformers_", ()):
            indices = step._transformer_to_input_indices[name]
            if indices and max(indices) < len(columns):
                _search(inner, [columns[i] for i in indices], found)
        return False
    if isinstance(step, FeatureUnion):
        for _, inner in step.transformer_list:
            _search(inner, columns, found)
        return False
    if isinstance(step, Pipeline):
        return all(_search(inner, columns, found) for _, inner in step.steps)
    for name in INNER:
        if hasattr(step, name) and not hasattr(step, "categories_"):
            return _search(getattr(step, name), columns, found)
    known = getattr(step, "categories_", None)
    if isinstance(known, list) and len(known) == len(columns):
        for column, categories in zip(columns, known, strict=True):
            found.setdefault(column, list(categories))
    # Behind an imputer the values are still those of the column; behind others they may not be.
    return step in (None, "passthrough") or hasattr(step, "statistics_")


def missing_cells(categories: dict[str, list[Any]]) -> dict[str, set[str]]:
    """Return the columns whose categories are text, each with the cells that are missing values.

    "NA" is one unless it is a category.
    """
    return {
        name: set(MISSING) - set(known)
        for name, known in categories.items()
        if any(isinstance(each, str) for each in known)
        and all(isinstance(each, str) or pd.isna(each) for each in known)
    }


def check_categories(frame: pd.DataFrame, categories: dict[str, list[Any]]) -> None:
    """Raise BadInput if a column holds a category but for blanks, which encoders may ignore."""
    for name in missing_cells(categories).keys() & set(frame.columns):
        known = {each for each in categories[name] if isinstance(each, str)}
        stripped = {each.strip(): each for each in known}
        for value in frame[name].dropna().unique():
            if isinstance(value, str) and value not in known and value.strip() in stripped:
                row = int((frame[name] == value).to_numpy().argmax()) + 1
                raise BadInput(
                    f"column {name!r} holds {value!r}, first in row {row}, and the model knows "
                    f"{stripped[value.strip()]!r}: they differ in blanks at the ends."
                )


def check_seen(frame: pd.DataFrame, categories: dict[str, list[Any]]) -> None:
    """Raise BadInput if a column holds a category that the model has not seen."""
    for name in categories.keys() & set(frame.columns):
        unseen = (frame[name].notna() & ~frame[name].isin(categories[name])).to_numpy()
        if unseen.any():
            row = int(unseen.argmax())
            raise BadInput(
                f"column {name!r} holds {frame[name].iloc[row]!r}, first in row {row + 1}, which "
                f"the model has not seen: it knows {few(categories[name], 8, repr)}."
            )
