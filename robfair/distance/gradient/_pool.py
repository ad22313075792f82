"""The pool: the rows that the search of every other row looks at.

Which rows these are follows from their content, not from their order, and they are searched first.
So the distance of a row depends on the row and on the pool alone: not on batches, nor on the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robfair._problem import Problem
from robfair.distance._arrays import Indices
from robfair.distance.gradient._descent import Nearest
from robfair.distance.gradient._noise import row_keys

__all__ = ["Pool", "content_order", "contents", "feature_scale", "pool_rows"]

# Rows of the pool: at least, for each class, and at most.
ROWS, ROWS_PER_CLASS, MOST_ROWS = 128, 8, 1024
AT_ONCE = 4096  # rows whose keys are computed together


def feature_scale(problem: Problem, X: NDArray[Any]) -> Tensor:
    """Return the largest number of each feature, of shape (d,), or 1 where all are 0."""
    parts = [_part(problem, X, first).abs().amax(dim=0) for first in range(0, len(X), AT_ONCE)]
    largest = torch.stack(parts).amax(dim=0)
    return torch.where(largest > 0, largest, 1)


def pool_rows(problem: Problem, X: NDArray[Any], scale: Tensor) -> NDArray[Any]:
    """Return the rows of X that are in the pool: the different ones with the least hash."""
    n = min(max(ROWS, ROWS_PER_CLASS * problem.n_classes), MOST_ROWS)
    chosen: dict[bytes, int] = {}
    for i in content_order(problem, X, scale):
        chosen.setdefault(contents(problem.model.tensor(X[[i]]))[0], int(i))
        if len(chosen) == n:
            break
    return X[list(chosen.values())]


def content_order(problem: Problem, X: NDArray[Any], scale: Tensor) -> Indices:
    """Return the places of rows in an order that follows from their content: as good as random."""
    keys, sums = [], []
    for first in range(0, len(X), AT_ONCE):
        x = _part(problem, X, first)
        keys.append(row_keys(x, scale).cpu().numpy())
        sums.append((x / scale).double().sum(dim=1).cpu().numpy())
    return np.lexsort((np.concatenate(sums), np.concatenate(keys)))


def _part(problem: Problem, X: NDArray[Any], first: int) -> Tensor:
    return problem.model.tensor(X[first : first + AT_ONCE])


def contents(x: Tensor) -> list[bytes]:
    """Return what tells rows from each other."""
    return [row.tobytes() for row in x.cpu().numpy()]


@dataclass(frozen=True)
class Pool:
    """Rows with the nearest flipped points that are known of them.

    Attributes
    ----------
    x, label : Tensor of shape (p, d), (p,)
        The rows and their predicted classes.
    nearest : Nearest
        Their nearest flipped points.
    mask : Tensor or None
        Mutable features.
    own_pays, others_pay, sharing_pays : bool
        Whether the rows' own gradients, starts from rows of other classes, and what similar rows
        have found, have shortened the distances of the pool enough to be worth their passes.
    """

    x: Tensor
    label: Tensor
    nearest: Nearest
    mask: Tensor | None
    own_pays: bool = True
    others_pay: bool = True
    sharing_pays: bool = True

    def rivals(self, x: Tensor, label: Tensor, n: int) -> tuple[Tensor, Tensor]:
        """Return distance and place of n rows of other classes for each of x (m, n).

        The nearest of each class come first, then the second of each. Distances are those
        of the mutable features; infinite where there are not so many rows.
        """
        apart, codes = self._apart(x), self.label.unique()
        of_each = -(-n // max(len(codes) - 1, 1))
        sizes, places, ranks = [], [], []
        for code in codes:
            of_class = (self.label == code).nonzero()[:, 0]
            size, place = apart[:, of_class].sort(dim=1, stable=True)
            sizes.append(torch.where((label == code)[:, None], torch.inf, size[:, :of_each]))
            places.append(of_class[place[:, :of_each]])
            ranks.append(torch.arange(sizes[-1].shape[1], device=x.device).expand_as(sizes[-1]))
        size, place, rank = (torch.cat(each, dim=1) for each in (sizes, places, ranks))
        # By rank, and by distance within a rank.
        order = size.argsort(dim=1, stable=True)
        rank = torch.where(size.isinf(), of_each, rank).gather(1, order)
        order = order.gather(1, rank.argsort(dim=1, stable=True))[:, :n]
        return size.gather(1, order), place.gather(1, order)

    def ways(self, x: Tensor, places: Tensor) -> Tensor:
        """Return the ways from rows x to those of the pool, in the mutable features."""
        way = self.x[places] - x
        return way if self.mask is None else way * self.mask

    def similar(self, x: Tensor, label: Tensor, n: int) -> Tensor:
        """Return the places of the n nearest rows of the same class; -1 where there are fewer.

        They must have been flipped, and not be the row itself.
        """
        apart = self._apart(x)
        of_use = (label[:, None] == self.label) & self.nearest.distance.isfinite()
        row, place = (of_use & (apart == 0)).nonzero(as_tuple=True)
        of_use[row, place] = (x[row] != self.x[place]).any(dim=1)
        size, places = torch.where(of_use, apart, torch.inf).sort(dim=1, stable=True)
        return torch.where(size.isfinite(), places, -1)[:, :n]

    @property
    def moved(self) -> Tensor:
        """The perturbations."""
        return self.nearest.points - self.x

    def _apart(self, x: Tensor) -> Tensor:
        """Distances to the rows of the pool; pair by pair, so that batches change no digit."""
        views = (x, self.x) if self.mask is None else (x[:, self.mask], self.x[:, self.mask])
        return torch.cdist(*views, compute_mode="donot_use_mm_for_euclid_dist")
