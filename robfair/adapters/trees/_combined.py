"""Bagging, voting and AdaBoost over scikit-learn's trees and forests.

An average of probabilities is a sum of leaves if each probability is: of a tree, of a forest, of
bagging or soft voting of these. Boosting turns its sum into a probability by a curve, so that
averages of boosting are not sums. Votes are sums of leaves if each voter is a single tree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import AdaBoostClassifier, BaggingClassifier, VotingClassifier
from sklearn.tree import DecisionTreeClassifier

from robfair.adapters.trees._assemble import Tree, assemble
from robfair.adapters.trees._ensemble import Ensemble
from robfair.adapters.trees._sklearn import differences, is_forest, plain_tree

__all__ = [
    "is_average",
    "is_combined_of_trees",
    "is_vote",
    "read_adaboost",
    "read_bagging",
    "read_voting",
]


def is_combined_of_trees(estimator: Any) -> bool:
    """Tell whether a fitted AdaBoost, bagging or voting classifier is a sum of leaves."""
    members = getattr(estimator, "estimators_", ())
    if isinstance(estimator, AdaBoostClassifier) or is_vote(estimator):
        return len(members) > 0 and all(isinstance(m, DecisionTreeClassifier) for m in members)
    return isinstance(estimator, BaggingClassifier | VotingClassifier) and is_average(estimator)


def read_bagging(estimator: Any) -> Ensemble:
    """Read BaggingClassifier, which averages probabilities."""
    return _assemble(estimator, list(_probabilities(estimator, len(estimator.classes_))))


def read_voting(estimator: Any) -> Ensemble:
    """Read VotingClassifier: an average, or as many votes for each tree as its weight says."""
    if not is_vote(estimator):
        return read_bagging(estimator)
    told = estimator._weights_not_none
    weights = np.ones(len(estimator.estimators_)) if told is None else told
    trees = [
        _vote(member, len(estimator.classes_), float(weight))
        for member, weight in zip(estimator.estimators_, weights, strict=True)
    ]
    return _assemble(estimator, trees)


def read_adaboost(estimator: Any) -> Ensemble:
    """Read AdaBoostClassifier: a vote for a class counts against all others."""
    n_classes = len(estimator.classes_)
    weights = estimator.estimator_weights_[: len(estimator.estimators_)]
    trees = []
    for member, weight in zip(estimator.estimators_, weights / weights.sum(), strict=True):
        # Trees inside know the labels themselves, not their codes.
        codes = np.searchsorted(estimator.classes_, member.classes_)
        tree = _vote(member, n_classes, float(weight), codes)
        against = tree.is_leaf[:, None] * weight / (n_classes - 1)
        trees.append(replace(tree, value=np.where(tree.value > 0, tree.value, -against)))
    return _assemble(estimator, trees)


def is_vote(estimator: Any) -> bool:
    """Tell whether an estimator is a VotingClassifier that counts labels."""
    return isinstance(estimator, VotingClassifier) and estimator.voting == "hard"


def is_average(estimator: Any) -> bool:
    """Tell whether the probabilities of a classifier are a sum of leaves."""
    if is_forest(estimator):
        return True
    if not isinstance(estimator, BaggingClassifier | VotingClassifier) or is_vote(estimator):
        return False
    members = getattr(estimator, "estimators_", ())
    return len(members) > 0 and all(is_average(member) for member in members)


def _probabilities(estimator: Any, n_classes: int) -> Iterable[Tree]:
    """Yield trees whose leaves add up to the probabilities of a classifier."""
    if is_forest(estimator):
        members = getattr(estimator, "estimators_", [estimator])
        for member in members:
            yield plain_tree(member.tree_, member.tree_.value[:, 0] / len(members))
        return
    members = estimator.estimators_
    told = estimator._weights_not_none if isinstance(estimator, VotingClassifier) else None
    weights = np.ones(len(members)) if told is None else np.asarray(told, dtype=np.float64)
    for place, weight in enumerate(weights / weights.sum()):
        member = members[place]
        for tree in _probabilities(member, len(member.classes_)):
            value = np.zeros((len(tree.value), n_classes))
            codes = np.arange(n_classes)
            if len(member.classes_) < n_classes:  # a sample of bagging that lacks a class
                codes = member.classes_
            value[:, codes] = weight * tree.value
            feature = np.maximum(tree.feature, 0)  # negative at leaves
            if isinstance(estimator, BaggingClassifier):
                feature = np.asarray(estimator.estimators_features_[place])[feature]
            yield replace(tree, value=value, feature=feature)


def _vote(
    member: Any, n_classes: int, weight: float, codes: NDArray[np.intp] | None = None
) -> Tree:
    chosen = member.tree_.value[:, 0].argmax(axis=1)
    value = np.zeros((len(chosen), n_classes))
    value[np.arange(len(chosen)), chosen if codes is None else codes[chosen]] = weight
    return plain_tree(member.tree_, value)


def _assemble(estimator: Any, trees: list[Tree]) -> Ensemble:
    greatest = sum(float(np.abs(tree.value).max()) for tree in trees)
    trees = [replace(tree, value=differences(tree.value)) for tree in trees]
    return assemble(
        trees,
        classes=estimator.classes_,
        n_features=estimator.n_features_in_,
        base=np.zeros(trees[0].value.shape[1]),
        # Two sums, in an order of their own, and quotients.
        rounding=2 * greatest * len(trees) * np.finfo(np.float64).eps,
    )
