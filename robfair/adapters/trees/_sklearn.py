"""scikit-learn's decision trees, forests, extra trees and GradientBoosting."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.dummy import DummyClassifier
from sklearn.ensemble._forest import ForestClassifier
from sklearn.tree import DecisionTreeClassifier

from robfair.adapters.trees._assemble import Tree, assemble
from robfair.adapters.trees._ensemble import Ensemble, UnreadableTrees
from robfair.adapters.trees._splits import last_left

__all__ = [
    "differences",
    "is_forest",
    "is_pure",
    "plain_tree",
    "read_forest",
    "read_gradient_boosting",
]

CONSTANT = ("prior", "most_frequent", "constant")


def read_forest(estimator: Any) -> Ensemble:
    """Read a tree, or a forest: the sum of the probabilities in the leaves.

    The score of two classes is the sum of the differences of their probabilities. The forest
    itself divides by the number of trees, which changes no label.
    """
    if isinstance(estimator.classes_, list):
        raise UnreadableTrees(f"it has {len(estimator.classes_)} outputs, and robfair needs one")
    trees = [
        plain_tree(tree.tree_, differences(tree.tree_.value[:, 0]))
        for tree in getattr(estimator, "estimators_", [estimator])
    ]
    # Probabilities are fractions: sums that should tie differ in their last bits, unless each is
    # 0 or 1.
    is_exact = len(trees) == 1 or all(is_pure(tree.value[tree.is_leaf]) for tree in trees)
    return assemble(
        trees,
        classes=estimator.classes_,
        n_features=estimator.n_features_in_,
        base=np.zeros(trees[0].value.shape[1]),
        rounding=0.0 if is_exact else len(trees) ** 2 * np.finfo(np.float64).eps,
    )


def is_pure(values: NDArray[np.float64]) -> bool:
    """Tell whether leaves hold one class each, so that their sums count trees."""
    return bool(np.isin(values, (-1, 0, 1)).all())


def read_gradient_boosting(estimator: Any) -> Ensemble:
    """Read GradientBoostingClassifier, which sums as an :class:`Ensemble` does, bit by bit."""
    start = estimator.init_
    if not isinstance(start, str) and not _is_constant(start):
        raise UnreadableTrees(
            f"it starts from init={type(start).__name__}(...), and only a constant can be read"
        )
    n = estimator.n_features_in_
    base = estimator._raw_predict_init(np.zeros((1, n), dtype=np.float32))[0]
    trees = []
    for stage in estimator.estimators_:
        for place, tree in enumerate(stage):
            value = np.zeros((tree.tree_.node_count, len(base)))
            value[:, place] = estimator.learning_rate * tree.tree_.value[:, 0, 0]
            trees.append(plain_tree(tree.tree_, value))
    return assemble(trees, classes=estimator.classes_, n_features=n, base=base, ties_to=1)


def is_forest(estimator: Any) -> bool:
    """Tell whether an estimator is a tree or a forest, extra trees included."""
    return isinstance(estimator, DecisionTreeClassifier | ForestClassifier)


def differences(probabilities: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the scores of probabilities: for two classes that of the second less the first."""
    if probabilities.shape[1] == 2:
        return probabilities[:, 1:] - probabilities[:, :1]
    return probabilities


def _is_constant(start: Any) -> bool:
    return type(start) is DummyClassifier and start.strategy in CONSTANT


def plain_tree(tree: Any, value: NDArray[np.float64]) -> Tree:
    """Return the nodes of a tree of scikit-learn with other values in its leaves."""
    return Tree(
        feature=tree.feature,
        split=last_left(tree.threshold),
        left=tree.children_left,
        right=tree.children_right,
        missing_left=tree.missing_go_to_left,
        value=value,
    )
