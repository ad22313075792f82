"""Categories that XGBoost has not seen, wherever it predicts: in Pipelines and wrappers too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from sklearn.frozen import FrozenEstimator

from robfair.adapters._steps import has_steps, last_step

__all__ = ["check_seen"]


def check_seen(model: Any, X: Any) -> None:
    """Raise ValueError if X holds a category that XGBoost would take for another one.

    It gives what it has not seen the code of its first category; other libraries take it for a gap.

    Parameters
    ----------
    model : object
        The model: XGBoost's, or one that has such a model inside.
    X : array-like of shape (n_samples, n_features)
        The rows. Only columns of a DataFrame have categories.
    """
    if not isinstance(X, pd.DataFrame):
        return
    for transform, member in _members(model):
        booster = member.get_booster() if hasattr(member, "get_booster") else member
        if not hasattr(booster, "get_categories"):
            continue
        known = _known(booster)
        if not known:
            continue
        try:
            frame = X if transform is None else transform(X)
        except Exception:  # which the model raises as well, in its own words
            continue
        if isinstance(frame, pd.DataFrame):
            _check(known, frame)


def _members(model: Any) -> Iterator[tuple[Any, Any]]:
    """Yield the models that predict, and the transformers before them within `model`."""
    model = getattr(model, "predicts_by", model)
    transform, last = last_step(model) if has_steps(model) else (None, model)
    if last is not model:
        for inner, member in _members(last):
            yield _after(transform, inner), member
        return
    inside = [
        getattr(model, "estimator_", None),  # thresholds
        model.estimator if isinstance(model, FrozenEstimator) else None,
        *(one.estimator for one in getattr(model, "calibrated_classifiers_", ())),
    ]
    members = getattr(model, "estimators_", ())  # voting, stacking
    inside += list(members) if isinstance(members, list) else []
    inside = [one for one in inside if hasattr(one, "predict") and hasattr(one, "__dict__")]
    if not inside or hasattr(model, "get_booster"):
        yield None, model
        return
    for one in inside:
        yield from _members(one)


def _after(first: Any, second: Any) -> Any:
    """Return one function after another; None changes nothing."""
    if first is None or second is None:
        return first or second
    return lambda X: second(first(X))


def _known(booster: Any) -> dict[str, list[Any]]:
    """Return the categories that a booster of XGBoost has seen, by column."""
    try:
        told = booster.get_categories(export_to_arrow=True).to_arrow() or ()
    except ImportError:  # it tells them by pyarrow
        return {}
    return {name: values.to_pylist() for name, values in told if values is not None}


def _check(known: dict[str, list[Any]], frame: pd.DataFrame) -> None:
    for name, values in known.items():
        column = frame.get(name)
        if column is None or not hasattr(column, "cat"):
            continue
        unseen = column[column.notna() & ~column.isin(values)]
        if len(unseen):
            raise ValueError(
                f"column {str(name)!r} holds {unseen.iloc[0]!r}, which the model has not seen, and "
                f"XGBoost takes it for {values[0]!r}: leave these rows out of X, or fit the model "
                "on data that holds it."
            )
