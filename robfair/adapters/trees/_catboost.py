"""CatBoostClassifier, from the JSON that it saves.

CatBoost asks ``float32(x) > border``; splits that hold go right. A tree is oblivious unless
grow_policy says otherwise: all nodes of a level ask the same, and the answers are the bits of the
leaf's number. Of categories it keeps hashes and statistics, so the model itself is asked in which
leaf each one ends: that tells all questions about one column, and those alone are read.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.adapters.trees._assemble import Tree, assemble
from robfair.adapters.trees._ensemble import Ensemble, UnreadableTrees
from robfair.adapters.trees._sklearn import differences
from robfair.adapters.trees._splits import last_left

__all__ = ["read_catboost"]

OBJECTIVES = ("Logloss", "CrossEntropy", "Focal", "MultiClass", "MultiClassOneVsAll")
LEVEL = 0.5  # the probability above which the second class is predicted, if nothing else is told

Flags = NDArray[np.bool_]


def read_catboost(estimator: Any, categories: Mapping[int, Sequence[Any]]) -> Ensemble:
    """Read CatBoostClassifier; `categories` as in :func:`robfair.adapters.trees.read_trees`."""
    saved = _saved(estimator)
    objective = saved["model_info"]["params"]["loss_function"]["type"]
    if objective not in OBJECTIVES:
        raise UnreadableTrees(f"its objective is {objective!r}, which does not decide on one class")
    splits = _Splits(estimator, saved["features_info"], categories)
    scale, bias = saved["scale_and_bias"]
    n_scores = len(bias)
    if "trees" in saved:
        trees = [_nested(tree, splits, scale) for tree in saved["trees"]]
    else:
        trees = [
            _oblivious(tree, place, n_scores, splits, scale)
            for place, tree in enumerate(saved["oblivious_trees"])
        ]
    base = np.asarray(bias, dtype=np.float64)
    if n_scores == 1:
        level = float(saved["model_info"].get("binclass_probability_threshold", LEVEL))
        base = base - np.log(level / (1 - level))
    elif n_scores == 2:  # MultiClass of two classes
        base = base[1:] - base[:1]
    return assemble(
        trees,
        classes=np.asarray(estimator.classes_),
        n_features=len(estimator.feature_names_),
        base=base,
        rounding=_rounding(trees, base),
        categories={column: np.asarray(categories[column]) for column in splits.coded},
    )


def _saved(estimator: Any) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        estimator.save_model(str(path), format="json")
        saved: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return saved


@dataclass
class _Splits:
    """Questions of nodes as columns, numbers and sets of codes."""

    estimator: Any
    info: Mapping[str, Any]
    categories: Mapping[int, Sequence[Any]]
    answers: dict[int, NDArray[np.intp]] = field(default_factory=dict)  # leaves, by column

    def __post_init__(self) -> None:
        for kind in ("text_features", "embedding_features"):
            if self.info.get(kind):
                raise UnreadableTrees(f"it has {kind.replace('_', ' ')}, which are not numbers")
        categorical = self.info.get("categorical_features") or []
        self.coded: list[int] = [feature["flat_feature_index"] for feature in categorical]
        self.floats = self.info.get("float_features") or []
        # Statistics of categories are numbered after splits of numbers and of one category.
        first = sum(len(feature.get("borders") or ()) for feature in self.floats)
        first += sum(len(feature.get("values") or ()) for feature in categorical)
        self.statistics: dict[int, Any] = {}
        for statistic in self.info.get("ctrs") or ():
            for border in statistic["borders"]:
                self.statistics[first] = (border, statistic)
                first += 1

    def column(self, split: Mapping[str, Any]) -> int:
        """Return the column that a question is about. Raises UnreadableTrees for several."""
        if split["split_type"] == "FloatFeature":
            return int(self.floats[split["float_feature_index"]]["flat_feature_index"])
        if split["split_type"] == "OneHotFeature":
            return self.coded[int(split["cat_feature_index"])]
        border, statistic = self.statistics.get(split["split_index"], (None, None))
        if border != split.get("border"):
            raise UnreadableTrees("its splits on categories are in a form that is not known")
        elements = statistic["elements"]
        if len(elements) > 1 or elements[0]["combination_element"] != "cat_feature_value":
            raise UnreadableTrees(
                "it combines categories with other columns (max_ctr_complexity=1 would not)"
            )
        return self.coded[int(elements[0]["cat_feature_index"])]

    def missing_left(self, split: Mapping[str, Any]) -> bool:
        """Tell whether NaN goes left."""
        if split["split_type"] != "FloatFeature":
            return True
        return bool(self.floats[split["float_feature_index"]]["nan_value_treatment"] != "AsTrue")

    def right_codes(self, column: int, tree: int, level: int) -> Flags:
        """Flag the codes of a column that go right at a level of an oblivious tree."""
        if column not in self.answers:
            self.answers[column] = self._ask(column)
        flags: Flags = (self.answers[column][:, tree] >> level) & 1 == 1
        return flags

    def _ask(self, column: int) -> NDArray[np.intp]:
        """Return the leaf in each tree of rows that differ in one column alone."""
        for j in self.coded:
            if j not in self.categories or len(self.categories[j]) == 0:
                raise UnreadableTrees(
                    f"its column {j} holds categories, and an array does not tell which"
                )
        known = {j: [v for v in self.categories[j] if v is not None] for j in self.coded}
        rows = np.zeros((len(known[column]), len(self.estimator.feature_names_)), dtype=object)
        for j in self.coded:
            rows[:, j] = known[j][0]
        rows[:, column] = known[column]
        try:
            leaves = np.asarray(self.estimator.calc_leaf_indexes(rows), dtype=np.intp)
        except Exception as error:
            reason = str(error).strip().split("\n")[0]
            raise UnreadableTrees(f"it does not take its categories ({reason})") from error
        answers = np.zeros((len(self.categories[column]), leaves.shape[1]), dtype=np.intp)
        answers[[value is not None for value in self.categories[column]]] = leaves
        return answers


def _oblivious(
    tree: Mapping[str, Any], number: int, n_scores: int, splits: _Splits, scale: float
) -> Tree:
    """Spell out a tree: node i of the upper levels has the children 2i + 1 and 2i + 2."""
    questions = tree["splits"] or []
    depth = len(questions)
    n_inner = 2**depth - 1
    node = np.arange(2 * n_inner + 1)
    level = np.floor(np.log2(node + 1)).astype(np.intp)
    columns = [splits.column(split) for split in questions]
    borders = [split.get("border", 0.0) for split in questions]
    missing_left = [splits.missing_left(split) for split in questions]
    path = node - (2**level - 1)  # the answers so far, the first one as the highest bit
    leaf = path[n_inner:]
    number_of_leaf = sum((leaf >> (depth - 1 - k) & 1) << k for k in range(depth)) + 0 * leaf
    values = np.reshape(tree["leaf_values"], (-1, n_scores)) * scale
    value = np.zeros((len(node), 1 if n_scores == 2 else n_scores))
    value[n_inner:] = differences(values)[number_of_leaf]
    of_level = level[:n_inner]
    blank = np.full(n_inner + 1, -1)
    coded = [k for k, column in enumerate(columns) if column in splits.coded]
    flags = {k: ~splits.right_codes(columns[k], number, k) for k in coded}
    return Tree(
        feature=np.concatenate([np.asarray(columns, dtype=np.intp)[of_level], blank]),
        split=np.concatenate([last_left(borders)[of_level], blank]),
        left=np.where(node < n_inner, 2 * node + 1, -1),
        right=np.where(node < n_inner, 2 * node + 2, -1),
        missing_left=np.concatenate([np.asarray(missing_left, dtype=bool)[of_level], blank > 0]),
        value=value,
        left_codes={int(i): flags[k] for i, k in enumerate(of_level) if k in flags},
        unseen_left=node >= 0,
    )


def _nested(tree: Mapping[str, Any], splits: _Splits, scale: float) -> Tree:
    """Read a tree of grow_policy="Depthwise" or "Lossguide", whose nodes lie in one another."""
    nodes: list[Mapping[str, Any]] = [tree]
    children: list[tuple[int, int]] = []
    for node in nodes:  # which grows
        if "split" not in node:
            children.append((-1, -1))
            continue
        if node["split"]["split_type"] != "FloatFeature":
            raise UnreadableTrees("it has categories in trees that are not symmetric")
        children.append((len(nodes), len(nodes) + 1))
        nodes += [node["left"], node["right"]]
    left, right = np.array(children).T
    inner = [node.get("split") for node in nodes]
    columns = [-1 if split is None else splits.column(split) for split in inner]
    missing = [split is not None and splits.missing_left(split) for split in inner]
    leaves = [np.ravel(node.get("value", 0.0)) * scale for node in nodes]
    n_scores = max(len(value) for value in leaves)
    value = np.array([np.broadcast_to(value, n_scores) for value in leaves])
    return Tree(
        feature=np.array(columns),
        split=last_left([0.0 if split is None else split["border"] for split in inner]),
        left=left,
        right=right,
        missing_left=np.array(missing),
        value=differences(value),
    )


def _rounding(trees: Sequence[Tree], base: NDArray[np.float64]) -> float:
    """Bound how far sums in another order are apart."""
    greatest = sum(np.abs(tree.value).max() for tree in trees) + np.abs(base).max()
    return float(len(trees) * greatest * np.finfo(np.float64).eps)
