"""Finished refits on disk, so that a run that was cut off goes on where it stopped.

The calling process writes them, and not its workers, which may share no disk with it. If the caller
itself is killed, only refits in flight are lost.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair._checkpoint import read_checkpoint, write_checkpoint
from robfair._fingerprint import describe
from robfair._tensorfile import DamagedFileError
from robfair.leave_one_out._checks import Data
from robfair.leave_one_out._refit import seed_names

__all__ = ["RefitStore"]


class RefitStore:
    """Confidences of finished refits in a folder, a checkpoint each.

    They are of one run: of this estimator, these `rows` left out, and `others` as its baseline.
    """

    def __init__(
        self, folder: Any, estimator: Any, data: Data, rows: NDArray[np.intp], others: Sequence[Any]
    ) -> None:
        self.folder = Path(folder)
        if self.folder.exists() and not self.folder.is_dir():
            raise NotADirectoryError(
                f"checkpoint={str(folder)!r} is a file: name a folder, for a file of each refit."
            )
        seeds = [other.get_params()[name] for other in others for name in seed_names(other)]
        drawn = {"left_out": rows, "n_baseline": len(others), "seeds of the baseline": seeds}
        self.description = describe(estimator, data.arrays() | drawn)
        self.folder.mkdir(parents=True, exist_ok=True)

    def load(self, name: str) -> NDArray[np.float64] | None:
        """Read a refit; None if it has not been done, or its file is damaged.

        Raises ResultsError if the file is of another run or refit.
        """
        try:
            proba: NDArray[np.float64] | None = read_checkpoint(*self._file(name))
        except DamagedFileError as error:
            warnings.warn(f"a refit is done again: {error}", stacklevel=4)
            return None
        return proba

    def save(self, name: str, proba: NDArray[np.float64]) -> None:
        """Write a refit: its file is there whole, or not at all."""
        write_checkpoint(*self._file(name), proba)

    def _file(self, name: str) -> tuple[Path, dict[str, Any]]:
        return self.folder / f"{name}.safetensors", {**self.description, "refit": name}
