"""Images as torch modules take them, for the data sets of images."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib import resources
from typing import Literal, Protocol, cast, overload

import numpy as np
import numpy.typing as npt
from sklearn.utils import Bunch

from robfair.datasets._download import Bytes, Source, load

__all__ = ["Home", "Images", "Labels", "Split", "as_data", "fetch_images", "loader", "page"]

Home = str | os.PathLike[str] | None
Images = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]
Split = Literal["train", "test", "all"]


class Loader(Protocol):
    """Signature of the loaders; the type of the result depends on `return_X_y`."""

    @overload
    def __call__(
        self,
        *,
        data_home: Home = ...,
        split: Split = ...,
        download_if_missing: bool = ...,
        return_X_y: Literal[False] = ...,
    ) -> Bunch: ...
    @overload
    def __call__(
        self,
        *,
        data_home: Home = ...,
        split: Split = ...,
        download_if_missing: bool = ...,
        return_X_y: Literal[True],
    ) -> tuple[Images, Labels]: ...


def loader(function: Callable[..., Bunch | tuple[Images, Labels]]) -> Loader:
    """Declare that a function is a loader, for type checkers; it is returned as it is."""
    return cast(Loader, function)


def fetch_images(
    source: Source,
    target_names: Sequence[str],
    *,
    data_home: Home,
    split: str,
    download_if_missing: bool,
) -> Bunch:
    """Load data, target, images, target_names and DESCR as a Bunch; other arguments as in `load`.

    A part of `source` has two arrays: images of shape (n, height, width[, channels]), and labels.
    """
    images, labels = load(
        source, split, data_home=data_home, download_if_missing=download_if_missing
    )
    return Bunch(
        data=as_data(images),
        target=labels.astype(np.int64),
        images=images,
        target_names=list(target_names),
        DESCR=page(source.file_name.removesuffix(".npz")),
    )


def as_data(images: Bytes) -> Images:
    """Return images as torch modules take them: channels first, in [0, 1]."""
    with_channels = images if images.ndim == 4 else images[..., np.newaxis]
    # "C": the copy is in the new order.
    data = np.moveaxis(with_channels, -1, 1).astype(np.float32, order="C")
    data /= 255  # in place: the training images of CIFAR-10 are 614 MB as float32
    return data


def page(name: str) -> str:
    """Return the page that describes a data set, ``data/<name>.md``."""
    file = resources.files("robfair.datasets").joinpath("data", f"{name}.md")
    return file.read_text(encoding="utf-8")
