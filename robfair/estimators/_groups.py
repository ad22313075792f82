"""The groups that `fit` is given, under either of their names, or the classes in their place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robfair._groups import encode_groups
from robfair._warnings import warn
from robfair.exceptions import GroupsWarning

__all__ = ["encode_fit_groups"]


def encode_fit_groups(
    estimator: Any,
    groups: Any,
    sensitive_features: Any,
    codes: NDArray[np.intp],
    classes: NDArray[Any],
    *,
    judged: bool,
) -> tuple[NDArray[np.intp], pd.Index[Any]]:
    """Encode the group of each training sample.

    Parameters
    ----------
    estimator : object
        The estimator, for messages.
    groups, sensitive_features : array-like or None
        The two arguments of `fit`.
    codes : ndarray of shape (n_samples,)
        Classes of the samples: the groups where none were given.
    classes : ndarray
        Class labels.
    judged : bool
        Whether training depends on the groups: there must then be two, and none empty, and classes
        in their place deserve a warning.

    Returns
    -------
    codes : ndarray of shape (n_samples,)
        Group of each sample.
    labels : pandas.Index
        Names of the groups.
    """
    name = type(estimator).__name__
    if groups is None and sensitive_features is None:
        if judged:
            warn(
                f"{name}.fit got no groups: the classes are taken as groups. Pass groups=; in "
                "GridSearchCV or cross_validate they arrive only with metadata routing on "
                "(sklearn.set_config(enable_metadata_routing=True)), or as sensitive_features=. "
                "groups=y says that classes are meant.",
                GroupsWarning,
            )
        return codes, pd.Index(classes)
    encoded = [
        encode_groups(values, len(codes), label)
        for values, label in ((groups, "groups"), (sensitive_features, "sensitive_features"))
        if values is not None
    ]
    if len(encoded) == 2 and not (
        encoded[0].labels.equals(encoded[1].labels)
        and np.array_equal(encoded[0].codes, encoded[1].codes)
    ):
        raise ValueError(
            "groups and sensitive_features are two names for the same thing, and they differ. "
            "Pass one of them."
        )
    found = encoded[0]
    if judged:
        sizes = np.bincount(found.codes, minlength=len(found))
        if len(found) < 2:
            raise ValueError(
                f"{name} compares groups, and there is only one ({found.labels[0]!r}): pass at "
                "least two."
            )
        if (sizes == 0).any():
            empty = found.labels[sizes == 0].tolist()
            raise ValueError(
                f"groups declare {len(empty)} categories that no sample has: {empty[:5]}. Drop "
                "them with .cat.remove_unused_categories()."
            )
    return found.codes, found.labels
