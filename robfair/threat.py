"""What an attacker may change: the norm, the box and the features that can move.

A minimal perturbation always comes down to one sub-problem: from a point inside a box, reach a
hyperplane with the smallest step. :func:`step_to_hyperplane` solves it exactly, for L2 and L-inf,
so that no later clipping can undo a step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

__all__ = ["ThreatModel", "norms", "step_to_hyperplane"]


@dataclass(frozen=True, eq=False)
class ThreatModel:
    """The perturbations an attacker may make: how they are measured and where they must stay.

    Parameters
    ----------
    norm : {2, numpy.inf}, default=2
        The norm in which a perturbation is measured.
    bounds : tuple (low, high) or None, default=None
        The box that perturbed samples must stay in. Each side is a number or an array that
        broadcasts to the shape of one sample; ``-inf`` and ``inf`` leave a side open. None is no
        box. Units are those of the space that is perturbed (for a Pipeline: the input of its last
        step).
    mutable : array of bool, broadcastable to the shape of one sample, or None, default=None
        True for features that may change. None: all of them.

    Raises
    ------
    TypeError
        If `bounds` is not a pair or `mutable` is not boolean.
    ValueError
        If `norm` is neither 2 nor infinity, the bounds cross or hold NaN, or nothing is mutable.

    Examples
    --------
    >>> import numpy as np
    >>> from robfair import ThreatModel
    >>> ThreatModel(norm=np.inf, bounds=(0, 1))
    ThreatModel(norm=inf, bounds=(0, 1))
    """

    norm: float = 2
    bounds: tuple[ArrayLike, ArrayLike] | None = None
    mutable: ArrayLike | None = None

    def __post_init__(self) -> None:
        if self.norm not in (2, np.inf):
            raise ValueError(f"norm must be 2 or numpy.inf; got {self.norm!r}.")
        if self.bounds is not None:
            low, high = self._sides()
            if np.isnan(low).any() or np.isnan(high).any():
                raise ValueError("bounds hold NaN; use -inf or inf for a side that is open.")
            crossed = np.atleast_1d(low > high)
            if crossed.any():
                raise ValueError(
                    f"bounds cross: low is greater than high at {int(crossed.sum())} place(s), "
                    f"first at feature {int(np.flatnonzero(crossed)[0])}. Give (low, high)."
                )
        if self.mutable is not None:
            mask = np.asarray(self.mutable)
            if mask.dtype != bool:
                raise TypeError(
                    f"mutable must be an array of bool, one per feature; got dtype {mask.dtype}. "
                    "Use numpy.isin(columns, names) to make a mask from names."
                )
            if not mask.any():
                raise ValueError("mutable is False everywhere: no feature may change.")

    def __repr__(self) -> str:
        parts = [f"norm={'inf' if self.norm == np.inf else 2}"]
        if self.bounds is not None:
            low, high = self.bounds
            parts.append(f"bounds=({_short(low)}, {_short(high)})")
        if self.mutable is not None:
            mask = np.asarray(self.mutable)
            parts.append(f"mutable={int(mask.sum())} of {mask.size}")
        return f"ThreatModel({', '.join(parts)})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ThreatModel):
            return NotImplemented
        return self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[Any, ...]:
        """Contents by value, since arrays neither compare nor hash as one thing."""
        sides = () if self.bounds is None else self._sides()
        arrays = [*sides, *(() if self.mutable is None else (np.asarray(self.mutable),))]
        contents = tuple((a.shape, a.tobytes()) for a in arrays)
        return float(self.norm), self.bounds is None, self.mutable is None, contents

    def _sides(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        try:
            low, high = self.bounds  # type: ignore[misc]
        except (TypeError, ValueError):
            raise TypeError(
                f"bounds must be a pair (low, high) or None; got {self.bounds!r}."
            ) from None
        low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        np.broadcast_shapes(low.shape, high.shape)
        return low, high

    def box(self, shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        """Spread both sides of the box over samples of a shape, and flatten them.

        Parameters
        ----------
        shape : tuple of int
            Shape of one sample.

        Returns
        -------
        tuple of two ndarrays of shape (n_features,), or None
            Low and high side; None without a box.
        """
        if self.bounds is None:
            return None
        low, high = (_fit(side, shape, "bounds") for side in self._sides())
        return low, high

    def mask(self, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """Spread `mutable` over samples of a shape, and flatten it.

        Parameters
        ----------
        shape : tuple of int
            Shape of one sample.

        Returns
        -------
        ndarray of bool, of shape (n_features,), or None
            Which features may change; None when all may.
        """
        if self.mutable is None:
            return None
        mask: NDArray[np.bool_] = _fit(np.asarray(self.mutable), shape, "mutable")
        return None if mask.all() else mask

    def check(self, X: NDArray[Any]) -> None:
        """Raise a ValueError if a sample lies outside the box, or has another shape.

        Parameters
        ----------
        X : ndarray of shape (n_samples, ...)
            Samples.
        """
        shape = X.shape[1:]
        self.mask(shape)
        box = self.box(shape)
        if box is None:
            return
        flat = X.reshape(len(X), -1)
        # Rounded as X was: float32 data may lie an ulp outside of the float64 bounds they define.
        box = (box[0].astype(X.dtype), box[1].astype(X.dtype))
        outside = (flat.min(axis=0) < box[0]) | (flat.max(axis=0) > box[1])
        if outside.any():
            worst = int(np.flatnonzero(outside)[0])
            column = flat[:, worst]
            raise ValueError(
                f"X leaves the bounds in {int(outside.sum())} feature(s); the first is feature "
                f"{worst}, where X runs from {column.min():.6g} to {column.max():.6g} and the "
                f"bounds are [{box[0][worst]:.6g}, {box[1][worst]:.6g}]. Widen the bounds, or "
                "clip X."
            )


def _short(side: ArrayLike) -> str:
    array = np.asarray(side)
    return str(side) if array.ndim == 0 else f"array of {array.size}"


def _fit(array: NDArray[Any], shape: tuple[int, ...], name: str) -> NDArray[Any]:
    try:
        return np.broadcast_to(array, shape).ravel()
    except ValueError:
        raise ValueError(
            f"{name} of shape {array.shape} do not fit samples of shape {shape}: give one value, "
            "or one per feature."
        ) from None


def norms(delta: Tensor, norm: float) -> Tensor:
    """Compute the norm of each row.

    Parameters
    ----------
    delta : Tensor of shape (n, d)
        Differences.
    norm : {2, inf}
        The norm.

    Returns
    -------
    Tensor of shape (n,)
        The norms.
    """
    sizes: Tensor = torch.linalg.vector_norm(delta, norm, dim=1)
    return sizes


def step_to_hyperplane(
    normal: Tensor, gap: Tensor, norm: float, room: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Smallest step r with ``normal . r >= gap`` that stays inside the room around each point.

    The optimum moves every coordinate at its own constant speed (``|w_i|`` for L2, 1 for L-inf)
    towards the hyperplane until it meets the wall of the box. How far along, the multiplier, is
    the root of a concave piecewise linear function; Newton's method from the left finds it
    exactly in as many rounds as there are sets of walls met on the way, a handful in practice.

    Parameters
    ----------
    normal : Tensor of shape (n, d)
        Normals w of the hyperplanes. A zero coordinate does not move.
    gap : Tensor of shape (n,)
        How much ``w . r`` has to grow; not negative.
    norm : {2, inf}
        The norm to minimise.
    room : tuple of two Tensors of shape (n, d), or None
        How far each coordinate can go down and up, both not negative; inf where open.

    Returns
    -------
    step : Tensor of shape (n, d)
        The minimiser; where the hyperplane cannot be reached, the step that gets nearest to it.
    reached : Tensor of bool, of shape (n,)
        Whether the hyperplane can be reached.
    """
    # Rescaled per row so that squares of vanishing gradients do not underflow.
    scale = normal.abs().amax(dim=1, keepdim=True)
    reached = scale[:, 0] > 0
    normal = normal / torch.where(scale > 0, scale, 1)
    gap = gap / torch.where(reached, scale[:, 0], 1)
    weight = normal.abs()
    speed = weight if norm == 2 else (weight > 0).to(weight.dtype)
    pace = weight * speed
    slope = pace.sum(dim=1)
    distance = torch.where(reached, gap / torch.where(slope > 0, slope, 1), 0)
    if room is None:
        return distance[:, None] * speed * normal.sign(), reached

    wall = torch.where(normal > 0, room[1], room[0])
    gain = weight * wall.nan_to_num(posinf=0)  # of a coordinate that has met its wall
    met = distance[:, None] * speed >= wall
    rows = (met & (speed > 0)).any(dim=1).nonzero()[:, 0]
    met = met[rows]
    while len(rows):
        taken = torch.where(met, gain[rows], 0).sum(dim=1)
        slope = torch.where(met, 0, pace[rows]).sum(dim=1)
        rest = gap[rows] - taken
        reached[rows] &= (slope > 0) | (rest <= 0)
        # With every coordinate at its wall the multiplier no longer matters.
        further = torch.where(slope > 0, rest / torch.where(slope > 0, slope, 1), distance[rows])
        distance[rows] = torch.maximum(distance[rows], further)
        new = distance[rows, None] * speed[rows] >= wall[rows]
        changed = (new != met).any(dim=1)
        rows, met = rows[changed], new[changed]
    return torch.minimum(distance[:, None] * speed, wall) * normal.sign(), reached
