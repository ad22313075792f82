"""A number that a model takes for a missing value, such as 0 or -999, written as plain nodes.

Where such a number lies on the side to which missing values go, nothing has to be done. Elsewhere
three nodes cut the line into what is below the number, the number itself and what is above it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from robfair.adapters.trees._assemble import Tree
from robfair.adapters.trees._ensemble import UnreadableTrees

__all__ = ["spell_out_missing"]

MOST = 100_000  # nodes of one tree
Place = Literal["below", "at", "above"]
Places = dict[int, Place]  # of the columns that a path has compared with the number


def spell_out_missing(
    tree: Tree, first: float, last: float, nodes: NDArray[np.intp] | None = None
) -> Tree:
    """Return a tree of plain nodes that treats a number as the given one treats NaN.

    Parameters
    ----------
    tree : Tree
        A tree whose nodes send NaN to the side that `missing_left` names.
    first, last : float
        The numbers that a model takes for missing, such as all float64 that round to one float32.
        No split lies between them.
    nodes : ndarray of int, default=None
        The nodes that do so; None is all that compare numbers.

    Returns
    -------
    Tree
        A tree that sends these numbers where `tree` sends NaN, and all others as before.

    Raises
    ------
    UnreadableTrees
        If there would be too many nodes.
    """
    taken = np.zeros(len(tree.feature), dtype=bool)
    taken[slice(None) if nodes is None else nodes] = True
    taken[list(tree.left_codes)] = False
    builder = _Builder(tree, taken, float(np.nextafter(first, -np.inf)), last)
    while builder.todo:
        builder.step()
    return builder.finish()


@dataclass
class _Builder:
    """Copies a tree from its root, node by node."""

    tree: Tree
    taken: NDArray[np.bool_]
    before: float
    last: float
    nodes: list[list[float]] = field(default_factory=list)  # feature, split, missing_left
    source: list[int] = field(default_factory=list)  # the node of the tree that was copied
    children: list[list[int]] = field(default_factory=list)
    # A node of the tree, what is known on its path, and the child of the new tree that it becomes.
    todo: list[tuple[int, Places, tuple[int, int] | None]] = field(
        default_factory=lambda: [(0, {}, None)]
    )

    def step(self) -> None:
        """Copy the next node."""
        tree = self.tree
        node, known, at = self.todo.pop()
        while tree.left[node] >= 0 and (side := self._side(node, known)) is not None:
            node = int((tree.left, tree.right)[side][node])
        if len(self.nodes) > MOST:
            raise UnreadableTrees(
                "it takes a number for missing, and its trees are too deep to spell that out"
            )
        new = self._add(node, at)
        if tree.left[node] < 0:
            return
        left, right = int(tree.left[node]), int(tree.right[node])
        feature, split = int(tree.feature[node]), float(tree.split[node])
        missing_left = bool(tree.missing_left[node])
        natural = missing_left == (split >= self.last)
        if natural or not self.taken[node] or feature in known:
            self.nodes[new] = [feature, split, missing_left]
            self.todo += [(left, known, (new, 0)), (right, known, (new, 1))]
            return
        below: Places = {**known, feature: "below"}
        same: Places = {**known, feature: "at"}
        above: Places = {**known, feature: "above"}
        # Pieces of the line from left to right: where each stops, and what it leads to.
        pieces = [(self.before, left if split >= self.before else right, below)]
        if split < self.before:
            pieces.insert(0, (split, left, below))
        pieces.append((self.last, left if missing_left else right, same))
        if split > self.last:
            pieces.append((split, left, above))
        for stop, to, places in pieces:
            if pieces[0][0] != stop:
                new = self._add(node, (new, 1))
            self.nodes[new] = [feature, stop, places is same]  # NaN goes with the number
            self.todo.append((to, places, (new, 0)))
        self.todo.append((right, above, (new, 1)))

    def finish(self) -> Tree:
        """Return the new tree."""
        feature, split, missing_left = (np.array(c) for c in zip(*self.nodes, strict=True))
        left, right = np.array(self.children).T
        source = np.array(self.source)
        codes = {
            new: self.tree.left_codes[old]
            for new, old in enumerate(self.source)
            if old in self.tree.left_codes
        }
        unseen = self.tree.unseen_left
        return replace(
            self.tree,
            feature=feature.astype(np.intp),
            split=split,
            left=left,
            right=right,
            missing_left=missing_left.astype(bool),
            value=self.tree.value[source],
            left_codes=codes,
            unseen_left=None if unseen is None else unseen[source],
        )

    def _side(self, node: int, known: Places) -> int | None:
        """Return the side to which all that is left on this path goes; None where both are open."""
        if node in self.tree.left_codes:
            return None
        place = known.get(int(self.tree.feature[node]))
        split = self.tree.split[node]
        if place == "at" and self.taken[node]:
            return 0 if self.tree.missing_left[node] else 1
        if place == "below" and split >= self.before:
            return 0
        if place == "above" and split <= self.last:
            return 1
        return None

    def _add(self, node: int, at: tuple[int, int] | None) -> int:
        new = len(self.nodes)
        self.nodes.append([-1, 0.0, False])
        self.source.append(node)
        self.children.append([-1, -1])
        if at is not None:
            self.children[at[0]][at[1]] = new
        return new
