"""Codes of categories under another numbering than that of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robfair.adapters.trees._ensemble import Ensemble, UnreadableTrees

__all__ = ["recode"]

MOST = 10**8  # entries of the table of sets


def recode(ensemble: Ensemble, values: Mapping[int, Sequence[Any]]) -> Ensemble:
    """Return the ensemble for rows whose codes stand for other values.

    Parameters
    ----------
    ensemble : Ensemble
        As the model's own codes have it. Its `categories` say what these stand for.
    values : dict
        For columns: the values that the codes 0, 1, ... of the rows stand for, None where that is
        nothing. A value that the model does not know becomes an unseen code.

    Returns
    -------
    Ensemble
        All nodes of these columns compare codes.

    Raises
    ------
    UnreadableTrees
        If the model does not tell what its codes stand for, or there are too many of them.
    """
    told = ensemble.categories
    changed = {
        j: given
        for j, given in values.items()
        if not _equal(given, told.get(j)) and not (j not in told and _are_own_codes(given))
    }
    if not changed:
        return ensemble
    nodes = np.flatnonzero(np.isin(ensemble.feature, list(changed)) & (ensemble.left_set < 0))
    left_set = ensemble.left_set.copy()
    left_set[nodes] = len(ensemble.left_sets) + np.arange(len(nodes))
    coded = np.flatnonzero(left_set >= 0)
    width = max([ensemble.left_sets.shape[1], *(len(given) for given in changed.values())])
    if width * len(coded) > MOST:
        raise UnreadableTrees(f"it compares {len(coded)} times with codes up to {width - 1}")
    left_sets = np.zeros((len(coded), width), dtype=bool)
    unseen_left = ensemble.unseen_left.copy()
    unseen_left[nodes] = ensemble.missing_left[nodes]
    left_sets[left_set[coded]] = unseen_left[coded, None]
    left_sets[: len(ensemble.left_sets), : ensemble.left_sets.shape[1]] = ensemble.left_sets
    numbers = {j: _numbers(j, given, told.get(j)) for j, given in changed.items()}
    for node in coded[np.isin(ensemble.feature[coded], list(changed))]:
        flags = unseen_left[node].repeat(width)
        old = numbers[int(ensemble.feature[node])]
        seen = old >= 0
        flags[: len(old)][seen] = ensemble.goes_left(np.full(seen.sum(), node), old[seen])
        left_sets[left_set[node]] = flags
    return replace(
        ensemble,
        left_set=left_set,
        left_sets=left_sets,
        unseen_left=unseen_left,
        categories={**told, **{j: np.asarray(given) for j, given in changed.items()}},
    )


def _numbers(column: int, given: Sequence[Any], told: NDArray[Any] | None) -> NDArray[np.float64]:
    """Return the model's own code of each value, -1 where it has none."""
    if told is None:
        raise UnreadableTrees(f"it does not tell what the codes of its column {column} stand for")
    codes = {value: code for code, value in enumerate(told.tolist())}
    return np.array([codes.get(_plain(value), -1) for value in given], dtype=np.float64)


def _equal(given: Sequence[Any], told: NDArray[Any] | None) -> bool:
    return told is not None and [_plain(value) for value in given] == told.tolist()


def _are_own_codes(given: Sequence[Any]) -> bool:
    """Tell whether codes are the values themselves, as the model sees them."""
    return all(value is None or value == code for code, value in enumerate(given))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
