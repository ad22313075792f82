"""With what, and when, an audit was made."""

from __future__ import annotations

import platform
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import numpy as np
import sklearn
import torch

from robfair._version import __version__
from robfair.adapters import as_model
from robfair.auditing._examples import WIDE, feature_names
from robfair.distance import DistanceOptions
from robfair.threat import ThreatModel


def plain_seed(random_state: Any) -> Any:
    """Return a seed, or the kind of generator that was given in its place."""
    seeded = random_state is None or isinstance(random_state, int | np.integer)
    return random_state if seeded else type(random_state).__name__


def changed_options(options: DistanceOptions, certify: bool) -> dict[str, Any]:
    """Return the options of the distances that differ from their defaults, as plain values."""
    told: dict[str, Any] = {"certify": True} if certify else {}
    for field in fields(options):
        value = getattr(options, field.name)
        if not isinstance(value, bool | int | float | str | None):  # background: rows of data
            told[field.name] = f"{type(value).__name__} of shape {np.shape(value)}"
        elif value != field.default:
            told[field.name] = value
    told.pop("random_state", None)  # the seed of the whole audit, which is told by itself
    return told


def provenance(model: Any, X: Any, threat_model: ThreatModel) -> dict[str, Any]:
    """Tell what may change, the space in which it does, the date and the versions."""
    space = "the input of the last step of the Pipeline"
    if threat_model.mutable_columns is not None:
        space = "the columns of X"
    elif as_model(model).transform is None:
        space = "X"
    return {
        "mutable": _mutable(model, X, threat_model),
        "space": space,
        "threat_model_by_default": threat_model.held_columns is not None,
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
    if mask.ndim != 1 or mask.size > WIDE:  # an image, or too many names to read
        return f"{int(mask.sum())} of {mask.size} features"
    names = feature_names(model, X, mask.size)
    return ", ".join(name for name, free in zip(names, mask, strict=True) if free)
