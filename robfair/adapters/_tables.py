"""Classifiers of whole tables: the columns are perturbed, and the model is given the table.

Categories, integers and gaps are numbers to a search; before the model predicts, they become the
columns again that it knows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from robfair.adapters._boosters import with_labels
from robfair.adapters._given import presented, some_rows
from robfair.adapters._labels import LabelModel, as_labels, checked
from robfair.adapters._logits import LogitModel
from robfair.adapters.trees import StepsBefore, holds_steps, is_tree_ensemble

__all__ = ["TableCodec", "TableModel", "of_array", "of_table"]


class TableCodec(Protocol):
    """The columns of a table as an array of numbers, and back."""

    @property
    def is_numeric(self) -> bool:
        """Tell whether each number is the value of a column."""

    @property
    def categories(self) -> Mapping[int, Sequence[Any]]:
        """The values that the codes 0, 1, ... of columns stand for, None for none."""

    def encode(self, X: Any) -> NDArray[np.float64]:
        """Return a table as an array."""

    def decode(self, points: NDArray[Any]) -> Any:
        """Return an array as a table."""

    def holding(self, X: Any) -> TableCodec:
        """Return a codec that knows what a table holds in columns that stay as they are."""

    def with_fractions(self) -> TableCodec:
        """Return a codec that does not round integers."""

    @property
    def names(self) -> list[Any]:
        """The names of the columns."""


@dataclass(frozen=True)
class TableModel(LabelModel):
    """A classifier of tables as a function to labels, from their columns as numbers.

    Attributes
    ----------
    predict, classes, transform, estimator, dtype : object
        As for :class:`LabelModel`.
    codec : TableCodec
        What turns a table into numbers and back.
    """

    codec: TableCodec | None = None

    @property
    def categories(self) -> Mapping[int, Sequence[Any]]:
        """The values that the codes 0, 1, ... of columns stand for, None for none."""
        assert self.codec is not None
        return self.codec.categories

    def inputs(self, X: Any) -> NDArray[Any]:
        """Return a table as the array of numbers that is perturbed."""
        assert self.codec is not None
        return self.codec.encode(X)

    def with_fractions(self) -> LabelModel:
        """Return a model of the same columns that is given fractions as they are."""
        assert isinstance(self.predict, _OfTable)
        codec = self.predict.codec.with_fractions()
        return replace(self, predict=replace(self.predict, codec=codec))

    def in_dtype_of(self, X: NDArray[Any]) -> LabelModel:
        """Return this model: its codec gives each column its own dtype."""
        return self


def of_table(
    model: Any, adapted: LogitModel | LabelModel, X: Any, codec: TableCodec
) -> LogitModel | LabelModel:
    """Return the model of the columns of a table.

    Parameters
    ----------
    model : object
        The user's model.
    adapted : LogitModel or LabelModel
        What :func:`adapt` made of it.
    X : DataFrame or ndarray of shape (n_samples, n_columns)
        The samples as the user has them.
    codec : TableCodec
        That of the threat model.

    Returns
    -------
    LogitModel or LabelModel
        `adapted` if it has logits and sees the columns as they are; else a TableModel.

    Raises
    ------
    TypeError, ValueError
        If the samples do not fit the codec, or the model sees arrays and these are none.
    """
    if isinstance(adapted, TableModel):
        return adapted
    codec = codec.holding(X)
    array = codec.encode(X)
    numbers = codec.is_numeric and bool(np.isfinite(array).all())
    if isinstance(adapted, LogitModel) and adapted.transform is None and numbers:
        return adapted
    if isinstance(model, nn.Module | LogitModel):
        raise ValueError(
            f"{type(model).__name__} sees numbers, and the table holds text, categories or missing "
            "values: put it behind an encoder in a Pipeline, with ThreatModel.from_transformer."
        )
    model = with_labels(model)
    labels = as_labels(model)
    estimator = labels.estimator
    steps = StepsBefore(labels.transform, estimator, codec.decode, _with_gaps(array))
    if labels.transform is not None or _needs_steps(steps):
        estimator = steps
    return TableModel(_OfTable(model, codec), labels.classes, estimator=estimator, codec=codec)


def of_array(model: LabelModel, X: NDArray[Any]) -> LabelModel:
    """Return a model whose trees are read in the features of X, also behind steps inside of it.

    Parameters
    ----------
    model : LabelModel
        A model of these features.
    X : ndarray of shape (n_samples, n_features)
        The samples.

    Returns
    -------
    LabelModel
        `model` itself unless something is wrapped around Pipelines of trees.
    """
    decode = partial(_decoded, model.estimator, X.dtype)
    steps = StepsBefore(None, model.estimator, decode, some_rows(X))
    return replace(model, estimator=steps) if _needs_steps(steps) else model


def _needs_steps(steps: StepsBefore) -> bool:
    """Tell whether trees are read through Pipelines that a last step is wrapped around, or asks."""
    return holds_steps(steps.last) and is_tree_ensemble(steps)


def _decoded(estimator: Any, dtype: Any, points: NDArray[Any]) -> Any:
    """Return points as an estimator was fitted; a function with a name, for other processes."""
    return presented(estimator, points.astype(dtype))


def _with_gaps(X: NDArray[Any]) -> NDArray[Any]:
    """Return some rows, and one with a gap of each column that has any."""
    return np.concatenate([some_rows(X), X[np.unique(np.isnan(X).argmax(axis=0))]])


@dataclass(frozen=True)
class _OfTable:
    """Predicts rows of numbers as rows of the table."""

    model: Any
    codec: TableCodec

    def __call__(self, points: NDArray[Any]) -> NDArray[Any]:
        predict = checked(getattr(self.model, "predict", self.model))
        try:
            return predict(presented(self.model, self.codec.decode(points)))
        except Exception as error:
            line = str(error).strip().split("\n")[0]
            raise ValueError(
                f"{type(self.model).__name__}.predict fails on rows of the table, some of them "
                f"perturbed: {type(error).__name__}: {line}"
            ) from error
