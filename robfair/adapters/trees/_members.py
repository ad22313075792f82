"""Weighted sums of members that are read one by one: soft votes over Pipelines, and stacks.

A stack whose final estimator is linear adds up the probabilities of its members, each with a weight
of its own, and a soft vote does so with one weight a member. These are sums of leaves if the
probabilities are, as those of trees, forests and averages of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import AdaBoostClassifier, StackingClassifier, VotingClassifier
from sklearn.linear_model._base import LinearClassifierMixin

from robfair.adapters.trees._assemble import assemble, split_trees
from robfair.adapters.trees._combined import is_average, is_combined_of_trees, is_vote
from robfair.adapters.trees._ensemble import Ensemble, UnreadableTrees
from robfair.adapters.trees._sklearn import is_forest
from robfair.adapters.trees._wrappers import decides

__all__ = ["is_sum_of_members", "read_members", "why_not_a_sum"]


def is_sum_of_members(estimator: Any) -> bool:
    """Tell whether a fitted classifier adds up members that are to be read one by one.

    Parameters
    ----------
    estimator : object
        Anything.

    Returns
    -------
    bool
        True for a soft vote over Pipelines, and for a stack with a linear end, if the members are
        trees, forests or averages of these.
    """
    if is_combined_of_trees(estimator) or not (_is_soft(estimator) or _is_linear_stack(estimator)):
        return False
    members = getattr(estimator, "estimators_", ())
    return len(members) > 0 and all(_adds_up(member) for member in members)


def why_not_a_sum(estimator: Any) -> str:
    """Say why a classifier that asks several others, all of them trees, is not a sum of leaves."""
    if isinstance(estimator, StackingClassifier) and not _is_linear_stack(estimator):
        return (
            "what its members say goes through a classifier of its own, which a sum of leaves "
            "follows only if that is linear in their probabilities and sees nothing else"
        )
    if is_vote(estimator) or isinstance(estimator, AdaBoostClassifier):
        return "it counts votes, which are a sum of leaves only if each voter is a single tree"
    return (
        "it adds up probabilities, which are a sum of leaves only for trees, forests and averages "
        "of these: boosting turns its sum into a probability by a curve, and a Pipeline inside of "
        "bagging has steps of its own"
    )


def read_members(estimator: Any, read: Callable[[Any], Ensemble]) -> Ensemble:
    """Read a classifier that adds up members.

    Parameters
    ----------
    estimator : VotingClassifier or StackingClassifier
        The classifier, of which `is_sum_of_members` is true.
    read : callable
        Reads a member.

    Returns
    -------
    Ensemble
        The trees of all members, as they count.

    Raises
    ------
    UnreadableTrees
        If a member does not know all classes, or cannot be read.
    """
    n_classes = len(estimator.classes_)
    if any(len(decides(member).classes_) != n_classes for member in estimator.estimators_):
        raise UnreadableTrees("not all of its members know all of its classes")
    trees, rounding = [], 0.0
    base, weights = _linear(estimator)
    for member, weight in zip(estimator.estimators_, weights, strict=True):
        ensemble = read(member)
        if is_forest(decides(member)):  # a sum, not the average
            weight = weight / len(ensemble.roots)
        rounding += ensemble.rounding * float(np.abs(weight).sum())
        trees += [replace(tree, value=tree.value @ weight) for tree in split_trees(ensemble)]
    greatest = np.abs(base).max() + sum(float(np.abs(tree.value).max()) for tree in trees)
    # Two sums in orders of their own, of products and quotients.
    rounding += float(4 * greatest * len(trees) * np.finfo(np.float64).eps)
    return assemble(
        trees,
        classes=estimator.classes_,
        n_features=ensemble.n_features,
        base=base,
        rounding=rounding,
    )


def _is_soft(estimator: Any) -> bool:
    return isinstance(estimator, VotingClassifier) and not is_vote(estimator)


def _is_linear_stack(estimator: Any) -> bool:
    """Tell whether a fitted stack is linear in the probabilities of its members."""
    return (
        isinstance(estimator, StackingClassifier)
        and not estimator.passthrough
        and isinstance(getattr(estimator, "final_estimator_", None), LinearClassifierMixin)
        and set(estimator.stack_method_) == {"predict_proba"}
    )


def _adds_up(member: Any) -> bool:
    """Tell whether the probabilities of a member are a sum of leaves."""
    member = decides(member)
    return is_average(member) or (_is_soft(member) and is_sum_of_members(member))


def _linear(
    estimator: Any,
) -> tuple[NDArray[np.float64], Iterator[NDArray[np.float64]]]:
    """Return what scores begin with, and the weights of each member.

    A weight is a matrix from the scores of a member to those of the sum. The score of two classes
    is the probability of the second less that of the first.
    """
    n_members, n_classes = len(estimator.estimators_), len(estimator.classes_)
    n_scores = 1 if n_classes == 2 else n_classes
    if isinstance(estimator, VotingClassifier):
        told = estimator._weights_not_none
        counts = np.ones(n_members) if told is None else np.asarray(told, dtype=np.float64)
        return np.zeros(n_scores), (np.eye(n_scores) * w for w in counts / counts.sum())
    end = estimator.final_estimator_
    coef = np.atleast_2d(end.coef_).astype(np.float64)
    intercept = np.ravel(end.intercept_).astype(np.float64)
    if n_classes == 2:  # of which the stack keeps the second probability, (1 + score) / 2
        return intercept + coef.sum() / 2, (coef[:, [k]] / 2 for k in range(n_members))
    return intercept, iter(np.split(coef.T, n_members))
