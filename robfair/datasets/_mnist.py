"""MNIST, downloaded once and checked by the hashes of its four files."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from robfair.datasets._download import Bytes, Part, Source
from robfair.datasets._images import Home, Images, Labels, Split, fetch_images, loader

__all__ = ["fetch_mnist"]


def _unpack(paths: Sequence[Path]) -> dict[str, Bytes]:
    """Read the four IDX files: a header of 16 bytes before images, of 8 before labels."""
    X_train, y_train, X_test, y_test = (gzip.decompress(path.read_bytes()) for path in paths)
    return {
        "X_train": np.frombuffer(X_train, np.uint8, offset=16).reshape(-1, 28, 28),
        "y_train": np.frombuffer(y_train, np.uint8, offset=8),
        "X_test": np.frombuffer(X_test, np.uint8, offset=16).reshape(-1, 28, 28),
        "y_test": np.frombuffer(y_test, np.uint8, offset=8),
    }


def _rebuild(images: Bytes, labels: Bytes) -> Iterator[bytes]:
    """Yield the IDX file of the images, then that of the labels, both uncompressed."""
    # Magic numbers of IDX: 8 for unsigned bytes, then the number of dimensions.
    yield struct.pack(">4i", 0x803, *images.shape) + images.tobytes()
    yield struct.pack(">2i", 0x801, *labels.shape) + labels.tobytes()


_URL = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_SOURCE = Source(
    title="MNIST",
    file_name="mnist.npz",
    downloads={
        _URL + "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        _URL + "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
        _URL + "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
        _URL + "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    },
    unpack=_unpack,
    rebuild=_rebuild,
    parts={
        "train": Part(
            {"X_train": (60_000, 28, 28), "y_train": (60_000,)},
            [
                ["ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"],
                ["65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"],
            ],
        ),
        "test": Part(
            {"X_test": (10_000, 28, 28), "y_test": (10_000,)},
            [
                ["0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"],
                ["ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"],
            ],
        ),
    },
)


@loader
def fetch_mnist(
    *,
    data_home: Home = None,
    split: Split = "train",
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[Images, Labels]:
    """Load MNIST, 70,000 grey images of handwritten digits; download it the first time (11 MB).

    Parameters
    ----------
    data_home : path-like or None, default=None
        The folder that holds ``mnist.npz``, or will hold it. None for the environment variable
        ROBFAIR_DATA or, where that is not set, a folder ``robfair`` in the user's cache.
    split : {"train", "test", "all"}, default="train"
        The data set's own split: 60,000 images to train, 10,000 to test, or all, those to train
        first.
    download_if_missing : bool, default=True
        Whether to download the data if the folder does not hold it. That needs pooch
        (``pip install robfair[download]``).
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch, as scikit-learn's loaders do.

    Returns
    -------
    mnist : :class:`~sklearn.utils.Bunch` or tuple of (ndarray, ndarray)
        ``(data, target)`` if ``return_X_y``, else a Bunch with:

        data : ndarray of shape (n_samples, 1, 28, 28)
            The images as torch modules take them, float32 in [0, 1].
        target : ndarray of shape (n_samples,)
            The digits, int64.
        images : ndarray of shape (n_samples, 28, 28)
            The images as they were published, uint8, for figures.
        target_names : list of str
            ``"0"`` to ``"9"``.
        DESCR : str
            Source, licence and known problems.

    Raises
    ------
    ValueError
        If `split` is unknown.
    ImportError
        If pooch is needed and not installed.
    OSError
        If the data is missing and may not be downloaded, if the download fails or brings
        something else, if the folder cannot be written to, or if the file in it is not the
        original data. A failed download leaves no file behind.

    See Also
    --------
    fetch_cifar10 : Colour images of ten kinds of objects.

    Notes
    -----
    The arrays are compared with the SHA-256 of the four original files each time they are loaded.

    References
    ----------
    .. [1] LeCun, Y., Bottou, L., Bengio, Y. and Haffner, P. (1998). Gradient-based learning
       applied to document recognition. Proceedings of the IEEE 86(11).

    Examples
    --------
    >>> from robfair.datasets import fetch_mnist
    >>> X, y = fetch_mnist(split="test", return_X_y=True)  # doctest: +SKIP
    >>> X.shape, X.dtype, y[:5].tolist()  # doctest: +SKIP
    ((10000, 1, 28, 28), dtype('float32'), [7, 2, 1, 0, 4])
    """
    bunch = fetch_images(
        _SOURCE,
        [str(digit) for digit in range(10)],
        data_home=data_home,
        split=split,
        download_if_missing=download_if_missing,
    )
    return (bunch.data, bunch.target) if return_X_y else bunch
