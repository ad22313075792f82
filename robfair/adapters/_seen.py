"""Categories that XGBoost or LightGBM has not seen, in Pipelines and wrappers too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd
from sklearn.frozen import FrozenEstimator

from robfair.adapters._steps import has_steps, last_step

__all__ = ["check_seen"]


def check_seen(model: Any, X: Any) -> None:
    """Raise ValueError if X holds a category that a model would take for something else.

    XGBoost gives what it has not seen the code of its first category, and LightGBM takes it for a
    gap: an attacker could then leave a value out by another name.

    Parameters
    ----------
    model : object
        The model: one of these libraries, or one that has such a model inside.
    X : array-like of shape (n_samples, n_features)
        The rows. Only columns of a DataFrame have categories.
    """
    if not isinstance(X, pd.DataFrame):
        return
    for transform, member in _members(model):
        if not _takes_categories(member):
            continue
        try:
            frame = X if transform is None else transform(X)
        except Exception:  # which the model raises as well, in its own words
            continue
        if isinstance(frame, pd.DataFrame):
            _check(member, frame)


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


def _takes_categories(member: Any) -> bool:
    booster = _booster(member)
    return hasattr(booster, "get_categories") or bool(getattr(booster, "pandas_categorical", None))


def _booster(member: Any) -> Any:
    if hasattr(member, "get_booster"):  # of XGBoost
        return member.get_booster()
    return getattr(member, "booster_", member)  # of LightGBM


def _known(booster: Any, frame: pd.DataFrame) -> tuple[str, dict[Any, list[Any]]]:
    """Return a library's name, and the categories that its booster has seen, by column."""
    if not hasattr(booster, "get_categories"):
        columns = frame.select_dtypes("category").columns  # which it counts, too
        return "LightGBM", dict(zip(columns, booster.pandas_categorical, strict=False))
    try:
        told = booster.get_categories(export_to_arrow=True).to_arrow() or ()
    except ImportError:  # it tells them by pyarrow
        told = ()
    return "XGBoost", {name: values.to_pylist() for name, values in told if values is not None}


def _check(member: Any, frame: pd.DataFrame) -> None:
    library, known = _known(_booster(member), frame)
    for name, values in known.items():
        column = frame.get(name)
        if column is None or not hasattr(column, "cat"):
            continue
        unseen = column[column.notna() & ~column.isin(values)]
        if len(unseen):
            other = repr(values[0]) if library == "XGBoost" else "a missing value"
            raise ValueError(
                f"column {str(name)!r} holds {unseen.iloc[0]!r}, which the model has not seen, and "
                f"{library} takes it for {other}: leave these rows out of X, or fit the model "
                "on data that holds it."
            )
