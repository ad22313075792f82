"""Any classifier as a function to labels, in the space that is perturbed.

:func:`as_labels` asks of a model only that it predicts: forests, boosting, nearest neighbours, or a
function that sends its samples elsewhere.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from joblib import parallel_config
from numpy.typing import NDArray
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted
from torch import nn

from robfair.adapters._boosters import with_labels
from robfair.adapters._logits import (
    Adapted,
    LogitModel,
    NotDifferentiable,
    as_logits,
    predicts_by_module,
)
from robfair.adapters._steps import has_steps, last_step, without_transformers

__all__ = ["LabelModel", "as_labels", "as_model", "checked"]


@dataclass(frozen=True)
class LabelModel(Adapted):
    """A classifier as a function from a batch of samples to labels.

    Attributes
    ----------
    predict : callable
        From samples, an array (n_samples, ...) in the space that is perturbed, to an array of n
        labels.
    classes : ndarray of shape (n_classes,) or None
        The labels, sorted; None if the model does not tell them.
    transform : callable or None
        What a Pipeline does before its last step.
    estimator : object or None
        The fitted last step; None for a function.
    dtype : torch.dtype
        That of the points that are predicted.
    """

    predict: Callable[[NDArray[Any]], NDArray[Any]]
    classes: NDArray[Any] | None = None
    transform: Callable[[Any], Any] | None = None
    estimator: Any = None
    dtype: torch.dtype = torch.float64
    device = torch.device("cpu")

    @property
    def categories(self) -> Mapping[int, Sequence[Any]]:
        """The values that codes in columns of a table stand for; here the columns are numbers."""
        return {}

    def in_dtype_of(self, X: NDArray[Any]) -> LabelModel:
        """Return this model for points in the dtype of `X`, as it would meet them."""
        if X.dtype != np.float32 or self.dtype == torch.float32:
            return self
        return replace(self, predict=_Cast(self.predict, "float32"), dtype=torch.float32)


def as_labels(model: Any) -> LabelModel:
    r"""Adapt `model` to a function to labels.

    Parameters
    ----------
    model : object
        A fitted classifier with a method ``predict``, a Pipeline or \*SearchCV over one, a booster
        of XGBoost, LightGBM or CatBoost that decides on classes, whatever :func:`as_logits` takes,
        or a function from an array of samples to an array of labels.

    Returns
    -------
    LabelModel
        The adapted model.

    Raises
    ------
    TypeError
        If the model does not predict labels.
    ValueError
        If it knows one class only.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    """
    if isinstance(model, LabelModel):
        return model
    if isinstance(model, type):
        raise TypeError(f"model is the class {model.__name__}, not a fitted instance of it.")
    if isinstance(model, LogitModel | nn.Module):
        return _from_logits(as_logits(model))
    if has_steps(model):
        transform, _ = last_step(model)  # first: it raises for what cannot predict
        inner = without_transformers(model)
        adapted = _from_estimator(inner) if has_steps(inner) else as_labels(inner)
        return replace(adapted, transform=transform)
    if hasattr(model, "predict"):
        return _from_estimator(with_labels(model))
    if callable(model):
        return LabelModel(_Checked(model))
    raise TypeError(
        f"cannot get labels from a model of type {type(model).__name__}: give a fitted classifier "
        "with a method predict, or a function from an array of samples to an array of labels."
        f"{_instead(model)}"
    )


def _instead(model: Any) -> str:
    """Say what to do with something that is often given for a model."""
    if isinstance(model, str | os.PathLike):
        return " Load the file first: robfair does not open it, since a pickle may run code."
    if isinstance(model, Mapping):
        values = list(model.values())
        if values and all(isinstance(value, torch.Tensor) for value in values):
            return " These are weights: make the network, and call its load_state_dict."
        return " To audit several models, call robfair.compare."
    if hasattr(model, "shape"):
        return " Give the model itself, not its predictions."
    return ""


def as_model(model: Any) -> LogitModel | LabelModel:
    """Adapt `model` to a function to logits, or to labels where it has no gradient.

    Parameters
    ----------
    model : object
        What :func:`as_logits` or :func:`as_labels` takes.

    Returns
    -------
    LogitModel or LabelModel
        The adapted model.
    """
    try:
        return as_logits(model)
    except NotDifferentiable:
        return as_labels(model)


def _from_estimator(model: Any) -> LabelModel:
    """Adapt a fitted estimator. Raises TypeError if it is not a classifier of one output."""
    if hasattr(model, "__sklearn_tags__"):  # scikit-learn's; others may have the older attribute
        kind = get_tags(model).estimator_type
    else:
        kind = getattr(model, "_estimator_type", None)
    if kind not in ("classifier", None):
        raise TypeError(
            f"{type(model).__name__} is a{'n' * (kind[0] in 'aeiou')} {kind.replace('_', ' ')}, "
            "and only a classifier has a decision boundary. To study a threshold on its output, "
            "give a function such as lambda X: model.predict(X) > threshold."
        )
    if hasattr(model, "fit"):
        check_is_fitted(model)
    classes = getattr(model, "classes_", None)
    if isinstance(classes, list):
        raise TypeError(f"{type(model).__name__} has several outputs; robfair needs one.")
    if classes is not None and len(classes) == 1:
        only = np.asarray(classes).tolist()[0]
        raise ValueError(
            f"{type(model).__name__} knows one class only, {only!r}: it has no decision boundary. "
            "Was it fitted on rows of one label?"
        )
    predict: Callable[[Any], Any] = model.predict
    further = _further_arguments(predict)
    if further:
        arguments = ", ".join(f"{name}=..." for name in further)
        raise TypeError(
            f"{type(model).__name__}.predict needs {' and '.join(further)} besides X: give a "
            "function that finds these for any samples, also perturbed ones, such as "
            f"lambda X: model.predict(X, {arguments})."
        )
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        # Fitted on a DataFrame.
        predict = _Named(predict, tuple(names))
    elif predicts_by_module(model):
        dtype = str(as_logits(model).dtype).removeprefix("torch.")
        predict = _Cast(predict, dtype)  # skorch does not cast its inputs
    return LabelModel(
        _Checked(_InOrder(predict)),
        None if classes is None else np.asarray(classes),
        estimator=model,
    )


def _from_logits(model: LogitModel) -> LabelModel:
    return LabelModel(_Argmax(model), model.classes, model.transform)


def checked(predict: Callable[[Any], Any]) -> Callable[[Any], NDArray[Any]]:
    """Return `predict`, which now raises ValueError unless it gives one label for each sample."""
    return _Checked(predict)


@dataclass(frozen=True)
class _Named:
    """Gives columns their names back, without which scikit-learn warns."""

    predict: Callable[[Any], Any]
    names: tuple[Any, ...]

    def __call__(self, X: NDArray[Any]) -> Any:
        return self.predict(pd.DataFrame(X, columns=list(self.names)))


@dataclass(frozen=True)
class _Cast:
    """Predicts points in another dtype."""

    predict: Callable[[Any], Any]
    dtype: str

    def __call__(self, X: NDArray[Any]) -> Any:
        return self.predict(X.astype(self.dtype))


@dataclass(frozen=True)
class _InOrder:
    """Predicts without joblib's workers.

    A forest adds up its trees in the order in which threads have done with them, so that a tied row
    has one class or another by chance.
    """

    predict: Callable[[Any], Any]

    def __call__(self, X: NDArray[Any]) -> Any:
        with parallel_config(backend="sequential"):
            return self.predict(X)


@dataclass(frozen=True)
class _Argmax:
    """The labels of the greatest logits."""

    model: LogitModel

    def __call__(self, X: NDArray[Any]) -> NDArray[Any]:
        with torch.no_grad(), self.model.forward(X.shape[1:]) as forward:
            logits = forward(self.model.tensor(X))
        return self.model.labels(logits.argmax(dim=1).cpu().numpy())


@dataclass(frozen=True)
class _Checked:
    """Raises ValueError unless there is one label for each sample."""

    predict: Callable[[Any], Any]

    def __call__(self, X: NDArray[Any]) -> NDArray[Any]:
        returned = self.predict(X)
        labels = np.asarray(returned)
        if labels.shape == (len(X), 1):  # CatBoost, of three classes and more
            labels = labels[:, 0]
        if labels.shape != (len(X),):
            raise ValueError(
                f"the model must return one label per sample, an array of shape ({len(X)},); it "
                f"returned a {type(returned).__name__} of shape {labels.shape}. If these are "
                "probabilities, take their argmax."
            )
        return labels


def _further_arguments(predict: Callable[..., Any]) -> list[str]:
    """Return the arguments that a method ``predict`` needs besides the samples."""
    try:
        parameters = list(inspect.signature(predict).parameters.values())[1:]
    except (TypeError, ValueError):  # some callables do not tell
        return []
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p.name for p in parameters if p.default is p.empty and p.kind not in variadic]
