"""Minimum-norm points by L-BFGS, for the best known distances: slow, and unlike a descent.

With a quadratic penalty for points that are not flipped, ``|clip(x + step) - x|^2`` is minimised
for all rows at once, each with curvature pairs and a line search of its own, from several starts.
The penalty grows, and at last a search on the ray from the sample ends on the boundary.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["from_starts"]

PENALTIES = (10.0, 100.0, 1000.0)
ITERATIONS, PAIRS, HALVINGS = 30, 8, 8
RAY = torch.linspace(1.0, 1.3, 61).tolist()  # multiples of a step that are tried beyond its end
Objective = Callable[[Tensor], tuple[Tensor, Tensor]]  # from steps to values and gradients


def from_starts(
    margin: Callable[[Tensor], Tensor],
    x: Tensor,
    starts: list[Tensor],
    clip: Callable[[Tensor], Tensor],
) -> Tensor:
    """Return the nearest flipped points of all starts; x where there is none.

    Parameters
    ----------
    margin : callable
        From points (n, d) to margins (n,), below 0 where a point is flipped; differentiable.
    x : Tensor of shape (n, d)
        The samples.
    starts : list of Tensor of shape (n, d)
        Points to begin at, flipped or not.
    clip : callable
        From points to the nearest valid ones.

    Returns
    -------
    Tensor of shape (n, d)
        The points.
    """
    best, least = x.clone(), torch.full_like(x[:, 0], torch.inf)
    with torch.no_grad():
        scale = margin(x)
    for start in starts:
        step = start - x
        radius = step.norm(dim=1).clamp_min(1e-12)
        for penalty in PENALTIES:
            step = _minimise(_penalised(margin, x, clip, radius, scale, penalty), step)
        points = _on_ray(margin, x, step, clip)
        size = torch.where(points.isnan().any(dim=1), torch.inf, (points - x).norm(dim=1))
        best = torch.where((size < least)[:, None], points, best)
        least = torch.minimum(size, least)
    return best


def _penalised(
    margin: Callable[[Tensor], Tensor],
    x: Tensor,
    clip: Callable[[Tensor], Tensor],
    radius: Tensor,
    scale: Tensor,
    penalty: float,
) -> Objective:
    """Return the objective, in units of a radius and of the sample's margin."""

    def value(step: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            step = step.detach().requires_grad_()
            points = clip(x + step)
            # What is clipped counts, too, or steps would drift behind the box.
            length = ((step / radius[:, None]) ** 2).sum(dim=1)
            total = length / 2 + penalty / 2 * (margin(points) / scale).clamp_min(-1e-3) ** 2
            (gradient,) = torch.autograd.grad(total.sum(), step)
        return total.detach(), gradient

    return value


def _minimise(objective: Objective, step: Tensor) -> Tensor:
    """Return steps after some iterations of L-BFGS."""
    value, gradient = objective(step)
    pairs: list[tuple[Tensor, Tensor, Tensor]] = []
    for _ in range(ITERATIONS):
        direction = -_inverse_hessian(gradient, pairs)
        slope = (direction * gradient).sum(dim=1)
        direction = torch.where((slope < 0)[:, None], direction, -gradient)
        slope = torch.where(slope < 0, slope, -(gradient**2).sum(dim=1))
        if not pairs:  # nothing is known of the curvature
            direction, slope = _short(direction, slope, step)
        size = torch.ones_like(value)
        for _ in range(HALVINGS):
            moved, after = objective(step + size[:, None] * direction)
            low = moved <= value + 1e-4 * size * slope
            if bool(low.all()):
                break
            size = torch.where(low, size, size / 2)
        size = torch.where(low, size, 0)[:, None]
        change, turned = size * direction, torch.where(low[:, None], after - gradient, 0)
        curvature = (change * turned).sum(dim=1)
        pairs = [*pairs, (change, turned, curvature)][-PAIRS:]
        step = step + change
        value = torch.where(low, moved, value)
        gradient = torch.where(low[:, None], after, gradient)
    return step


def _short(direction: Tensor, slope: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """Scale a first direction to a tenth of the step."""
    share = 0.1 * step.norm(dim=1) / direction.norm(dim=1).clamp_min(1e-30)
    return share[:, None] * direction, share * slope


def _inverse_hessian(gradient: Tensor, pairs: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
    """Multiply gradients by the estimated inverse Hessians: the two loops of L-BFGS."""
    q, weights = gradient.clone(), []
    for change, turned, curvature in reversed(pairs):
        use = curvature > 1e-10 * (turned**2).sum(dim=1)
        weight = torch.where(use, (change * q).sum(dim=1) / torch.where(use, curvature, 1), 0)
        q = q - weight[:, None] * turned
        weights.append(weight)
    if pairs:
        change, turned, curvature = pairs[-1]
        size = (turned**2).sum(dim=1)
        good = curvature > 1e-10 * size
        q = q * torch.where(good, curvature / torch.where(size > 0, size, 1), 1)[:, None]
    for (change, turned, curvature), weight in zip(pairs, reversed(weights), strict=True):
        use = curvature > 1e-10 * (turned**2).sum(dim=1)
        other = torch.where(use, (turned * q).sum(dim=1) / torch.where(use, curvature, 1), 0)
        q = q + (weight - other)[:, None] * change
    return q


def _on_ray(
    margin: Callable[[Tensor], Tensor], x: Tensor, step: Tensor, clip: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return the first flipped points on rays, close to the boundary; NaN where there is none."""
    with torch.no_grad():
        high = torch.full_like(x[:, 0], torch.nan)
        for share in RAY:
            flipped = margin(clip(x + share * step)) < 0
            high = torch.where(high.isnan() & flipped, share, high)
            if not bool(high.isnan().any()):
                break
        low = torch.zeros_like(high)
        for _ in range(16):
            middle = (low + high) / 2
            flipped = margin(clip(x + middle[:, None] * step)) < 0
            low = torch.where(flipped, low, middle)
            high = torch.where(flipped, middle, high)
        return clip(x + high[:, None] * step)
