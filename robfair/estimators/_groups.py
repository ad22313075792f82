"""The groups given to `fit` under either of their names, or the classes in their place."""

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
    estimator: Any, groups: Any, sensitive_features: Any, codes: NDArray[np.intp],
    classes: NDArray[Any], *, compared: bool,
) -> tuple[NDArray[np.intp], pd.Index[Any]]:  # fmt: skip
    """Encode the group of each training sample, and name the groups.

    Without groups the classes take their place, with a warning where training is `compared` by
    group. Raises ValueError if the two arguments differ, or compared groups are fewer than two.
    """
    name = type(estimator).__name__
    if groups is None and sensitive_features is None:
        if compared:
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
    given = encoded[0]  # the two are equal, or there is only one
    if compared and len(given) < 2:
        raise ValueError(
            f"{name} compares groups, and there is only one ({given.labels[0]!r}): pass at least "
            "two."
        )
    return given.codes, given.labels
