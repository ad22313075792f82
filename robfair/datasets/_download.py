"""Data sets that are downloaded once, checked, and kept as one ``.npz`` file each.

Trust rests on the published SHA-256 of the original files. Each time arrays are loaded, the bytes
of those files are rebuilt from them and hashed. One table of hashes thus checks a fresh download,
an old file in the cache and a folder filled by hand, whichever zip or numpy wrote the file.

A data set is a `Source`: its downloads, how to read them, and the contents to verify.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Bytes", "Part", "Source", "data_folder", "load", "scratch_beside"]

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Part:
    """Verified contents of one part of a data set, such as its test split."""

    shapes: Mapping[str, tuple[int, ...]]  # of the arrays, all uint8, in the order of `load`
    sha256: Sequence[Sequence[str]]  # of each original file; several if two contents are accepted


@dataclass(frozen=True)
class Source:
    """A data set: its downloads, and its verified contents."""

    title: str  # for messages
    file_name: str  # in the cache, *.npz
    downloads: Mapping[str, str]  # URL -> MD5 of the file
    unpack: Callable[[Sequence[Path]], Mapping[str, Bytes]]  # files -> all arrays, by name
    rebuild: Callable[..., Iterable[bytes]]  # arrays of a part -> bytes of its original files
    parts: Mapping[str, Part]


def load(
    source: Source,
    split: str,
    *,
    data_home: str | os.PathLike[str] | None,
    download_if_missing: bool,
) -> list[Bytes]:
    """Load a part of a data set, or "all" of them, from the cache; download it first if need be.

    Returns the arrays in the order of `Part.shapes`. Raises ValueError if `split` is unknown,
    ImportError if pooch is needed and not installed, and OSError if the data is missing and may
    not be downloaded, the download fails, the folder cannot be written to, or the file in it fails
    the check. A failed download leaves no file behind.
    """
    splits = [*source.parts, "all"]
    if split not in splits:
        raise ValueError(f"split must be one of {', '.join(map(repr, splits))}; got {split!r}.")
    file = data_folder(data_home) / source.file_name
    if not file.exists():
        if not download_if_missing:
            raise FileNotFoundError(
                f"{file} does not exist, and download_if_missing is False. Name the folder that "
                f"holds {file.name} with data_home or the environment variable ROBFAIR_DATA, or "
                "allow the download."
            )
        _download(source, file)
    parts = source.parts.values() if split == "all" else [source.parts[split]]
    arrays = [_read_verified(source, part, file) for part in parts]
    return [
        np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
        for pieces in zip(*arrays, strict=True)
    ]


def data_folder(data_home: str | os.PathLike[str] | None) -> Path:
    """Return the folder of the cache: `data_home`, $ROBFAIR_DATA or the user's cache folder."""
    if data_home is None:
        # pooch knows the cache folder of each operating system; a named folder does not need it.
        data_home = os.environ.get("ROBFAIR_DATA") or _pooch().os_cache("robfair")
    return Path(data_home).expanduser()


def scratch_beside(file: Path) -> tempfile.TemporaryDirectory[str]:
    """Make a folder next to `file`: moving the finished file there is then one atomic step."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=file.parent, prefix=f".{file.name}-")
    except OSError as error:
        raise OSError(
            f"The data folder {file.parent} cannot be written to ({error}). Name another with "
            "data_home or the environment variable ROBFAIR_DATA."
        ) from error


def _pooch() -> Any:
    try:
        import pooch  # type: ignore[import-untyped]
    except ImportError as error:
        raise ImportError(
            "Downloading data needs pooch, which is not installed: pip install robfair[download]. "
            "Data that is already on this machine needs no pooch: name its folder with data_home "
            "or the environment variable ROBFAIR_DATA."
        ) from error
    return pooch


def _read_verified(source: Source, part: Part, file: Path) -> list[Bytes]:
    """Return the arrays of one part, or raise OSError unless they pass the check."""
    with file.open("rb") as stream:
        try:
            with np.load(stream, allow_pickle=False) as archive:
                arrays = [archive[name] for name in part.shapes]
            problem = _difference(source, part, arrays)
        except MemoryError:
            raise
        except Exception as error:  # a damaged zip file makes numpy raise nearly anything
            problem = f"it cannot be read ({type(error).__name__}: {error})"
    if problem:
        raise OSError(
            f"{file} is not the {source.title} data that robfair knows: {problem}. It may have "
            "been edited, or damaged in a copy; delete it, and it is downloaded again."
        )
    return arrays


def _difference(source: Source, part: Part, arrays: Sequence[Bytes]) -> str:
    """Describe how `arrays` differ from the data; return an empty string if they do not."""
    for (name, shape), array in zip(part.shapes.items(), arrays, strict=True):
        if array.dtype != np.uint8 or array.shape != shape:
            return (
                f"{name} must be uint8 of shape {shape}, and is {array.dtype} of shape "
                f"{array.shape}"
            )
    for content, accepted in zip(source.rebuild(*arrays), part.sha256, strict=True):
        if hashlib.sha256(content).hexdigest() not in accepted:
            return f"the SHA-256 of {' and '.join(part.shapes)} differs from the published one"
    return ""


def _download(source: Source, file: Path) -> None:
    """Make `file` from the downloaded originals, or raise and leave nothing behind."""
    pooch = _pooch()
    with scratch_beside(file) as folder:
        try:
            paths = [
                Path(pooch.retrieve(url, f"md5:{md5}", url.rpartition("/")[2], folder))
                for url, md5 in source.downloads.items()
            ]
        except (OSError, ValueError) as error:  # of requests, and of pooch's hash
            raise OSError(
                f"{source.title} could not be downloaded, or what came is not the original; "
                "nothing was kept. Try again or, on a machine without a network, copy "
                f"{file.name} from another one into {file.parent}. The cause: {error}"
            ) from error
        arrays = source.unpack(paths)
        for part in source.parts.values():
            problem = _difference(source, part, [arrays[name] for name in part.shapes])
            if problem:
                raise OSError(f"The downloaded {source.title} is not the original: {problem}.")
        finished = Path(folder) / file.name
        np.savez(finished, **arrays)  # type: ignore[arg-type]  # of allow_pickle
        finished.replace(file)
