"""XGBoost's classifiers, from the JSON that it saves.

XGBoost asks ``float32(x) < threshold``, and adds in float32, tree by tree. The values of leaves lie
among the thresholds; codes of categories that a node lists go right.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.adapters.trees._assemble import Tree, assemble
from robfair.adapters.trees._ensemble import Ensemble, UnreadableTrees
from robfair.adapters.trees._gaps import spell_out_missing
from robfair.adapters.trees._splits import last_left

__all__ = ["read_xgboost"]

# Objectives that decide between two classes, whether base_score is a probability, and the score
# above which the label is the second class.
BINARY = {
    "binary:logistic": (True, 0.0),
    "reg:logistic": (True, 0.0),
    "binary:logitraw": (False, 0.5),  # predict compares the score as if it were a probability
    "binary:hinge": (False, 0.0),
}
MULTICLASS = ("multi:softprob", "multi:softmax")
SIGMOID = 2.0**-22  # float32 probabilities of 0.5 have scores that small


def read_xgboost(estimator: Any) -> Ensemble:
    """Read XGBClassifier, XGBRFClassifier or Booster; this one predicts by all its trees."""
    is_raw = not hasattr(estimator, "get_booster")
    learner = _load(estimator if is_raw else estimator.get_booster())
    booster, weights = _find_booster(learner)
    parameters = learner["learner_model_param"]
    objective = learner["objective"]["name"]
    n_scores = max(1, int(parameters["num_class"]))
    base = _base(parameters["base_score"], objective, n_scores)
    model = booster["model"]
    n_trees = len(model["trees"]) if is_raw else _count_trees(model, learner["attributes"])
    trees = []
    for i, tree in enumerate(model["trees"][:n_trees]):
        weight = np.float32(1 if weights is None else weights[i])
        trees.append(_tree(tree, int(model["tree_info"][i]), n_scores, weight))
    categories = _categories(model.get("cats", {}).get("enc", []))
    missing = getattr(estimator, "missing", np.nan)
    if missing is not None and not np.isnan(missing):
        trees = [_with_missing(tree, missing, categories) for tree in trees]
    return assemble(
        trees,
        classes=np.arange(max(2, n_scores)),
        n_features=int(parameters["num_feature"]),
        base=base,
        rounding=_rounding(trees, base),
        single=True,
        categories=categories,
    )


def _load(booster: Any) -> Mapping[str, Any]:
    saved = bytes(booster.save_raw("json"))
    learner: Mapping[str, Any] = json.loads(saved)["learner"]
    return learner


def _find_booster(
    learner: Mapping[str, Any],
) -> tuple[Mapping[str, Any], NDArray[np.float32] | None]:
    """Return the trees, and the weight of each in dart."""
    booster = learner["gradient_booster"]
    if booster["name"] == "gblinear":
        raise UnreadableTrees("its booster is gblinear, which has no trees")
    if int(learner["learner_model_param"].get("num_target", 1)) > 1:
        raise UnreadableTrees("it has several outputs, and robfair needs one")
    if booster["name"] == "dart":
        return booster["gbtree"], np.asarray(booster["weight_drop"], dtype=np.float32)
    return booster, None


def _base(score: str, objective: str, n_scores: int) -> NDArray[np.float32]:
    """Return what the trees are added to, less the score above which the second class begins."""
    told = np.ravel(json.loads(score)).astype(np.float32)  # "[4.9E-1]", or "4.9E-1" before 3.1
    base: NDArray[np.float32] = np.broadcast_to(told, n_scores).copy()
    if objective in MULTICLASS:
        return base
    if objective not in BINARY:
        raise UnreadableTrees(
            f"its objective is {objective!r}, which does not decide between classes"
        )
    is_probability, threshold = BINARY[objective]
    if is_probability:
        if not ((base > 0) & (base < 1)).all():
            raise UnreadableTrees("it was fitted on one class, and so has no boundary")
        base = -np.log(np.float32(1) / base - np.float32(1))
    return base - np.float32(threshold)


def _count_trees(model: Mapping[str, Any], attributes: Mapping[str, Any]) -> int:
    """Return how many trees `predict` adds: after early stopping those up to the best one."""
    if "best_iteration" not in attributes:
        return len(model["trees"])
    return int(model["iteration_indptr"][int(attributes["best_iteration"]) + 1])


def _tree(tree: Mapping[str, Any], place: int, n_scores: int, weight: np.float32) -> Tree:
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise UnreadableTrees("its trees are of multi_strategy='multi_output_tree'")
    left = np.asarray(tree["left_children"])
    conditions = np.asarray(tree["split_conditions"], dtype=np.float32)
    value = np.zeros((len(left), n_scores))
    value[:, place] = weight * conditions
    left_codes = _left_codes(tree)
    return Tree(
        feature=np.asarray(tree["split_indices"]),
        split=last_left(conditions, strict=True),
        left=left,
        right=np.asarray(tree["right_children"]),
        missing_left=np.asarray(tree["default_left"]),
        value=value,
        left_codes=left_codes,
        unseen_left=np.isin(np.arange(len(left)), list(left_codes)),
    )


def _with_missing(tree: Tree, missing: float, categories: Mapping[int, NDArray[Any]]) -> Tree:
    """Return a tree in which a number goes where NaN goes.

    Raises UnreadableTrees where a code of categories may be that number.
    """
    for node in tree.left_codes:
        known = categories.get(int(tree.feature[node]))  # None: fitted on an array, of any codes
        if known is None or missing in range(len(known)):
            raise UnreadableTrees(f"it takes {missing:g} for missing, also among codes")
    with np.errstate(over="ignore"):
        single = np.float32(missing)  # that is what XGBoost compares with
    first = np.nextafter(last_left(single, strict=True), np.inf)
    return spell_out_missing(tree, float(first), float(last_left(single)))


def _left_codes(tree: Mapping[str, Any]) -> dict[int, NDArray[np.bool_]]:
    """Flag the codes that go left at each node of categories: those that it does not list."""
    codes = np.asarray(tree["categories"], dtype=np.intp)
    starts, sizes = tree["categories_segments"], tree["categories_sizes"]
    left_codes = {}
    for node, start, size in zip(tree["categories_nodes"], starts, sizes, strict=True):
        listed = codes[start : start + size]
        left_codes[node] = ~np.isin(np.arange(listed.max(initial=-1) + 1), listed)
    return left_codes


def _categories(encoders: list[Mapping[str, Any]]) -> dict[int, NDArray[Any]]:
    """Return what codes stand for, where the model was fitted on categories of a DataFrame."""
    categories: dict[int, NDArray[Any]] = {}
    for column, encoder in enumerate(encoders):
        values = encoder["values"]
        if "type" in encoder:  # numbers
            categories[column] = np.asarray(values)
        elif values:  # names one after the other, as bytes
            ends = encoder["offsets"]
            text = np.asarray(values).astype(np.uint8).tobytes()
            names = [text[a:b].decode() for a, b in pairwise(ends)]
            categories[column] = np.array(names, dtype=object)
    return categories


def _rounding(trees: list[Tree], base: NDArray[np.float32]) -> float:
    """Bound how far sums of float32 are from those of float64."""
    sizes = np.array([np.abs(tree.value[tree.is_leaf]).max() for tree in trees])
    greatest = np.abs(base).max() + np.cumsum(sizes)
    return float(greatest.sum() * np.finfo(np.float32).eps / 2 + SIGMOID)
