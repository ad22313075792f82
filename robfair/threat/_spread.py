"""A threat model over samples of a shape: its fields as arrays, costs, and valid points."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robfair.threat._block import Block
from robfair.threat._codec import Codec
from robfair.threat._fields import ThreatModelFields

# Of a unit: moves of a feature that are shorter are those of a float, and not of a value.
SHORTEST = 1e-9


@dataclass(frozen=True, eq=False, repr=False)
class SpreadFields(ThreatModelFields):
    """The fields of a threat model, spread over samples of a shape."""

    _codec: Codec | None = field(init=False, default=None)

    def box(self, shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Spread both sides of the box over samples of a shape, and flatten them.

        Parameters
        ----------
        shape : tuple of int
            Shape of one sample.

        Returns
        -------
        tuple of two ndarrays of shape (n_features,), or None
            Low and high side; None without a box.

        Raises
        ------
        ValueError
            If ``bounds="data"`` is not bound to samples, or the shapes do not fit.
        """
        if self.bounds is None:
            return None
        if self._is_unbound():
            raise ValueError('bounds="data" has no samples yet: call threat_model.bind(X) first.')
        low, high = (_fit(side, shape, "bounds") for side in self._sides())
        if not self.blocks:
            return low, high
        in_block = self._in_block(shape)
        return np.where(in_block, -np.inf, low), np.where(in_block, np.inf, high)

    def mask(self, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """Spread `mutable` over samples of a shape, and flatten it.

        Parameters
        ----------
        shape : tuple of int
            Shape of one sample.

        Returns
        -------
        ndarray of bool, of shape (n_features,), or None
            True for features that may change; None when all may.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        if self.mutable is None:
            return None
        mask: NDArray[np.bool_] = _fit(np.asarray(self.mutable), shape, "mutable")
        return None if mask.all() else mask  # None spares searches the work

    def free(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Flag the features that may change by any amount.

        Parameters
        ----------
        shape : tuple of int
            Shape of one sample.

        Returns
        -------
        ndarray of bool, of shape (n_features,)
            False for features that are held, that move by whole steps, or that belong to a block.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        mask = self.mask(shape)
        free: NDArray[np.bool_] = ~self._in_block(shape) & (self.spacing(shape) == 0)
        return free if mask is None else free & mask

    def _in_block(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Flag the features that belong to a block, or raise if there are fewer features."""
        inside = np.zeros(math.prod(shape), dtype=bool)
        for block in self.blocks:
            if max(block.columns) >= inside.size:
                raise ValueError(
                    f"a block has column {max(block.columns)}, and samples of shape {shape} have "
                    f"{inside.size} features, numbered from 0."
                )
            inside[list(block.columns)] = True
        return inside

    def spacing(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Spread the steps of integer features over samples of a shape, and flatten them.

        Parameters
        ----------
        shape : tuple of int
            Shape of one sample.

        Returns
        -------
        ndarray of shape (n_features,)
            The spacing of each feature; 0 where it is continuous, and within blocks.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        steps = np.asarray(0 if self.integer is None else self.integer, dtype=np.float64)
        return np.where(self._in_block(shape), 0, _fit(steps, shape, "integer"))

    def units(self, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Spread `unit` over samples of a shape, and flatten it.

        Parameters
        ----------
        shape : tuple of int
            Shape of one sample.

        Returns
        -------
        ndarray of shape (n_features,)
            The change of each feature that counts as 1; 1 within blocks.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        unit = np.asarray(1 if self.unit is None else self.unit, dtype=np.float64)
        return np.where(self._in_block(shape), 1, _fit(unit, shape, "unit"))

    def resolution(self, shape: tuple[int, ...], *, written: bool) -> NDArray[np.float64]:
        """Spread the least changes of continuous features over samples of a shape.

        Parameters
        ----------
        shape : tuple of int
            Shape of one sample.
        written : bool
            Whether a change must reach the last decimal place in which a column is written, as far
            as the threat model knows its columns, and not only 1e-9 of its unit.

        Returns
        -------
        ndarray of shape (n_features,)
            The least change of each feature.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        least = SHORTEST * self.units(shape)
        if written and self._codec is not None and len(least) == self._codec.n_features:
            least = np.maximum(least, self._codec.steps())
        return np.asarray(least)

    def numeric(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Find the features that may change and do not belong to a block.

        Parameters
        ----------
        shape : tuple of int
            Shape of one sample.

        Returns
        -------
        ndarray of bool, of shape (n_features,)
            True for such features.

        Raises
        ------
        ValueError
            If the shapes do not fit.
        """
        mask = self.mask(shape)
        free = ~self._in_block(shape)
        return free if mask is None else free & mask

    def mutable_blocks(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Find the blocks that may change.

        Parameters
        ----------
        shape : tuple of int
            Shape of one sample.

        Returns
        -------
        tuple of int
            Indices into `blocks`.

        Raises
        ------
        ValueError
            If only some columns of a block are mutable, or the shapes do not fit.
        """
        self._in_block(shape)
        mask = self.mask(shape)
        mutable_blocks = []
        for i, block in enumerate(self.blocks):
            mutable = mask is None or mask[list(block.columns)]
            if np.any(mutable):
                if not np.all(mutable):
                    raise ValueError(
                        f"only some of the columns {block.columns} are mutable, but they are one "
                        "block and change together: make all of them mutable or none."
                    )
                mutable_blocks.append(i)
        return tuple(mutable_blocks)

    def cost(self, X: ArrayLike, points: ArrayLike) -> NDArray[np.float64]:
        """Compute the cost of the perturbations that lead from samples to points.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        points : array-like of shape (n_samples, ...)
            The perturbed samples.

        Returns
        -------
        ndarray of shape (n_samples,)
            The costs; NaN where a point holds NaN and the sample does not.

        Raises
        ------
        ValueError
            If a block of a sample or of a point holds no category, or the shapes differ.
        """
        start, end, shape = _flat(X, points)
        known = _are_points(start, end)
        start, end = start[known], end[known]
        moves = (end.astype(np.float64) - start) / self.units(shape)
        moves[np.isnan(moves)] = 0  # a gap of a table, which stays
        switched = [_find(block, end) != _find(block, start) for block in self.blocks]
        parts = [moves[:, ~self._in_block(shape)]]
        parts += [self.category_cost * changed[:, None] for changed in switched]
        costs = np.full(len(known), np.nan)
        costs[known] = np.linalg.norm(np.concatenate(parts, axis=1), self.norm, axis=1)
        return costs

    def valid(self, X: ArrayLike, points: ArrayLike) -> NDArray[np.bool_]:
        """Tell which points an attacker may make of the samples.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Samples.
        points : array-like of shape (n_samples, ...)
            The perturbed samples.

        Returns
        -------
        ndarray of bool, of shape (n_samples,)
            True where a point is in the box, immutable features are as before, each block holds a
            category and integers have moved by whole steps. A gap of a table is NaN in both; False
            where only one of them is.

        Raises
        ------
        ValueError
            If the shapes differ.
        """
        start, end, shape = _flat(X, points)
        valid = _are_points(start, end)
        gap = np.isnan(start)  # nothing is asked of gaps but that they stay
        mask, box, steps = self.mask(shape), self.box(shape), self.spacing(shape)
        if mask is not None:
            # To the last bit, since nothing computes a feature that does not move.
            valid &= ((start == end) | gap)[:, ~mask].all(axis=1)
        if box is not None:
            # Rounded as the points are, which may lie on a side.
            low, high = (side.astype(end.dtype) for side in box)
            valid &= (((low <= end) & (end <= high)) | gap).all(axis=1)
        for block in self.blocks:
            valid &= (block.match(end) >= 0) | gap[:, list(block.columns)].any(axis=1)
        moving = np.flatnonzero(steps)
        before, after = (a[:, moving].astype(np.float64) for a in (start, end))
        move = after - before  # from the sample's value, which need not be whole
        rest = np.abs(move - np.round(move / steps[moving]) * steps[moving])
        # Only rounding may be left: of both ends to the dtype of the points, and of the spacing.
        rounding = np.finfo(end.dtype).eps * (np.abs(before) + np.abs(after))
        whole = (rest <= rounding + 1e-6 * steps[moving]) | gap[:, moving]
        valid &= whole.all(axis=1)
        return valid


def _flat(X: ArrayLike, points: ArrayLike) -> tuple[NDArray[Any], NDArray[Any], tuple[int, ...]]:
    """Flatten samples and points, the samples rounded to the dtype of the points."""
    end = np.asarray(points)
    if end.dtype.kind != "f":
        end = end.astype(np.float64)
    start = np.asarray(X).astype(end.dtype)
    if start.shape != end.shape or start.ndim < 2:
        raise ValueError(
            f"X and points must have the same shape, a row per sample; got {start.shape} and "
            f"{end.shape}."
        )
    return start.reshape(len(start), -1), end.reshape(len(end), -1), start.shape[1:]


def _are_points(start: NDArray[Any], end: NDArray[Any]) -> NDArray[np.bool_]:
    """Tell which points are finite but for the gaps of their samples, and have those."""
    gap = np.isnan(start)
    return np.asarray(np.where(gap, np.isnan(end), np.isfinite(end)).all(axis=1))


def _find(block: Block, X: NDArray[Any]) -> NDArray[np.intp]:
    """Find the category of each sample, -1 for a gap."""
    gap = np.isnan(X[:, list(block.columns)]).any(axis=1)
    category = np.full(len(X), -1, dtype=np.intp)
    category[~gap] = block.find(X[~gap])
    return category


def _fit(array: NDArray[Any], shape: tuple[int, ...], name: str) -> NDArray[Any]:
    """Spread an array over samples of a shape, and flatten it."""
    try:
        return np.broadcast_to(array, shape).ravel()
    except ValueError:
        raise ValueError(
            f"{name} of shape {array.shape} do not fit samples of shape {shape}: give one value, "
            "or one per feature."
        ) from None
