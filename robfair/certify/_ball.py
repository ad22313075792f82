"""The perturbed samples that an attacker can reach, and least values of linear functions there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["BoxedBall", "dot"]

NEWTON_STEPS = 3  # bench_constants: 2 and 6, the same radii


@dataclass(frozen=True)
class BoxedBall:
    """The perturbed samples that an attacker can reach: a ball around each, cut by a box."""

    x: Tensor  # (n_features, n_samples), the centres
    radius: Tensor  # (n_samples,)
    norm: float
    # (n_features, n_samples), how far each feature can go down and up: inf where open, 0 where
    # immutable. None: there are no such limits.
    down: Tensor | None = None
    up: Tensor | None = None

    def __getitem__(self, samples: Any) -> BoxedBall:
        down, up = (None if side is None else side[:, samples] for side in (self.down, self.up))
        return BoxedBall(self.x[:, samples], self.radius[samples], self.norm, down, up)

    def minimum(self, normal: Tensor, features: Tensor | slice = slice(None)) -> Tensor:
        """Return the least ``normal . (x' - x)`` (n_samples, n_rows), or in a box and L2 a bound.

        `normal` (n_features, 1 or n_samples, n_rows) has a row for each of some `features`.
        """
        radius = self.radius[:, None]
        if self.down is None or self.up is None:
            if self.norm == 2:
                size: Tensor = torch.linalg.vector_norm(normal, dim=0)
                return -radius * size
            return -radius * normal.abs().sum(dim=0)
        down, up = self.down[features], self.up[features]
        moving = ((down > 0) | (up > 0)).any(dim=1)
        if not bool(moving.all()):  # on a table most features may be immutable
            normal, down, up = normal[moving], down[moving], up[moving]
        if self.norm != 2:
            down, up = torch.minimum(down, self.radius), torch.minimum(up, self.radius)
            falling = dot(normal.clamp(min=0), down)
            return dot(normal.clamp(max=0), up) - falling
        return _minimum_in_box(normal, down[:, :, None], up[:, :, None], radius)


def dot(normal: Tensor, step: Tensor) -> Tensor:
    """Sum products over the first axis."""
    if normal.shape[1] == 1:
        return step.T @ normal[:, 0]
    return (normal * step[:, :, None]).sum(dim=0)  # several times as fast as einsum


def _minimum_in_box(normal: Tensor, down: Tensor, up: Tensor, radius: Tensor) -> Tensor:
    """Return the least ``normal . r`` with ``-down <= r <= up`` and L2 norm at most the radius.

    The Lagrangian with a multiplier m for the norm is minimised feature by feature, by
    ``r = clip(-normal / m, -down, up)``. Its value bounds the minimum from below for any m, so a
    few steps of Newton's method suffice. They start where no feature is clipped. From there m can
    only fall, since the norm that clipped features leave unused goes to the others.
    """
    with torch.no_grad():
        # Products with zeros and ones: torch.where takes ten times as long. Both sides are finite.
        down, up = torch.minimum(down, radius), torch.minimum(up, radius)
        limit = torch.addcmul(up, (normal > 0).to(normal.dtype), down - up)
        free = normal.abs() * (limit > 0)
        force, square = free**2, limit**2
        total = force.sum(dim=0)
        tiny = torch.finfo(radius.dtype).tiny ** 0.5  # its square is no less than the least number
        multiplier = total.sqrt() / radius.clamp(min=tiny)
        for _ in range(NEWTON_STEPS):
            clipped = (free > multiplier * limit).to(normal.dtype)
            rest = (total - (clipped * force).sum(dim=0)).clamp(min=0)
            left = radius**2 - (clipped * square).sum(dim=0)
            less = (rest / left.clamp(min=tiny)).sqrt()
            multiplier = torch.where(left > 0, torch.minimum(multiplier, less), multiplier)
        # Where the multiplier is 0 the norm does not bind: every feature goes to its limit.
        step = torch.minimum(free / multiplier.clamp(min=tiny), limit)
    slack = radius**2 - step.square().sum(dim=0)
    return -(normal.abs() * step).sum(dim=0) - multiplier * slack / 2
