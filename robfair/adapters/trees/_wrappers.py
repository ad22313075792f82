"""Finds what a classifier is wrapped around, and which one of them decides."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator

from robfair.adapters._steps import has_steps, last_step
from robfair.adapters.trees._behind import StepsBefore
from robfair.adapters.trees._calibrated import calibrated_inside
from robfair.adapters.trees._thresholds import has_threshold

__all__ = ["COMBINED", "decides", "holds_steps", "inside", "wrapped_by"]

# Classifiers that ask several others.
COMBINED = (AdaBoostClassifier, BaggingClassifier, StackingClassifier, VotingClassifier)


def wrapped_by(estimator: Any) -> Any:
    """Return what an estimator is wrapped around; None if it is wrapped around nothing.

    Of `StepsBefore` the wrapper is the last step, and a Pipeline adds its own steps to those before
    it: elsewhere nothing tells what enters them. A threshold and the calibration under it are one
    wrapper.
    """
    if isinstance(estimator, StepsBefore):
        if has_steps(estimator.last):
            return estimator.through(*last_step(estimator.last))
        inner = wrapped_by(estimator.last)
        return None if inner is None else replace(estimator, last=inner)
    if inside(estimator) is not estimator:
        return inside(estimator)
    if not has_threshold(estimator):
        return calibrated_inside(estimator)
    calibrated = calibrated_inside(inside(estimator.estimator_))
    return estimator.estimator_ if calibrated is None else calibrated


def inside(estimator: Any) -> Any:
    """Return what predicts for a classifier that gives it labels, or keeps it from being fitted."""
    if type(estimator) is FrozenEstimator and "predict" not in vars(estimator):
        return estimator.estimator
    return getattr(estimator, "predicts_by", estimator)


def decides(estimator: Any) -> Any:
    """Return the classifier whose scores are those of an estimator."""
    if has_steps(estimator):
        return decides(last_step(estimator)[1])
    inner = inside(estimator)
    return estimator if inner is estimator else decides(inner)


def holds_steps(estimator: Any) -> bool:
    """Tell whether there is a Pipeline in what an estimator is wrapped around, or asks.

    Parameters
    ----------
    estimator : object
        A fitted classifier.

    Returns
    -------
    bool
        True for a Pipeline, for a wrapper around one, and for an ensemble with one among its
        members.
    """
    if has_steps(estimator):
        return True
    inner = wrapped_by(estimator)
    if inner is not None:
        return holds_steps(inner)
    members = getattr(estimator, "estimators_", ()) if isinstance(estimator, COMBINED) else ()
    return any(holds_steps(member) for member in members)
