"""Finished refits on disk, so that a run that was cut off goes on where it stopped.

The process that called writes them, and not its workers: those may be machines that share no disk
with it, and a result that has not come back is not to be relied upon. If the caller itself is
killed, only refits in flight are lost.
"""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from robfair._fingerprint import differences
from robfair._tensorfile import replacing
from robfair.exceptions import ResultsError

__all__ = ["Checkpoint"]

MANIFEST = "manifest.json"


class Checkpoint:
    """Confidences of finished refits in a folder, one file each.

    Parameters
    ----------
    folder : path-like
        Where they are kept; made if it is not there.
    description : mapping of str to object
        What the run depends on; see `robfair._fingerprint.describe`.
    shape : tuple of (int, int)
        Number of test samples and of classes.

    Raises
    ------
    ResultsError
        If the folder holds another run.
    """

    def __init__(self, folder: Any, description: Mapping[str, Any], shape: tuple[int, int]) -> None:
        self.folder = Path(folder)
        self.shape = shape
        self.folder.mkdir(parents=True, exist_ok=True)
        manifest = self.folder / MANIFEST
        if manifest.exists():
            self._compare(manifest, dict(description))
        elif any(self.folder.iterdir()):
            raise ResultsError(
                f"checkpoint {self.folder} is not empty, and has no {MANIFEST} that says of which "
                "run it is. Pass a new or empty folder."
            )
        else:
            text = json.dumps(description, indent=1, sort_keys=True)
            self._write(MANIFEST, lambda file: file.write(text.encode()))

    def _compare(self, manifest: Path, ours: dict[str, Any]) -> None:
        try:
            theirs = json.loads(manifest.read_text(encoding="utf-8"))
            differ = differences(theirs, ours)
        except (ValueError, TypeError, AttributeError) as error:
            raise ResultsError(
                f"{manifest} is damaged. Delete the folder, or pass another checkpoint."
            ) from error
        if differ:
            raise ResultsError(
                f"checkpoint {self.folder} holds another run, which differs in: {differ}. Pass "
                "another folder, or delete this one."
            )

    def load(self, name: str) -> NDArray[np.float64] | None:
        """Read a refit; None if it has not been done, or its file is damaged."""
        path = self.folder / f"{name}.npz"
        if not path.exists():
            return None
        try:
            # Opened here: np.load leaves a damaged file open.
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                # Named after the refit, so that a file that was renamed is detected, too.
                proba: NDArray[np.float64] = file[name]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            reason = f"{type(error).__name__}: {error}"
        else:
            if proba.shape == self.shape and proba.dtype == np.float64:
                return proba
            reason = f"it holds {proba.dtype} of shape {proba.shape}, not float64 of {self.shape}"
        warnings.warn(f"{path} is damaged, and this refit is done again ({reason}).", stacklevel=4)
        return None

    def save(self, name: str, proba: NDArray[np.float64]) -> None:
        """Write a refit: its file is there whole, or not at all."""
        self._write(f"{name}.npz", lambda file: np.savez(file, **{name: proba}))  # type: ignore[arg-type]

    def _write(self, name: str, write: Callable[[BinaryIO], Any]) -> None:
        with replacing(self.folder / name) as temporary, temporary.open("xb") as file:
            write(file)
