"""LightGBM's classifier, from the text that it saves.

It compares in float64 and takes numbers within 1e-35 of 0, as float32 has it, for 0; where nothing
was missing in training it takes NaN for 0 as well. Codes of categories that a node lists go left.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.adapters.trees._assemble import Tree, assemble
from robfair.adapters.trees._ensemble import Ensemble, UnreadableTrees
from robfair.adapters.trees._gaps import spell_out_missing

__all__ = ["read_lightgbm"]

ZERO = float(np.float32(1e-35))
OBJECTIVES = ("binary", "cross_entropy", "multiclass", "multiclassova")
# Bits of decision_type.
CATEGORICAL, DEFAULT_LEFT, MISSING = 1, 2, 12
MISSING_IS_ZERO, MISSING_IS_NAN = 4, 8

Fields = dict[str, str]


def read_lightgbm(estimator: Any) -> Ensemble:
    """Read LGBMClassifier or Booster, which sum as an :class:`Ensemble` does, bit by bit."""
    booster = getattr(estimator, "booster_", estimator)
    header, *parts = booster.model_to_string().split("\nTree=")  # up to the best iteration
    told = _fields(header)
    objective = told.get("objective", "").split(" ")[0]
    is_function = callable(getattr(estimator, "objective_", None))
    if is_function or objective not in OBJECTIVES:
        name = "a function" if is_function else repr(objective)
        raise UnreadableTrees(f"its objective is {name}, which does not decide between classes")
    if booster is not estimator and estimator.get_params().get("pred_early_stop"):
        raise UnreadableTrees("it leaves out trees where it is certain (pred_early_stop)")
    n_scores = int(told["num_tree_per_iteration"])
    trees = []
    for i, part in enumerate(parts):
        fields = _fields(part.split("\n\n")[0])
        trees.append(_tree(fields, i % n_scores, n_scores))
    return assemble(
        trees,
        classes=getattr(estimator, "classes_", np.arange(max(2, n_scores))),
        n_features=int(told["max_feature_idx"]) + 1,
        base=np.zeros(n_scores),
        categories=_categories(told, booster.pandas_categorical or []),
    )


def _fields(text: str) -> Fields:
    return dict(line.split("=", 1) for line in text.split("\n") if "=" in line)


def _categories(told: Fields, values: list[list[Any]]) -> dict[int, NDArray[Any]]:
    """Return what codes stand for, where the model was fitted on categories of a DataFrame."""
    infos = told["feature_infos"].split(" ")
    columns = [j for j, info in enumerate(infos) if info[0] != "[" and info != "none"]
    if len(columns) != len(values):  # others were numbers, or codes: it does not tell which
        return {}
    return {j: _objects(known) for j, known in zip(columns, values, strict=True)}


def _objects(values: list[Any]) -> NDArray[Any]:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def _tree(told: Fields, place: int, n_scores: int) -> Tree:
    if told.get("is_linear", "0") != "0":
        raise UnreadableTrees("its leaves are linear models (linear_tree=True)")
    leaves = _floats(told["leaf_value"])
    n_inner = int(told["num_leaves"]) - 1
    value = np.zeros((n_inner + len(leaves), n_scores))
    value[n_inner:, place] = leaves
    if n_inner == 0:
        none = np.full(1, -1)
        return Tree(none, np.zeros(1), none, none, np.zeros(1, dtype=bool), value)
    kind = _whole(told["decision_type"])
    threshold = _floats(told["threshold"])
    coded = np.flatnonzero(kind & CATEGORICAL)
    missing = kind & MISSING
    split = np.where(
        np.abs(threshold) > ZERO,
        threshold,
        np.where(threshold >= 0, ZERO, np.nextafter(-ZERO, -np.inf)),
    )
    default = (kind & DEFAULT_LEFT) > 0
    # Without missing values in training, NaN is 0.
    missing_left = np.where(missing == 0, threshold >= 0, default) & ~(kind & CATEGORICAL > 0)
    tree = Tree(
        feature=_padded(_whole(told["split_feature"]), len(leaves)),
        split=_padded(split, len(leaves)),
        left=_padded(_children(told["left_child"], n_inner), len(leaves)),
        right=_padded(_children(told["right_child"], n_inner), len(leaves)),
        missing_left=_padded(missing_left, len(leaves)) == 1,
        value=value,
        left_codes=_left_codes(told, coded, threshold),
    )
    zero = np.flatnonzero((missing == MISSING_IS_ZERO) & ~(kind & CATEGORICAL > 0))
    return spell_out_missing(tree, -ZERO, ZERO, zero) if len(zero) else tree


def _children(text: str, n_inner: int) -> NDArray[np.intp]:
    """Return the next nodes; LightGBM counts leaves from -1 downwards."""
    child = _whole(text)
    return np.where(child >= 0, child, n_inner + ~child)


def _padded(inner: NDArray[Any], n_leaves: int) -> NDArray[Any]:
    return np.concatenate([inner, np.full(n_leaves, -1, dtype=inner.dtype)])


def _left_codes(
    told: Fields, coded: NDArray[np.intp], threshold: NDArray[np.float64]
) -> dict[int, NDArray[np.bool_]]:
    if not len(coded):
        return {}
    starts = _whole(told["cat_boundaries"])
    words = np.array(told["cat_threshold"].split(" "), dtype=np.uint32)
    left_codes = {}
    for node in coded:
        which = int(threshold[node])
        bits = words[starts[which] : starts[which + 1]]
        left_codes[int(node)] = np.unpackbits(bits.view(np.uint8), bitorder="little") == 1
    return left_codes


def _floats(text: str) -> NDArray[np.float64]:
    return np.array(text.split(" "), dtype=np.float64)


def _whole(text: str) -> NDArray[np.intp]:
    return np.array(text.split(" "), dtype=np.intp)
