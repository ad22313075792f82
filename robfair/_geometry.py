"""The sub-problem of every minimal perturbation: the least step to a hyperplane in a box.

:func:`step_to_hyperplane` solves it exactly, for L2 and L-inf, so that no later clipping can undo a
step.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["norms", "step_to_hyperplane"]


def norms(delta: Tensor, norm: float) -> Tensor:
    """Return the norm of each row, of shape (n,)."""
    if norm == torch.inf:  # five times as fast as vector_norm
        return delta.abs().amax(dim=1)
    sizes: Tensor = torch.linalg.vector_norm(delta, norm, dim=1)
    return sizes


def step_to_hyperplane(
    normal: Tensor, gap: Tensor, norm: float, slack: tuple[Tensor, Tensor] | None = None
) -> tuple[Tensor, Tensor]:
    """Return the least step r (n, d) with ``normal . r >= gap``, and whether there is one (n,).

    `slack` tells how far each coordinate can go down and up: not negative, inf where open. A
    coordinate with normal 0 does not move. Where the hyperplane cannot be reached, the step is the
    one that gets nearest to it.

    The optimum moves every coordinate at its own constant speed (``|w_i|`` for L2, 1 for L-inf)
    towards the hyperplane until it meets the bound of the box. How far, the multiplier, is
    the root of a concave piecewise linear function; Newton's method from the left finds it
    exactly in as many rounds as there are sets of bounds met on the way, a handful in practice.
    """
    # Rescaled per row so that squares of vanishing gradients do not underflow.
    scale = normal.abs().amax(dim=1, keepdim=True)
    reached = scale[:, 0] > 0
    normal = normal / torch.where(scale > 0, scale, 1)
    gap = gap / torch.where(reached, scale[:, 0], 1)  # 1: no division by 0 in unused rows
    weight = normal.abs()
    speed = weight if norm == 2 else (weight > 0).to(weight.dtype)
    pace = weight * speed
    slope = pace.sum(dim=1)
    distance = torch.where(reached, gap / torch.where(slope > 0, slope, 1), 0)
    if slack is None:
        return distance[:, None] * speed * normal.sign(), reached

    bound = torch.where(normal > 0, slack[1], slack[0])
    gain = weight * bound.nan_to_num(posinf=0)  # of a coordinate that has met its bound
    met = distance[:, None] * speed >= bound
    rows = (met & (speed > 0)).any(dim=1).nonzero()[:, 0]
    met = met[rows]
    while len(rows):
        taken = torch.where(met, gain[rows], 0).sum(dim=1)
        slope = torch.where(met, 0, pace[rows]).sum(dim=1)
        rest = gap[rows] - taken
        # Every coordinate is at its bound: reached only if nothing is left to close.
        reached[rows] &= (slope > 0) | (rest <= 0)
        # With every coordinate at its bound the multiplier no longer matters.
        further = torch.where(slope > 0, rest / torch.where(slope > 0, slope, 1), distance[rows])
        distance[rows] = torch.maximum(distance[rows], further)
        new = distance[rows, None] * speed[rows] >= bound[rows]
        changed = (new != met).any(dim=1)
        rows, met = rows[changed], new[changed]
    return torch.minimum(distance[:, None] * speed, bound) * normal.sign(), reached
