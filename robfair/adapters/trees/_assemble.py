"""Trees as a reader finds them, and the table of all their nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.adapters.trees._ensemble import Ensemble

__all__ = ["Tree", "assemble", "split_trees"]

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Tree:
    """The nodes of one tree, counted from 0, as a reader finds them.

    The arrays are those of an :class:`Ensemble`. `left_codes` maps a node that compares codes of
    categories to flags of the codes 0, 1, ... that go left; other codes are unseen.
    """

    feature: NDArray[Any]
    split: NDArray[Any]
    left: NDArray[Any]
    right: NDArray[Any]
    missing_left: NDArray[Any]
    value: NDArray[np.float64]
    left_codes: Mapping[int, NDArray[Any]] = field(default_factory=dict)
    unseen_left: NDArray[Any] | None = None

    @property
    def is_leaf(self) -> Flags:
        """Flag the leaves."""
        return np.asarray(self.left) < 0


def assemble(
    trees: Sequence[Tree],
    *,
    classes: NDArray[Any],
    n_features: int,
    base: NDArray[Any],
    ties_to: int = 0,
    rounding: float = 0.0,
    single: bool = False,
    categories: Mapping[int, NDArray[Any]] | None = None,
) -> Ensemble:
    """Put the nodes of all trees into one table.

    Parameters
    ----------
    trees : sequence of Tree
        The trees, in the order in which the model adds them.
    classes, n_features, base, ties_to, rounding, single, categories
        As in :class:`Ensemble`.

    Returns
    -------
    Ensemble
        All trees.
    """
    starts = np.cumsum([0, *(len(tree.feature) for tree in trees)])

    def joined(name: str, dtype: Any) -> NDArray[Any]:
        parts = [np.asarray(getattr(tree, name)).astype(dtype) for tree in trees]
        return np.concatenate(parts) if parts else np.zeros(0, dtype)

    leaf = joined("is_leaf", bool)
    offset = np.repeat(starts[:-1], np.diff(starts))
    unseen_left = _unseen_left(trees)
    sets = [
        (start + node, flags)
        for start, tree in zip(starts, trees, strict=False)
        for node, flags in tree.left_codes.items()
    ]
    left_set = np.full(starts[-1], -1, dtype=np.intp)
    left_sets = np.zeros((len(sets), max((len(flags) for _, flags in sets), default=0)), dtype=bool)
    for row, (node, flags) in enumerate(sets):
        left_set[node] = row
        left_sets[row] = unseen_left[node]
        left_sets[row, : len(flags)] = flags
    value = np.concatenate([tree.value for tree in trees]) if trees else np.zeros((0, len(base)))
    return Ensemble(
        classes=np.asarray(classes),
        n_features=n_features,
        base=np.array(base, dtype=np.float64),
        roots=starts[:-1].astype(np.intp),
        feature=np.where(leaf, -1, joined("feature", np.intp)),
        split=np.where(leaf, 0.0, joined("split", np.float64)),
        left=np.where(leaf, -1, joined("left", np.intp) + offset),
        right=np.where(leaf, -1, joined("right", np.intp) + offset),
        missing_left=joined("missing_left", bool) & ~leaf,
        left_set=left_set,
        left_sets=left_sets,
        unseen_left=unseen_left,
        value=np.where(leaf[:, None], value, 0.0),
        ties_to=ties_to,
        rounding=rounding,
        single=single,
        categories=categories or {},
    )


def split_trees(ensemble: Ensemble) -> list[Tree]:
    """Return the trees of an ensemble one by one, as :func:`assemble` takes them.

    Parameters
    ----------
    ensemble : Ensemble
        The ensemble, whose trees lie one after the other in its table.

    Returns
    -------
    list of Tree
        The trees, in their order.
    """
    trees = []
    for start, end in pairwise([*ensemble.roots, len(ensemble.feature)]):
        part = slice(start, end)
        coded = np.flatnonzero(ensemble.left_set[part] >= 0)
        trees.append(
            Tree(
                feature=ensemble.feature[part],
                split=ensemble.split[part],
                left=np.maximum(ensemble.left[part] - start, -1),
                right=np.maximum(ensemble.right[part] - start, -1),
                missing_left=ensemble.missing_left[part],
                value=ensemble.value[part],
                left_codes={
                    k: ensemble.left_sets[ensemble.left_set[start + k]] for k in coded.tolist()
                },
                unseen_left=ensemble.unseen_left[part],
            )
        )
    return trees


def _unseen_left(trees: Sequence[Tree]) -> Flags:
    parts = [
        np.zeros(len(tree.feature), bool) if tree.unseen_left is None else tree.unseen_left
        for tree in trees
    ]
    return np.concatenate(parts).astype(bool) if parts else np.zeros(0, bool)
