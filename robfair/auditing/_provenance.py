"""With what, and when, an audit was made."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sklearn
import torch

from robfair._version import __version__
from robfair.adapters import as_model
from robfair.auditing._examples import WIDE, feature_names
from robfair.threat import ThreatModel

__all__ = ["provenance"]


def provenance(
    model: Any, X: Any, threat_model: ThreatModel, random_state: Any, options: dict[str, Any]
) -> dict[str, Any]:
    """Tell the seed, the options of the distance, the space, the date and the versions.

    Parameters
    ----------
    model : object
        The classifier.
    X : array-like
        The samples.
    threat_model : ThreatModel
        What may change.
    random_state : int, RandomState, Generator or None
        Seed of the bootstrap.
    options : dict
        Further options of `boundary_distance`.

    Returns
    -------
    dict
        Plain values.
    """
    seeded = random_state is None or isinstance(random_state, int | np.integer)
    behind = as_model(model).transform is not None
    return {
        "random_state": random_state if seeded else type(random_state).__name__,
        "distance_options": {
            name: value
            if value is None or isinstance(value, bool | int | float | str)
            else f"{type(value).__name__} of shape {np.shape(value)}"
            for name, value in options.items()
            if name != "verbose"
        },
        "mutable": _mutable(model, X, threat_model),
        "space": "the input of the last step of the Pipeline" if behind else "X",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "robfair": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
        },
    }


def _mutable(model: Any, X: Any, threat_model: ThreatModel) -> str:
    """Name what an attacker may change."""
    columns = threat_model.mutable_columns
    if columns is not None:
        return ", ".join(map(str, columns))
    if threat_model.mutable is None:
        return "every feature"
    mask = np.asarray(threat_model.mutable)
    if mask.ndim != 1 or mask.size > WIDE:
        return f"{int(mask.sum())} of {mask.size} features"
    names = feature_names(model, X, mask.size)
    return ", ".join(name for name, free in zip(names, mask, strict=True) if free)
