"""Finished refits on disk, so that a run that was cut off goes on where it stopped.

The process that called writes them, and not its workers: those may be machines that share no disk
with it, and a result that has not come back is not to be relied upon. If the caller itself is
killed, only refits in flight are lost.
"""

from __future__ import annotations

import json
import os
import pickle
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import joblib
import numpy as np
import sklearn
import torch
from numpy.typing import NDArray
from torch import nn

from robfair._version import __version__
from robfair.exceptions import ResultsError

__all__ = ["Checkpoint", "describe"]

MANIFEST = "manifest.json"


def describe(estimator: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """Describe all that a run depends on, for comparison with another run.

    Parameters
    ----------
    estimator : estimator
        The estimator, unfitted, with its seeds.
    data : mapping of str to object
        Everything else, under the names that an error is to use.

    Returns
    -------
    dict of str to object
        Names, and values or their hashes, that go into JSON.
    """
    versions = {
        "robfair": __version__,
        "scikit-learn": sklearn.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    parts = {
        **{f"version of {name}": version for name, version in versions.items()},
        "estimator": estimator,
        **{f"estimator's {name}": value for name, value in estimator.get_params().items()},
        **data,
    }
    return {name: _fingerprint(name, value) for name, value in parts.items()}


def _fingerprint(name: str, value: Any) -> Any:
    """Return a value that JSON can hold, or else its hash."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if _is_estimator(value):
        return _qualified_name(value)  # its parameters have names of their own
    try:
        return {"hash": joblib.hash(_plain(value))}
    except (pickle.PicklingError, TypeError, AttributeError) as error:
        raise TypeError(
            f"with checkpoint=, {name} must be something that can be pickled, so that a later run "
            f"can be compared with this one; got {value!r}. Define functions and classes at the "
            "top level of a module."
        ) from error


def _plain(value: Any) -> Any:
    """Take apart what has another pickle in each process, such as a torch module."""
    if isinstance(value, nn.Module):
        weights = {name: tensor.cpu().numpy() for name, tensor in value.state_dict().items()}
        return repr(value), weights
    if _is_estimator(value):
        return _qualified_name(value), _plain(value.get_params(deep=False))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _is_estimator(value: Any) -> bool:
    return hasattr(value, "get_params") and not isinstance(value, type)


def _qualified_name(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}"


class Checkpoint:
    """Confidences of finished refits in a folder, one file each.

    Parameters
    ----------
    folder : path-like
        Where they are kept; made if it is not there.
    description : mapping of str to object
        What the run depends on; see `describe`.
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
            # As JSON, where NaN equals itself.
            differing = [
                name
                for name in sorted({*theirs, *ours})
                if json.dumps(theirs.get(name)) != json.dumps(ours.get(name))
            ]
        except (ValueError, TypeError, AttributeError) as error:
            raise ResultsError(
                f"{manifest} is damaged. Delete the folder, or pass another checkpoint."
            ) from error
        if differing:
            shown = ", ".join(
                _difference(name, theirs.get(name), ours.get(name)) for name in differing
            )
            raise ResultsError(
                f"checkpoint {self.folder} holds another run, which differs in: {shown}. Pass "
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
        handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=f".{name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                write(file)
            os.replace(temporary, self.folder / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def _difference(name: str, theirs: Any, ours: Any) -> str:
    """Name what differs, with both values unless they are hashes."""
    hashed = isinstance(theirs, dict) or isinstance(ours, dict)
    return name if hashed else f"{name} ({theirs!r}, now {ours!r})"
