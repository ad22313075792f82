"""UTKFace: faces with age, gender and race, from a folder that the user has."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.utils import Bunch

from robfair.datasets._download import data_folder
from robfair.datasets._images import Home, Images, Labels, Split, as_data, page
from robfair.datasets._utkface_files import labels_of, load_faces

__all__ = ["fetch_utkface"]

_GENDERS = np.array(["Male", "Female"])
_RACES = np.array(["White", "Black", "Asian", "Indian", "Other"])

_Target = Literal["age", "gender"]


@overload
def fetch_utkface(
    *,
    data_home: Home = ...,
    folder: Home = ...,
    split: Split = ...,
    target: _Target = ...,
    age_bins: Sequence[int] = ...,
    image_size: int = ...,
    return_X_y: Literal[False] = ...,
) -> Bunch: ...


@overload
def fetch_utkface(
    *,
    data_home: Home = ...,
    folder: Home = ...,
    split: Split = ...,
    target: _Target = ...,
    age_bins: Sequence[int] = ...,
    image_size: int = ...,
    return_X_y: Literal[True],
) -> tuple[Images, Labels]: ...


def fetch_utkface(
    *,
    data_home: Home = None,
    folder: Home = None,
    split: Split = "train",
    target: _Target = "age",
    age_bins: Sequence[int] = (15, 25, 40, 60),
    image_size: int = 48,
    return_X_y: bool = False,
) -> Bunch | tuple[Images, Labels]:
    """Load UTKFace, 23,000 faces labelled with age, gender and race, from files that you have.

    The licence allows non-commercial research only and forbids passing the images on, so nothing is
    downloaded. Get "Aligned&Cropped Faces" from the authors [1]_, unpack it, and name its folder
    once; the file made from it is kept and found again without `folder`.

    Parameters
    ----------
    data_home : path-like or None, default=None
        The folder that keeps ``utkface-<image_size>.npz``. None for the environment variable
        ROBFAIR_DATA or, where that is not set, a folder ``robfair`` in the user's cache.
    folder : path-like or None, default=None
        The folder with the JPEG files, from which that file is made again (about a minute; it needs
        Pillow, ``pip install robfair[download]``). None to use the file as it is or, if it is
        missing, to make it from the folder ``utkface`` in `data_home`.
    split : {"train", "test", "all"}, default="train"
        Four fifths to train, one fifth to test, or all, those to train first. The data set has no
        split of its own; this one is decided by a hash of each file's name.
    target : {"age", "gender"}, default="age"
        What to predict: a class of age, or gender.
    age_bins : sequence of int, default=(15, 25, 40, 60)
        The first year of each class of age but the youngest. The default is that of [2]_: 0-14,
        15-24, 25-39, 40-59, 60 and older.
    image_size : int, default=48
        Height and width of the images. Larger images are resized, by means over areas.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch, as scikit-learn's loaders do, without groups.

    Returns
    -------
    utkface : :class:`~sklearn.utils.Bunch` or tuple of (ndarray, ndarray)
        ``(data, target)`` if ``return_X_y``, else a Bunch with:

        data : ndarray of shape (n_samples, 3, image_size, image_size)
            The images as torch modules take them, red, green and blue, float32 in [0, 1].
        target : ndarray of shape (n_samples,)
            The classes, int64.
        sensitive_features : DataFrame of shape (n_samples, 2)
            ``race`` ("White", "Black", "Asian", "Indian", "Other") and ``gender`` ("Male",
            "Female").
        images : ndarray of shape (n_samples, image_size, image_size, 3)
            The same images, uint8. The licence does not allow publishing them.
        ages : ndarray of shape (n_samples,)
            Years, int64.
        file_names : ndarray of shape (n_samples,)
            The file of each image.
        target_names : list of str
            The name of each class.
        n_malformed, n_conflicting, n_duplicates : int
            Number of files left out, in all splits together: those whose name lacks a label, those
            equal to a file with another label, and those equal to a file that is kept.
        DESCR : str
            Source, licence and known problems.

    Raises
    ------
    ValueError
        If an argument is wrong, or an image is not square or smaller than `image_size`.
    ImportError
        If Pillow is needed and not installed.
    OSError
        If there are no such files, one of them cannot be read, the cache cannot be written to, or
        the file in it was not made by this function.

    See Also
    --------
    robfair.models.utkface_network : A network for these images.

    Notes
    -----
    Images come in the order of the same hash, which has nothing to do with their labels, so the
    first thousand are a sample of all. The images, their order and their split depend only on the
    names and the contents of the files.

    Know the data set's problems before you conclude anything from it:

    - Nobody asked the people: age, gender and race were guessed by a model and checked by one
      person. A robustness bias between groups is one between such guesses.
    - Race is one of five boxes, "Other" being among others Hispanic, Latino and Middle Eastern;
      gender is one of two.
    - Groups differ in size and in age: 43 in 100 faces are White and 7 are Other; 29 in 100 Asian
      faces are of children under 15 and 4 in 100 Black ones. With age as the target, compare
      groups within a class, too.
    - Files equal byte for byte are taken out, 649 of 23,704, of which 531 bear different labels.
      Other pictures of the same person stay, so the test split is not independent of the other.
    - The people did not agree to be in it. Use it to compare with published work, not to decide
      about people.

    References
    ----------
    .. [1] Zhang, Z., Song, Y. and Qi, H. (2017). Age Progression/Regression by Conditional
       Adversarial Autoencoder. CVPR. https://susanqq.github.io/UTKFace/
    .. [2] Nanda, V., Dooley, S., Singla, S., Feizi, S. and Dickerson, J. P. (2021). Fairness
       Through Robustness: Investigating Robustness Disparity in Deep Learning. FAccT.

    Examples
    --------
    >>> from robfair.datasets import fetch_utkface
    >>> faces = fetch_utkface(folder="~/Downloads/UTKFace", split="test")  # doctest: +SKIP
    >>> faces.data.shape, faces.data.dtype  # doctest: +SKIP
    ((4506, 3, 48, 48), dtype('float32'))
    >>> faces.target_names  # doctest: +SKIP
    ['0-14', '15-24', '25-39', '40-59', '60+']
    """
    _check("split", split, ("train", "test", "all"))
    _check("target", target, ("age", "gender"))
    bins = _check_bins(age_bins)
    if not (isinstance(image_size, int | np.integer) and image_size > 0):
        raise ValueError(f"image_size must be an integer above 0; got {image_size!r}.")

    file = data_folder(data_home) / f"utkface-{image_size}.npz"
    source = None if folder is None else Path(folder).expanduser()
    faces = load_faces(file, source, int(image_size))
    rows = _rows(faces.names, split)
    names = faces.names[rows]
    ages, genders, races = np.array([labels_of(name) for name in names]).reshape(-1, 3).T
    by_age = target == "age"
    bunch = Bunch(
        data=as_data(images := faces.images[rows]),
        target=np.digitize(ages, bins).astype(np.int64) if by_age else genders,
        sensitive_features=pd.DataFrame({"race": _RACES[races], "gender": _GENDERS[genders]}),
        images=images,
        ages=ages,
        file_names=names,
        target_names=_bin_names(bins) if by_age else _GENDERS.tolist(),
        n_malformed=faces.n_malformed,
        n_conflicting=faces.n_conflicting,
        n_duplicates=faces.n_duplicates,
        DESCR=page("utkface"),
    )
    return (bunch.data, bunch.target) if return_X_y else bunch


def _rows(names: npt.NDArray[np.str_], split: str) -> npt.NDArray[np.intp]:
    """Return the positions of the images of a split, ordered by the hash of their names."""
    # Without what follows the first dot: some copies of the data end in .jpg.chip.jpg.
    hashes = [hashlib.sha256(name.partition(".")[0].encode()).digest() for name in names]
    # Eight bytes: a tie is out of reach.
    key = np.array([int.from_bytes(digest[:8]) for digest in hashes], dtype=np.uint64)
    in_test = key % 5 == 0
    order = np.lexsort((key, in_test))  # the test split comes last
    return order if split == "all" else order[in_test[order] == (split == "test")]


def _check(name: str, value: Any, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, known))}; got {value!r}.")


def _check_bins(age_bins: Sequence[int]) -> list[int]:
    bins = list(age_bins) if np.ndim(age_bins) == 1 else []
    integers = all(isinstance(year, int | np.integer) for year in bins)
    if not (bins and integers and bins[0] > 0 and all(np.diff(bins) > 0)):
        raise ValueError(
            "age_bins must be the first year of each class of age but the youngest: integers "
            f"above 0, each greater than the one before it; got {age_bins!r}."
        )
    return bins


def _bin_names(bins: Sequence[int]) -> list[str]:
    first, last = [0, *bins[:-1]], [year - 1 for year in bins]
    spans = [f"{a}-{b}" if a < b else f"{a}" for a, b in zip(first, last, strict=True)]
    return [*spans, f"{bins[-1]}+"]
