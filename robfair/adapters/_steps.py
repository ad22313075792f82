"""Pipelines and searches: the transformers, the last step, and what predicts after them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn.model_selection._search import BaseSearchCV
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

__all__ = ["chained", "has_steps", "last_step", "transformers", "without_transformers"]


def has_steps(model: Any) -> bool:
    """Tell whether `model` is a Pipeline or a search."""
    return isinstance(model, Pipeline | BaseSearchCV)


def last_step(model: Any) -> tuple[Callable[[Any], Any] | None, Any]:
    r"""Return the transformers of a Pipeline or \*SearchCV, as one function, and the last step.

    Raises TypeError if a search was fitted without a refit, or a Pipeline ends in "passthrough".
    """
    if isinstance(model, BaseSearchCV):
        return last_step(_refitted(model))
    if not isinstance(model, Pipeline):
        return None, model
    last = model.steps[-1][1]
    if last in (None, "passthrough"):
        raise TypeError("the Pipeline ends in 'passthrough', not in a classifier.")
    inner, classifier = last_step(last)
    steps = _transformers(model)
    return chained(None if steps is None else steps.transform, inner), classifier


def chained(
    first: Callable[[Any], Any] | None, second: Callable[[Any], Any] | None
) -> Callable[[Any], Any] | None:
    """Return one transformation after the other; None is none.

    Parameters
    ----------
    first, second : callable or None
        The transformations.

    Returns
    -------
    callable or None
        Both, which can be pickled if they can.
    """
    if first is None or second is None:
        return first or second
    return _Chain(first, second)


def transformers(model: Any) -> Pipeline | None:
    """Return the transformers before the last step, of inner Pipelines too, or None.

    Parameters
    ----------
    model : object
        A fitted model of any kind.

    Returns
    -------
    Pipeline or None
        The transformers; None without any.
    """
    if isinstance(model, BaseSearchCV):
        return transformers(getattr(model, "best_estimator_", None))
    if not isinstance(model, Pipeline):
        return None
    outer, inner = _transformers(model), transformers(model.steps[-1][1])
    if outer is None or inner is None:
        return outer or inner
    return Pipeline([("outer", outer), ("inner", inner)])


def _transformers(model: Pipeline) -> Pipeline | None:
    """Return a Pipeline without its last step, or None if no other step transforms."""
    # The samplers of imbalanced-learn take part in fit alone.
    steps = [step for step in model.steps[:-1] if not hasattr(step[1], "fit_resample")]
    if not steps:
        return None
    check_is_fitted(model)
    return _with(model, steps=steps)


def without_transformers(model: Any) -> Any:
    """Return what predicts from the input of the last step on.

    That is the last step itself, unless a class of the user's around it, or a function put in place
    of its `predict`, decides by a rule of its own: then a shallow copy without the transformers.
    """
    if isinstance(model, BaseSearchCV):
        inner = without_transformers(model.best_estimator_)
        return inner if _is_plain(model) else _with(model, best_estimator_=inner)
    if isinstance(model, Pipeline):
        name, last = model.steps[-1]
        inner = without_transformers(last)
        return inner if _is_plain(model) else _with(model, steps=[(name, inner)])
    return model


def _refitted(search: BaseSearchCV) -> Any:
    check_is_fitted(search)
    if not hasattr(search, "best_estimator_"):
        raise TypeError(f"{type(search).__name__} was fitted with refit=False: it has no model.")
    return search.best_estimator_


def _is_plain(model: Any) -> bool:
    return type(model).__module__.startswith("sklearn.") and "predict" not in vars(model)


def _with(model: Any, **attributes: Any) -> Any:
    changed = copy.copy(model)  # its own class and attributes, whatever its __init__ takes
    vars(changed).update(attributes)
    return changed


@dataclass(frozen=True)
class _Chain:
    """Two transformations, one after the other; a class so that it can be pickled and hashed."""

    first: Callable[[Any], Any]
    second: Callable[[Any], Any]

    def __call__(self, X: Any) -> Any:
        return self.second(self.first(X))
