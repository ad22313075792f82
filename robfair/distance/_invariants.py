"""Checks of every point that a method returns, whatever the method.

A point leaves immutable features as they were, stays in the box, is a row that could exist where
the threat model asks for one, and is as far away as its distance says. A search that breaks one of
these is broken: a number that looks like any other would hide it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from robfair.threat import ThreatModel

__all__ = ["check_points"]

# Relative difference of a distance and the norm of the change: sums in another order for those that
# are measured, and for closed forms the step beyond the boundary, and beyond rounding, to the point
# that proves them (1 % at most, see the linear method).
CLOSE, CLOSE_EXACT = 1e-6, 0.011


def check_points(
    threat_model: ThreatModel,
    X: NDArray[np.generic],
    points: NDArray[np.generic],
    distance: NDArray[np.float64] | None,
    exact: NDArray[np.bool_],
    method: str,
) -> None:
    """Raise RuntimeError if points break the threat model, or are not as far away as is said.

    Parameters
    ----------
    threat_model : ThreatModel
        What may change, and what it costs.
    X, points : ndarray of shape (n_samples, ...)
        Samples, and what was found for them.
    distance : ndarray of shape (n_samples,), or None
        Their distances; None where these are not those of the points.
    exact : ndarray of bool, of shape (n_samples,)
        Where a distance is that of a closed form or a proof.
    method : str
        What has found them.
    """
    shape, n = X.shape[1:], len(X)
    end = points.reshape(n, -1)
    start = X.reshape(n, -1).astype(end.dtype)
    same = (start == end) | np.isnan(start)
    mask, box = threat_model.mask(shape), threat_model.box(shape)
    if mask is not None:
        _refuse(~same[:, ~mask].all(axis=1), "move immutable features", method)
    if box is not None:  # rounded as the points are, which may lie on a side
        low, high = (side.astype(end.dtype) for side in box)
        _refuse(~(((low <= end) & (end <= high)) | same).all(axis=1), "leave the box", method)
    valid = threat_model.valid(start.reshape(X.shape), end.reshape(X.shape))
    _refuse(~valid, "could not exist as rows", method)
    if distance is None:
        return
    cost = threat_model.cost(start.reshape(X.shape), end.reshape(X.shape))
    width = np.where(exact, CLOSE_EXACT, CLOSE) * np.maximum(cost, distance)
    _refuse(np.abs(cost - distance) > width, "are not as far away as their distance", method)


def _refuse(wrong: NDArray[np.bool_], fault: str, method: str) -> None:
    if wrong.any():
        raise RuntimeError(
            f"{int(wrong.sum())} of {len(wrong)} points of the method {method!r} {fault}. That is "
            "a fault of robfair, not yours: please report it, with the model's type and the "
            "options."
        )
