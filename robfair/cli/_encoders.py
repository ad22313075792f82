"""The categories that the encoders of a fitted model know, by column."""

from __future__ import annotations

from typing import Any

import pandas as pd

from robfair._text import few
from robfair.adapters import known_categories
from robfair.cli._boosters import FileModel
from robfair.cli._csv import MISSING
from robfair.cli._errors import BadInput

__all__ = ["check_categories", "check_seen", "find_categories", "missing_cells"]


def find_categories(model: Any, columns: list[str]) -> dict[str, list[Any]]:
    """Return the categories of each column that enters an encoder, such as a OneHotEncoder.

    `columns` are those that the model takes, in order. Columns that nothing is known of are not in
    the result.
    """
    if isinstance(model, FileModel):  # whose file lists them
        return {name: known for name, known in model.categories.items() if known is not None}
    return known_categories(model, columns)


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
    """Raise BadInput if a column holds a category but for blanks, which encoders may ignore.

    The index of the frame counts the rows of the file from 0.
    """
    for name in missing_cells(categories).keys() & set(frame.columns):
        known = {each for each in categories[name] if isinstance(each, str)}
        stripped = {each.strip(): each for each in known}
        for value in frame[name].dropna().unique():
            if isinstance(value, str) and value not in known and value.strip() in stripped:
                row = frame.index[int((frame[name] == value).to_numpy().argmax())] + 1
                raise BadInput(
                    f"column {name!r} holds {value!r}, first in row {row}, and the model knows "
                    f"{stripped[value.strip()]!r}: they differ in blanks at the ends."
                )


def check_seen(frame: pd.DataFrame, categories: dict[str, list[Any]]) -> None:
    """Raise BadInput if a column holds a category that the model has not seen.

    The index of the frame counts the rows of the file from 0.
    """
    for name in categories.keys() & set(frame.columns):
        unseen = (frame[name].notna() & ~frame[name].isin(categories[name])).to_numpy()
        if unseen.any():
            row = int(unseen.argmax())
            raise BadInput(
                f"column {name!r} holds {frame[name].iloc[row]!r}, first in row "
                f"{frame.index[row] + 1}, which "
                f"the model has not seen: it knows {few(categories[name], 8, repr)}."
            )
