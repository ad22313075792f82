"""The tables of a fitted classifier as lists and arrays, which skops can save without pickle."""

from __future__ import annotations

from typing import Any

import pandas as pd

__all__ = ["from_plain", "to_plain"]

KIND = "__pandas__"


def to_plain(value: Any) -> Any:
    """Take a pandas object apart; anything else is returned as it is.

    Parameters
    ----------
    value : object
        An attribute.

    Returns
    -------
    object
        What is in it.
    """
    if isinstance(value, pd.DataFrame):
        return {KIND: "frame", "columns": value.to_dict("list")}
    if isinstance(value, pd.Series):
        index = to_plain(value.index)
        return {KIND: "series", "values": value.to_numpy(), "name": value.name, "index": index}
    if isinstance(value, pd.Index):
        return {KIND: "index", "values": value.tolist(), "names": list(value.names)}
    return value


def from_plain(value: Any) -> Any:
    """Put together what `to_plain` has taken apart.

    Parameters
    ----------
    value : object
        What it has returned.

    Returns
    -------
    object
        The attribute.
    """
    kind = value.get(KIND) if isinstance(value, dict) else None
    if kind == "frame":
        return pd.DataFrame(value["columns"])
    if kind == "series":
        return pd.Series(value["values"], index=from_plain(value["index"]), name=value["name"])
    if kind == "index":
        names = value["names"]
        if len(names) == 1:
            return pd.Index(value["values"], name=names[0])
        return pd.MultiIndex.from_tuples(value["values"], names=names)
    return value
