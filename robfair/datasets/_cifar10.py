"""CIFAR-10, downloaded once and checked by the hashes of its six files."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.utils import Bunch

from robfair.datasets._download import Bytes, Part, Source
from robfair.datasets._images import Home, Images, Labels, Split, fetch_images, loader

__all__ = ["fetch_cifar10"]

_NAMES = [
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
]
_PER_FILE = 10_000
# A record of the binary version: a label, and the red, the green and the blue plane of an image.
_RECORD = 1 + 3 * 32 * 32


def _unpack(paths: Sequence[Path]) -> dict[str, Bytes]:
    """Read the six binary files in the archive, by name; nothing is extracted, no pickle read."""
    (archive,) = paths
    members = [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]
    with tarfile.open(archive) as tar:
        files = [tar.extractfile(f"cifar-10-batches-bin/{name}") for name in members]
        # extractfile gives None for a folder or a link; the MD5 rules that out.
        *train, test = [np.frombuffer(f.read(), np.uint8).reshape(-1, _RECORD) for f in files if f]
    arrays = {}
    for split, records in {"train": np.concatenate(train), "test": test}.items():
        planes = records[:, 1:].reshape(-1, 3, 32, 32)
        # As figures take images: channels last.
        arrays[f"X_{split}"] = np.ascontiguousarray(planes.transpose(0, 2, 3, 1))
        arrays[f"y_{split}"] = records[:, 0].copy()  # a view would keep all records alive
    return arrays


def _rebuild(images: Bytes, labels: Bytes) -> Iterator[bytes]:
    """Yield the binary files: records in the order of the images, `_PER_FILE` in each."""
    for start in range(0, len(images), _PER_FILE):
        rows = slice(start, start + _PER_FILE)
        planes = images[rows].transpose(0, 3, 1, 2).reshape(-1, _RECORD - 1)
        yield np.column_stack([labels[rows], planes]).tobytes()


# Where the archive cannot be reached, a folder may hold JPEG copies, decoded, of these test images
# in place of the originals. That content is accepted, and `exact` is False for them.
_DECODED = [
    *(1259, 1369, 1422, 2245, 2737, 2935, 3695, 3718, 4085, 4496),
    *(5791, 5896, 6286, 7580, 7707, 7724, 7832, 8117, 8551, 9254),
]
_SHA256_DECODED = "eee346b04af1daa4d17c62d4410d0d7fe43231c81d80ff15c2fcdc7477c032f7"
# Of test_batch.bin, as it was published and with the decoded images in it.
_SHA256_TEST = [
    "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
    "123ca0dad8f960344d9149742165d4215093c84c8c4bdc5922af93b614bdb501",
]

_SOURCE = Source(
    title="CIFAR-10",
    file_name="cifar10.npz",
    downloads={
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz": (
            "c32a1d4ab5d03f1284b67883e8d87530"
        )
    },
    unpack=_unpack,
    rebuild=_rebuild,
    parts={
        "train": Part(
            {"X_train": (50_000, 32, 32, 3), "y_train": (50_000,)},
            [
                ["cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"],
                ["a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"],
                ["bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"],
                ["014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"],
                ["755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"],
            ],
        ),
        "test": Part({"X_test": (10_000, 32, 32, 3), "y_test": (10_000,)}, [_SHA256_TEST]),
    },
)


@loader
def fetch_cifar10(
    *,
    data_home: Home = None,
    split: Split = "train",
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Bunch | tuple[Images, Labels]:
    """Load CIFAR-10, 60,000 colour images in ten classes; download it the first time (170 MB).

    Parameters
    ----------
    data_home : path-like or None, default=None
        The folder that holds ``cifar10.npz``, or will hold it. None for the environment variable
        ROBFAIR_DATA or, where that is not set, a folder ``robfair`` in the user's cache.
    split : {"train", "test", "all"}, default="train"
        The data set's own split: 50,000 images to train, 10,000 to test, or all, those to train
        first. As float32 the images to train take 614 MB of memory.
    download_if_missing : bool, default=True
        Whether to download the data if the folder does not hold it. That needs pooch
        (``pip install robfair[download]``).
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch, as scikit-learn's loaders do.

    Returns
    -------
    cifar10 : :class:`~sklearn.utils.Bunch` or tuple of (ndarray, ndarray)
        ``(data, target)`` if ``return_X_y``, else a Bunch with:

        data : ndarray of shape (n_samples, 3, 32, 32)
            The images as torch modules take them, red, green and blue, float32 in [0, 1].
        target : ndarray of shape (n_samples,)
            The classes, int64 from 0 to 9.
        images : ndarray of shape (n_samples, 32, 32, 3)
            The images as they were published, uint8, for figures.
        target_names : list of str
            The name of each class, ``"airplane"`` to ``"truck"``.
        exact : ndarray of shape (n_samples,)
            Where an image is the original one, bool. True everywhere in downloaded data; see
            Notes.
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
    fetch_mnist : Grey images of handwritten digits.
    robfair.models.cifar_network : A network for these images.

    Notes
    -----
    The arrays are compared with the SHA-256 of the six original files each time they are loaded.
    One other content of ``cifar10.npz`` is accepted: with 20 test images (19 ships, a horse) that
    were decoded from JPEG copies, for machines that the archive cannot reach. ``exact`` is False
    for these.

    The binary version is downloaded, so no pickle is ever loaded.

    References
    ----------
    .. [1] Krizhevsky, A. (2009). Learning Multiple Layers of Features from Tiny Images. Technical
       report, University of Toronto. https://www.cs.toronto.edu/~kriz/cifar.html

    Examples
    --------
    >>> from robfair.datasets import fetch_cifar10
    >>> test = fetch_cifar10(split="test")  # doctest: +SKIP
    >>> test.data.shape, test.data.dtype  # doctest: +SKIP
    ((10000, 3, 32, 32), dtype('float32'))
    >>> [test.target_names[label] for label in test.target[:4]]  # doctest: +SKIP
    ['cat', 'ship', 'ship', 'airplane']
    """
    bunch = fetch_images(
        _SOURCE, _NAMES, data_home=data_home, split=split, download_if_missing=download_if_missing
    )
    bunch.exact = _exact(bunch.images, split)
    return (bunch.data, bunch.target) if return_X_y else bunch


def _exact(images: Bytes, split: str) -> npt.NDArray[np.bool_]:
    """Return a mask of the original images; those of the test split, if any, come last."""
    exact = np.ones(len(images), dtype=bool)
    if split != "train":
        (n_test,) = _SOURCE.parts["test"].shapes["y_test"]
        suspects = len(images) - n_test + np.array(_DECODED)
        content = hashlib.sha256(images[suspects].tobytes()).hexdigest()
        exact[suspects] = content != _SHA256_DECODED  # all of them are decoded, or none
    return exact
