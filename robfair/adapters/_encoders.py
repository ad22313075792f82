"""The categories that the encoders inside a fitted model know, by column of what it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

__all__ = ["known_categories"]

# Where searches, wrappers and ensembles keep what they give their columns to.
INNER = (
    "best_estimator_",
    "calibrated_classifiers_",
    "estimators_",
    "estimator_",
    "estimator",
)

Column = TypeVar("Column")


def known_categories(model: Any, columns: Sequence[Column]) -> dict[Column, list[Any]]:
    """Return the categories of each column that enters an encoder, such as a OneHotEncoder.

    Parameters
    ----------
    model : object
        A fitted model: a Pipeline, a search, or a wrapper or ensemble of these.
    columns : sequence
        Names or positions of the columns that the model takes, in order.

    Returns
    -------
    dict
        The categories by column. A column of which nothing is known is left out.
    """
    found: dict[Column, list[Any]] = {}
    _search(model, list(columns), found)
    return found


def _search(step: Any, columns: list[Column], found: dict[Column, list[Any]]) -> bool:
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
    known = getattr(step, "categories_", None)
    if isinstance(known, list):
        if len(known) == len(columns):
            for column, categories in zip(columns, known, strict=True):
                found.setdefault(column, list(categories))
    elif (name := next((name for name in INNER if hasattr(step, name)), None)) is not None:
        subsets = getattr(step, "estimators_features_", None)  # of bagging
        for i, inner in enumerate(_listed(getattr(step, name))):
            own = columns if subsets is None else [columns[j] for j in subsets[i]]
            _search(inner, own, found)
    # Behind an imputer the values are still those of the column; behind others they may not be.
    return step in (None, "passthrough") or hasattr(step, "statistics_")


def _listed(held: Any) -> list[Any]:
    if isinstance(held, np.ndarray):
        return held.ravel().tolist()
    return held if isinstance(held, list) else [held]  # numpy would take Pipelines apart
