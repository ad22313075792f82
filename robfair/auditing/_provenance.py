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

__all__ = ["provenance"]


def provenance(model: Any, random_state: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Tell the seed, the options of the distance, the space, the date and the versions.

    Parameters
    ----------
    model : object
        The classifier.
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
