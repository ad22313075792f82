"""Describe everything on which a run depends, to recognise the same run later."""

from __future__ import annotations

import json
import pickle
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import sklearn
import torch

from robfair._content import content_hash, is_installed_class
from robfair._version import __version__

__all__ = ["describe", "differences"]


def describe(
    estimator: Any, data: Mapping[str, Any], *, without: Iterable[str] = ()
) -> dict[str, Any]:
    """Name everything on which a run depends, with values or their hashes that go into JSON.

    This is the unfitted estimator but for the parameters in `without`, the versions of libraries,
    and `data`, under the names that an error is to use. Raises TypeError if a value can be neither
    written as JSON nor pickled.
    """
    versions = {
        "Python": ".".join(map(str, sys.version_info[:2])),  # the hash of a function, for one
        "robfair": __version__,
        "scikit-learn": sklearn.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
    }
    left_out = set(without)
    params = {n: value for n, value in estimator.get_params().items() if n not in left_out}
    parts = {
        **{f"version of {name}": version for name, version in versions.items()},
        "estimator": estimator,
        **{f"estimator's {name}": value for name, value in params.items()},
        **data,
    }
    return {name: _fingerprint(name, value) for name, value in parts.items()}


def _fingerprint(name: str, value: Any) -> Any:
    """Return a value that JSON can hold, or else its hash."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    try:
        if _is_estimator(value):
            return _named_class(value)  # its parameters have names of their own
        return {"hash": content_hash(_plain(value))}
    except (pickle.PicklingError, TypeError, AttributeError, RecursionError) as error:
        raise TypeError(
            f"with checkpoint=, {name} must be something that can be pickled, so that a later run "
            f"can be compared with this one; got {value!r}."
        ) from error


def _plain(value: Any) -> Any:
    """Take estimators apart, whose attributes are not all parameters."""
    if _is_estimator(value):
        return _named_class(value), _plain(value.get_params(deep=False))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def _is_estimator(value: Any) -> bool:
    return hasattr(value, "get_params") and not isinstance(value, type)


def _named_class(value: Any) -> str:
    """Return the name of an estimator's class, and the hash of code that may be edited."""
    cls = type(value)
    name = f"{cls.__module__}.{cls.__qualname__}"
    return name if is_installed_class(cls) else f"{name} with code {content_hash(cls)[:8]}"


def differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Name the differences between the descriptions of an earlier run and of this one.

    Both values are shown unless they are hashes. The text is empty if there is no difference.
    """
    return ", ".join(
        _difference(name, theirs.get(name), ours.get(name))
        for name in sorted({*theirs, *ours})
        # As JSON, where NaN equals itself.
        if json.dumps(theirs.get(name)) != json.dumps(ours.get(name))
    )


def _difference(name: str, theirs: Any, ours: Any) -> str:
    hashed = isinstance(theirs, dict) or isinstance(ours, dict)
    return name if hashed else f"{name} ({theirs!r}, now {ours!r})"
