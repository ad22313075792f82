"""UCI Adult, embedded in the package and checked by its hash."""

import gzip
import hashlib
import io
import zlib
from collections.abc import Sequence
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Literal, overload

import pandas as pd
from sklearn.utils import Bunch

__all__ = ["load_adult"]

# Of the decompressed text, since gzip's own bytes depend on the tool that compressed it.
_SHA256 = "98f69ea5e7d876501d2c1358feb56ff85dcce704ea4baead60e4a29166e85b22"
_TARGET = "income"
_SPLITS = ("train", "test", "all")

_Split = Literal["train", "test", "all"]


@overload
def load_adult(
    *,
    split: _Split = ...,
    sensitive_features: str | Sequence[str] = ...,
    return_X_y: Literal[False] = ...,
) -> Bunch: ...


@overload
def load_adult(
    *, split: _Split = ..., sensitive_features: str | Sequence[str] = ..., return_X_y: Literal[True]
) -> tuple[pd.DataFrame, "pd.Series[str]"]: ...


def load_adult(
    *,
    split: _Split = "train",
    sensitive_features: str | Sequence[str] = ("race", "sex"),
    return_X_y: bool = False,
) -> Bunch | tuple[pd.DataFrame, "pd.Series[str]"]:
    """Load the UCI Adult ("Census Income") data set, rows without missing values.

    The task is to predict whether a person's income was above 50,000 US dollars a year. The data
    is part of the package; nothing is downloaded.

    Parameters
    ----------
    split : {"train", "test", "all"}, default="train"
        The data set's own split: 30,162 rows to train, 15,060 to test, or all 45,222.
    sensitive_features : str or sequence of str, default=("race", "sex")
        Columns that form the groups. They come in ``sensitive_features`` and *also stay in*
        ``data``, so a model sees them unless you drop them.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch, as scikit-learn's loaders do. Take the
        groups from the columns of ``data`` then.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch` or tuple of (DataFrame, Series)
        ``(data, target)`` if ``return_X_y``, else a Bunch with:

        data : DataFrame of shape (n_samples, 14)
            Six integer columns, and eight of dtype ``category`` with the same categories in
            every split, so that an encoder fitted on one knows the values of the other.
        target : Series of shape (n_samples,)
            ``"<=50K"`` or ``">50K"``.
        sensitive_features : DataFrame of shape (n_samples, n_sensitive_features)
            The named columns; those that are categories in ``data`` are plain strings here.
        frame : DataFrame of shape (n_samples, 15)
            ``data`` and ``target`` side by side.
        feature_names : list of str
            The columns of ``data``.
        target_names : list of str
            The two labels.
        DESCR : str
            Source, licence, columns and known problems.

    Raises
    ------
    ValueError
        If `split` is unknown, or `sensitive_features` is empty or names a column that does not
        exist.
    OSError
        If the file in the package is not the one that robfair was released with.

    Notes
    -----
    A row has the same index label in every split, and no label occurs twice.

    Know the data set's problems before you conclude anything from it:

    - It is from the 1994 US census, and the threshold of 50,000 dollars is of that year. Results
      depend on the threshold and do not carry over to newer census data [2]_.
    - Race and gender are recorded as that census recorded them: five races, two sexes.
    - Groups are very unequal in size: of the training rows 25,933 are White, 286
      Amer-Indian-Eskimo and 231 Other. A number for a small group rests on few people.
    - Women with an income above the threshold are rare: 1,112 of 9,782 in the training rows.
    - ``fnlwgt`` is a sampling weight of the census, not a feature of a person. Most models should
      not see it, and an attack should not change it.
    - Only complete rows are kept (7.4 % are dropped), and values are not missing at random.

    References
    ----------
    .. [1] Becker, B. and Kohavi, R. (1996). Adult. UCI Machine Learning Repository.
       https://doi.org/10.24432/C5XW20. Licence: CC BY 4.0.
    .. [2] Ding, F., Hardt, M., Miller, J. and Schmidt, L. (2021). Retiring Adult: New Datasets
       for Fair Machine Learning. NeurIPS 34.

    Examples
    --------
    >>> from robfair.datasets import load_adult
    >>> adult = load_adult(split="test", sensitive_features="race")
    >>> adult.data.shape
    (15060, 14)
    >>> adult.sensitive_features["race"].value_counts().to_dict()
    {'White': 12970, 'Black': 1411, 'Asian-Pac-Islander': 408, 'Amer-Indian-Eskimo': 149,
    'Other': 122}
    >>> X, y = load_adult(return_X_y=True)
    >>> X.drop(columns="fnlwgt").shape, y.unique().tolist()
    ((30162, 13), ['<=50K', '>50K'])
    """
    if split not in _SPLITS:
        raise ValueError(f"split must be one of {', '.join(map(repr, _SPLITS))}; got {split!r}.")
    folder = resources.files("robfair.datasets").joinpath("data")
    table = pd.read_csv(io.BytesIO(_read_verified(folder.joinpath("adult.csv.gz"))))
    in_split = table.pop("split")
    feature_names = [name for name in table.columns if name != _TARGET]
    sensitive = _sensitive_names(sensitive_features, feature_names)

    rows = in_split == split if split != "all" else slice(None)
    # Groups are plain strings, not categories: a subset of a categorical column still declares the
    # values it no longer holds, and robfair reads such a value as an empty group (hence NaN).
    groups = table.loc[rows, sensitive].copy()
    # Categories are declared before the split is cut out: the one person from "Holand-Netherlands"
    # is in the training rows, yet both splits must encode to the same columns.
    text = table[feature_names].select_dtypes(exclude="number").columns
    frame = table.astype(dict.fromkeys(text, "category")).loc[rows]
    data, target = frame[feature_names], frame[_TARGET].copy()
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        sensitive_features=groups,
        frame=frame,
        feature_names=feature_names,
        target_names=["<=50K", ">50K"],
        DESCR=folder.joinpath("README.md").read_text(encoding="utf-8"),
    )


def _read_verified(file: Traversable) -> bytes:
    """Decompress `file` and return its text, if it is the text that robfair was released with."""
    try:
        text = gzip.decompress(file.read_bytes())
        problem = "" if hashlib.sha256(text).hexdigest() == _SHA256 else "its SHA-256 differs"
    except (OSError, EOFError, zlib.error) as error:
        problem = f"it cannot be read ({error})"
    if problem:
        raise OSError(
            f"The Adult data in {file} is not the file that robfair was released with: {problem}. "
            "It may have been edited, or damaged in a copy; install robfair again."
        )
    return text


def _sensitive_names(asked: str | Sequence[str], available: list[str]) -> list[str]:
    """Return the names in `asked` as a list, or say which columns there are."""
    names = [asked] if isinstance(asked, str) else list(asked)
    unknown = [name for name in names if name not in available]
    if unknown or not names:
        problem = f"has unknown columns {unknown}" if unknown else "is empty"
        raise ValueError(f"sensitive_features {problem}; available: {', '.join(available)}.")
    if len(set(names)) < len(names):
        raise ValueError(f"sensitive_features names a column twice: {names}.")
    return names
