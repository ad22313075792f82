"""The samples that training holds out, to evaluate groups and to stop early."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from robfair._alignment import check_aligned
from robfair._groups import encode_groups

__all__ = ["draw_held_out", "draw_seed", "held_out_mask"]


def draw_seed(random_state: Any) -> int:
    """Draw the seed of a fit.

    Parameters
    ----------
    random_state : int, RandomState or None
        The classifier's parameter.

    Returns
    -------
    int
        The seed of weights, batches, attacks and held-out samples.
    """
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def held_out_mask(
    y: ArrayLike, groups: Any, *, validation_fraction: float, random_state: Any
) -> NDArray[np.bool_]:
    """Find the samples that the classifiers hold out, without a fit.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
        Class labels.
    groups : array-like of shape (n_samples,) or (n_samples, n_columns)
        The group of each sample, as given to `fit`.
    validation_fraction : float
        The classifier's parameter.
    random_state : int
        The classifier's parameter.

    Returns
    -------
    ndarray of bool, of shape (n_samples,)
        Whether a sample is held out.

    Raises
    ------
    ValueError
        If a group has less than two samples.

    Examples
    --------
    >>> import numpy as np
    >>> from robfair.training import held_out_mask
    >>> y, groups = np.arange(8) % 2, np.repeat(["a", "b"], 4)
    >>> mask = held_out_mask(y, groups, validation_fraction=0.25, random_state=0)
    >>> groups[mask].tolist()
    ['a', 'b']
    """
    check_aligned(y=y, groups=groups)
    codes = np.unique(np.asarray(y), return_inverse=True)[1]
    encoded = encode_groups(groups, len(codes))
    seed = draw_seed(random_state)
    return draw_held_out(encoded.codes, codes, validation_fraction, encoded.labels, seed)


def draw_held_out(
    groups: NDArray[np.intp],
    codes: NDArray[np.intp],
    fraction: float,
    labels: Any,
    seed: int,
) -> NDArray[np.bool_]:
    """Draw `fraction` of each group, its classes in proportion.

    Parameters
    ----------
    groups, codes : ndarray of shape (n_samples,)
        Groups and classes, as integers from 0.
    fraction : float
        Part of each group to hold out: at least one sample, and never all.
    labels : sequence
        Names of the groups.
    seed : int
        Seed of the draw.

    Returns
    -------
    ndarray of bool, of shape (n_samples,)
        Whether a sample is held out.

    Raises
    ------
    ValueError
        If a group has less than two samples.
    """
    shuffled = np.random.default_rng(seed).permutation(len(groups))
    # Sorted by class within a group, evenly spaced positions take each class in proportion.
    order = shuffled[np.lexsort((codes[shuffled], groups[shuffled]))]
    mask = np.zeros(len(groups), dtype=bool)
    for group, label in enumerate(labels):
        members = order[groups[order] == group]
        if len(members) < 2:
            raise ValueError(
                f"group {label!r} has {len(members)} sample(s): training and evaluation on "
                "held-out samples need at least one each. Merge it with another group, or leave it "
                "out."
            )
        n = min(max(round(fraction * len(members)), 1), len(members) - 1)  # 1 on either side
        mask[members[((np.arange(n) + 0.5) * len(members) / n).astype(int)]] = True
    return mask
