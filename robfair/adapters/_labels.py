"""Any classifier as a function to labels, in the space that is perturbed.

:func:`as_labels` asks of a model only that it predicts: forests, boosting, nearest neighbours, or a
function that sends its samples elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted
from torch import nn

from robfair.adapters._logits import (
    Adapted,
    LogitModel,
    NotDifferentiable,
    as_logits,
    from_pipeline,
    is_torch_estimator,
    refitted,
)

__all__ = ["LabelModel", "as_labels", "as_model"]


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
    """

    predict: Callable[[NDArray[Any]], NDArray[Any]]
    classes: NDArray[Any] | None = None
    transform: Callable[[Any], Any] | None = None
    estimator: Any = None
    dtype = torch.float64
    device = torch.device("cpu")


def as_labels(model: Any) -> LabelModel:
    r"""Adapt `model` to a function to labels.

    Parameters
    ----------
    model : object
        A fitted classifier with a method ``predict``, a Pipeline or \*SearchCV over one, whatever
        :func:`as_logits` takes, or a function from an array of samples to an array of labels.

    Returns
    -------
    LabelModel
        The adapted model.

    Raises
    ------
    TypeError
        If the model does not predict labels.
    sklearn.exceptions.NotFittedError
        If it is not fitted.
    """
    if isinstance(model, LabelModel):
        return model
    if isinstance(model, type):
        raise TypeError(f"model is the class {model.__name__}, not a fitted instance of it.")
    if isinstance(model, LogitModel | nn.Module):
        return _from_logits(as_logits(model), None)
    if isinstance(model, BaseSearchCV):
        return as_labels(refitted(model))
    if isinstance(model, Pipeline):
        return from_pipeline(model, as_labels)
    if hasattr(model, "predict"):
        return _from_estimator(model)
    if callable(model):
        return LabelModel(_Checked(model))
    raise TypeError(
        f"cannot get labels from a model of type {type(model).__name__}: give a fitted classifier "
        "with a method predict, or a function from an array of samples to an array of labels."
    )


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
            f"{type(model).__name__} is a {kind.replace('_', ' ')}, and only a classifier has a "
            "decision boundary. To study a threshold on its output, give a function such as "
            "lambda X: model.predict(X) > threshold."
        )
    if hasattr(model, "fit"):
        check_is_fitted(model)
    # These cast their inputs by themselves; skorch does not.
    if hasattr(model, "get_params") and is_torch_estimator(model):
        return _from_logits(as_logits(model), model)
    classes = getattr(model, "classes_", None)
    if isinstance(classes, list):
        raise TypeError(f"{type(model).__name__} has several outputs; robfair needs one.")
    predict: Callable[[Any], Any] = model.predict
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        # Fitted on a DataFrame.
        predict = _Named(predict, tuple(names))
    return LabelModel(
        _Checked(predict), None if classes is None else np.asarray(classes), estimator=model
    )


def _from_logits(model: LogitModel, estimator: Any) -> LabelModel:
    return LabelModel(_Argmax(model), model.classes, model.transform, estimator)


@dataclass(frozen=True)
class _Named:
    """Gives columns their names back, without which scikit-learn warns."""

    predict: Callable[[Any], Any]
    names: tuple[Any, ...]

    def __call__(self, X: NDArray[Any]) -> Any:
        return self.predict(pd.DataFrame(X, columns=list(self.names)))


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
        if labels.shape != (len(X),):
            raise ValueError(
                f"the model must return one label per sample, an array of shape ({len(X)},); it "
                f"returned a {type(returned).__name__} of shape {labels.shape}. If these are "
                "probabilities, take their argmax."
            )
        return labels
