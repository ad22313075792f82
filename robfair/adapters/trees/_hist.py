"""HistGradientBoostingClassifier, with its categories and missing values.

It sees columns in another order, those of categories first, and values of categories as codes:
the order of its own encoder. Values that it does not know go where NaN goes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.adapters.trees._assemble import Tree, assemble
from robfair.adapters.trees._ensemble import Ensemble, UnreadableTrees
from robfair.adapters.trees._recode import recode

__all__ = ["read_hist"]

GREATEST = 2**16


def read_hist(estimator: Any, categories: Mapping[int, Sequence[Any]]) -> Ensemble:
    """Read HistGradientBoostingClassifier, which sums as an :class:`Ensemble` does, bit by bit.

    `categories` is as in :func:`robfair.adapters.trees.read_trees`. In an array, values of
    categories are their own codes.
    """
    base = np.ravel(estimator._baseline_prediction)
    order, known = _columns(estimator)
    trees = [
        _tree(predictor, order, known, place, len(base))
        for stage in estimator._predictors
        for place, predictor in enumerate(stage)
    ]
    ensemble = assemble(
        trees,
        classes=estimator.classes_,
        n_features=estimator.n_features_in_,
        base=base,
        categories=known,
    )
    return recode(ensemble, {**_numbers_as_codes(ensemble, categories), **categories})


def _numbers_as_codes(
    ensemble: Ensemble, told: Mapping[int, Sequence[Any]]
) -> dict[int, Sequence[Any]]:
    """Return what codes stand for where these are the values themselves.

    Raises UnreadableTrees for values that are not whole numbers from 0 on.
    """
    codes: dict[int, Sequence[Any]] = {}
    for column, values in ensemble.categories.items():
        if column in told:
            continue
        is_code = [
            isinstance(value, int | float) and value >= 0 and value == int(value)
            for value in values.tolist()
        ]
        greatest = max(values, default=0) if all(is_code) else GREATEST + 1
        if greatest > GREATEST:
            shown = ", ".join(repr(value) for value in values[:3].tolist())
            raise UnreadableTrees(
                f"the categories of its column {column} are {shown}, ..., which an array of codes "
                "cannot hold"
            )
        codes[column] = range(int(greatest) + 1)
    return codes


def _columns(estimator: Any) -> tuple[NDArray[np.intp], dict[int, NDArray[Any]]]:
    """Return the columns of X in the order of the trees, and the values of categories in each."""
    every = np.arange(estimator.n_features_in_)
    if estimator._preprocessor is None:
        return every, {}
    coded = np.asarray(estimator.is_categorical_, dtype=bool)
    known = estimator._preprocessor.named_transformers_["encoder"].categories_
    return np.concatenate([every[coded], every[~coded]]), {
        int(column): _without_missing(values)
        for column, values in zip(every[coded], known, strict=True)
    }


def _without_missing(values: NDArray[Any]) -> NDArray[Any]:
    return values[[value is not None and value == value for value in values.tolist()]]


def _tree(
    predictor: Any,
    order: NDArray[np.intp],
    categories: dict[int, NDArray[Any]],
    place: int,
    n_scores: int,
) -> Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    value = np.zeros((len(nodes), n_scores))
    value[:, place] = nodes["value"]
    feature = order[nodes["feature_idx"]]
    coded = np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf)
    return Tree(
        feature=feature,
        split=nodes["num_threshold"],
        left=np.where(leaf, -1, nodes["left"].astype(np.intp)),
        right=np.where(leaf, -1, nodes["right"].astype(np.intp)),
        missing_left=nodes["missing_go_to_left"],
        value=value,
        left_codes={
            int(node): _flags(
                predictor.raw_left_cat_bitsets[nodes["bitset_idx"][node]],
                len(categories[int(feature[node])]),
            )
            for node in coded
        },
        unseen_left=nodes["missing_go_to_left"],
    )


def _flags(bitset: NDArray[np.uint32], n_codes: int) -> NDArray[np.bool_]:
    code = np.arange(n_codes, dtype=np.uint32)
    flags: NDArray[np.bool_] = (bitset[code // 32] >> (code % 32)) & 1 == 1
    return flags
