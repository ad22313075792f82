"""The files of UTKFace: the labels in their names, and the ``.npz`` made from them.

No hash is published, and nothing can be downloaded: the licence forbids passing the images on. This
module reads a folder of the user, leaves out files that would spoil a measurement, and keeps the
rest with the names of the files, which hold all labels.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from robfair.datasets._download import Bytes, scratch_beside

__all__ = ["Faces", "labels_of", "load_faces"]

# age_gender_race_date: the date starts with year, month and day; what follows it varies.
_NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_\d{8}")
_OLDEST = 116  # no file of the data set says more


@dataclass(frozen=True)
class Faces:
    """Images kept from a folder, and the numbers of files left out."""

    images: Bytes  # (n_samples, size, size, 3)
    names: npt.NDArray[np.str_]  # of the files, sorted
    n_malformed: int  # whose name lacks a label
    n_conflicting: int  # equal to a file with another label
    n_duplicates: int  # equal to a file with the same label, which is kept


def labels_of(name: str) -> tuple[int, int, int] | None:
    """Return the age, the gender and the race in a file's name; None if it lacks one."""
    match = _NAME.match(name)
    if match is None or int(match[1]) > _OLDEST:
        return None
    return int(match[1]), int(match[2]), int(match[3])


def load_faces(file: Path, folder: Path | None, size: int) -> Faces:
    """Load the images from the file in the cache; make that file from JPEG files first if need be.

    It is made again where `folder` is given; without one, from the folder ``utkface`` beside it if
    it is missing. Raises ValueError if an image is not square or too small, ImportError if Pillow
    is needed and not installed, and OSError if a file is missing or of another kind.
    """
    if folder is None:
        if file.exists():
            return _read_cache(file, size)
        folder = file.parent / "utkface"
        if not folder.is_dir():
            raise FileNotFoundError(
                f"There is no UTKFace in {file.parent}: neither {file.name} nor a folder "
                f"{folder.name} with its JPEG files. Its licence forbids passing it on, so it "
                'cannot be downloaded for you: get "Aligned&Cropped Faces" from '
                "https://susanqq.github.io/UTKFace/, unpack it, and name that folder once with "
                "folder=."
            )
    elif not folder.is_dir():
        raise FileNotFoundError(f"folder must hold JPEG files; {folder} is not a folder.")
    # The scratch folder comes first: a cache that cannot be written to shows at once.
    with scratch_beside(file) as scratch:
        faces = _read_folder(folder, size)
        finished = Path(scratch) / file.name
        np.savez(finished, **vars(faces))  # read back by the same names
        finished.replace(file)
    return faces


def _read_cache(file: Path, size: int) -> Faces:
    with file.open("rb") as stream:
        try:
            with np.load(stream, allow_pickle=False) as archive:
                images, names, *counts = (archive[name] for name in Faces.__dataclass_fields__)
            faces = Faces(images, names, *map(int, counts))
            right = images.dtype == np.uint8 and images.shape == (len(names), size, size, 3)
            problem = "" if right and all(map(labels_of, names)) else "its arrays differ"
        except MemoryError:
            raise
        except Exception as error:  # a damaged zip file makes numpy raise nearly anything
            problem = f"it cannot be read ({type(error).__name__}: {error})"
    if problem:
        raise OSError(
            f"{file} is not a file that fetch_utkface has written: {problem}. Delete it, and it "
            "is made again from the JPEG files."
        )
    return faces


def _read_folder(folder: Path, size: int) -> Faces:
    """Read the JPEG files in `folder`, without what `_select` leaves out."""
    pil = _pil()
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in (".jpg", ".jpeg"))
    labelled = [path for path in paths if labels_of(path.name)]
    if not labelled:
        raise FileNotFoundError(
            f"{folder} holds no JPEG file named as in UTKFace, age_gender_race_date.jpg, and "
            f"{len(paths)} with other names. Name the folder that holds the files themselves; "
            "subfolders are not searched."
        )
    kept, n_conflicting, n_duplicates = _select(labelled)
    images = np.empty((len(kept), size, size, 3), dtype=np.uint8)
    for image, path in zip(images, kept, strict=True):
        image[:] = _read_image(pil, path, size)
    names = np.array([path.name for path in kept])
    return Faces(images, names, len(paths) - len(labelled), n_conflicting, n_duplicates)


def _select(paths: Sequence[Path]) -> tuple[list[Path], int, int]:
    """Return the files to keep, and the numbers of conflicting and duplicate ones left out.

    Of equal files with equal labels the first is kept; if labels differ, none: which is right?
    """
    groups: dict[bytes, list[Path]] = {}
    for path in paths:
        groups.setdefault(hashlib.sha256(path.read_bytes()).digest(), []).append(path)
    agreed = [g for g in groups.values() if len({labels_of(path.name) for path in g}) == 1]
    n_agreed = sum(map(len, agreed))
    return [group[0] for group in agreed], len(paths) - n_agreed, n_agreed - len(agreed)


def _read_image(pil: Any, path: Path, size: int) -> Bytes:
    try:
        with pil.open(BytesIO(path.read_bytes())) as image:
            width, height = image.size
            if width != height or width < size:
                raise ValueError(
                    f"{path} has {width} x {height} pixels. Images must be square, as the aligned "
                    f"and cropped faces are, and at least image_size = {size} pixels wide."
                )
            pixels = np.asarray(image.convert("RGB"))
    except OSError as error:
        raise OSError(f"{path} cannot be read as an image: {error}") from error
    return pixels if width == size else _shrink(pixels, size)


def _shrink(image: Bytes, size: int) -> Bytes:
    """Resize a square image: each new pixel is the mean over the area that it covers.

    Lengths are counted in units such that an old pixel has `size` and a new one len(image), so
    that all sums are of integers, and the result does not depend on their order.
    """
    width = len(image)
    old, new = np.arange(width) * size, np.arange(size)[:, np.newaxis] * width
    overlap = np.minimum(old + size, new + width) - np.maximum(old, new)
    share = overlap.clip(min=0).astype(np.float64)
    total = share @ image.transpose(2, 0, 1) @ share.T
    return np.rint(total / width**2).astype(np.uint8).transpose(1, 2, 0)


def _pil() -> Any:
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            "Reading JPEG files needs Pillow, which is not installed: "
            "pip install robfair[download]. It is needed once, to make the file in the cache."
        ) from error
    return Image
