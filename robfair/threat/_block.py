"""Columns of a table that hold one category together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class Block:
    """Columns that hold one of several categories together, and the codes of the categories.

    Parameters
    ----------
    columns : sequence of int
        Indices of the columns in a (flattened) sample.
    codes : array-like of shape (n_categories, n_columns), default=None
        The values of the columns for each category, a row each. None is one-hot: exactly one of
        the columns is 1. A dropped category is a row of zeros, an ordinal code is one column, and a
        scaled code is the scaled values.
    name : str, default=None
        The name of the block in messages. Not compared.

    Raises
    ------
    TypeError
        If `columns` are not whole numbers.
    ValueError
        If columns repeat or are negative, if the codes have another width, are not finite or occur
        twice, or if there are fewer than two.

    Examples
    --------
    >>> from robfair.threat import Block
    >>> dropped = Block((4, 5), codes=[[0, 0], [1, 0], [0, 1]])
    >>> dropped.find([[9, 9, 9, 9, 0, 1], [9, 9, 9, 9, 0, 0]])
    array([2, 0])
    """

    columns: tuple[int, ...]
    codes: NDArray[np.float64]
    name: str | None

    def __init__(
        self, columns: Sequence[int], codes: ArrayLike | None = None, name: str | None = None
    ) -> None:
        try:
            at = tuple(index(column) for column in columns)
        except TypeError:
            raise TypeError(
                f"a block is a sequence of column indices (int); got {columns!r}."
            ) from None
        if not at or min(at) < 0 or len(set(at)) < len(at):
            raise ValueError(
                f"the columns of a block must be different indices, 0 or greater; got {at}."
            )
        values = np.array(np.eye(len(at)) if codes is None else codes, dtype=np.float64)
        values += 0.0  # no -0.0, so that equal codes have equal bytes
        if values.ndim != 2 or values.shape[1] != len(at):
            raise ValueError(
                f"codes must have shape (n_categories, {len(at)}), a column for each of the "
                f"columns {at}; got shape {values.shape}."
            )
        if not np.isfinite(values).all():
            raise ValueError("codes hold NaN or infinity.")
        if len(values) < 2:
            raise ValueError(
                f"the block of columns {at} has {len(values)} category; it needs two or more to "
                "choose from. A feature that is 0 or 1 is Block((column,), codes=[[0], [1]])."
            )
        _, first, times = np.unique(values, axis=0, return_index=True, return_counts=True)
        if (times > 1).any():
            row = values[first[times > 1][0]]
            raise ValueError(
                f"two categories of the block of columns {at} have the same code {row.tolist()}: "
                "merge them."
            )
        values.flags.writeable = False  # the hash depends on them
        object.__setattr__(self, "columns", at)
        object.__setattr__(self, "codes", values)
        object.__setattr__(self, "name", name)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Block):
            return NotImplemented
        return self.columns == other.columns and np.array_equal(self.codes, other.codes)

    def __hash__(self) -> int:
        return hash((self.columns, self.codes.tobytes()))

    def find(self, X: ArrayLike) -> NDArray[np.intp]:
        """Find the category of each sample.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of int, of shape (n_samples,)
            Row of `codes` that the sample holds.

        Raises
        ------
        ValueError
            If a sample holds none of the codes.
        """
        category = self.match(X)
        if (category < 0).any():
            row = int(np.flatnonzero(category < 0)[0])
            held = np.asarray(X)[row, list(self.columns)]
            called = "" if self.name is None else f"{self.name!r}, "
            raise ValueError(
                f"row {row} holds no category in the block {called}columns {_short(self.columns)}: "
                f"{_short(held.tolist())} is not one of its {len(self.codes)} codes. Check that X "
                "is encoded as the block says, and that no category is unknown to its encoder."
            )
        return category

    def match(self, X: ArrayLike) -> NDArray[np.intp]:
        """Find the category of each sample, or -1 where it holds none.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Samples.

        Returns
        -------
        ndarray of int, of shape (n_samples,)
            Row of `codes` that the sample holds, or -1.
        """
        held = np.asarray(X)[:, list(self.columns)]
        spread = np.ptp(self.codes, axis=0)
        # The nearest code by |x - c|^2 = |x|^2 - 2 x.c + |c|^2, around the codes' centre so that
        # nothing cancels, and without an array of samples times categories times columns.
        centre, scale = self.codes.mean(axis=0), np.where(spread > 0, spread, 1)
        code = (self.codes - centre) / scale
        sample = (held.astype(np.float64) - centre) / scale
        nearest = np.argmin((code**2).sum(axis=1) - 2 * sample @ code.T, axis=1)
        # float32 samples hold rounded codes, and may have been computed from rounded data.
        eps = np.finfo(held.dtype).eps if held.dtype.kind == "f" else 0
        slack = 1e-5 * spread + 2 * eps * np.abs(self.codes).max(axis=0)
        holds = (np.abs(held - self.codes[nearest]) <= slack).all(axis=1)  # False for NaN
        return np.where(holds, nearest, -1)


def _short(values: Any) -> str:
    """Show the first few of many values."""
    shown = ", ".join(f"{value:.6g}" for value in values[:6])
    return f"[{shown}{', ...' if len(values) > 6 else ''}]"
