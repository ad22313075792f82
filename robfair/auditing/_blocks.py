"""Rows of a table that are read block by block, and the file that keeps what is done of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import _safe_indexing

__all__ = ["Checkpoint", "RowBlocks", "take_rows"]

BLOCK = 2**14  # rows: 103 features in float64 are 13 MB


@dataclass(frozen=True)
class Checkpoint:
    """A file of finished rows, and what tells a run from all others.

    Attributes
    ----------
    path : Path
        The file.
    description : mapping
        What has to be equal for a run to go on from it.
    """

    path: Path
    description: Mapping[str, Any]


class RowBlocks(ABC):
    """Rows of a table that need not fit into memory.

    `audit` takes one for X: it goes through the rows block by block, and keeps of each block
    no more than its distances and probabilities.

    Attributes
    ----------
    columns : list of str or None
        Names of the columns, if blocks are DataFrames.
    size : int
        The most rows of a block.
    checkpoint : Checkpoint or None
        Where finished rows are kept, and read from when the audit begins.
    """

    ndim = 2

    def __init__(self, columns: list[str] | None, checkpoint: Checkpoint | None = None) -> None:
        if columns is not None:
            self.columns = columns
        self.size = BLOCK
        self.checkpoint = checkpoint
        # Of passes over the rows, by name: what is in the file, and results with their keys.
        self.in_file: dict[str, Any] | None = None
        self.results: dict[str, tuple[str, Any]] = {}

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of rows."""

    @abstractmethod
    def read(self, rows: NDArray[np.intp]) -> Any:
        """Return some rows.

        Parameters
        ----------
        rows : ndarray of int
            Their numbers, which ascend.

        Returns
        -------
        array-like
            The rows, in a container that the model takes.
        """


def take_rows(X: Any, rows: NDArray[np.intp]) -> Any:
    """Return some rows of X, in their order."""
    if not isinstance(X, RowBlocks):
        return _safe_indexing(X, rows)
    order = np.argsort(rows, kind="stable")
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return _safe_indexing(X.read(rows[order]), back)
