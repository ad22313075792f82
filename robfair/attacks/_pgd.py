"""Projected gradient ascent on any loss, with an eps of its own for every sample."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field

import torch
from torch import Tensor

from robfair.adapters import ForwardVjp
from robfair.threat import ThreatModel

__all__ = ["Ball", "projected_gradient"]


@dataclass(frozen=True)
class Ball:
    """Samples at most eps from X in a norm, inside the box, with immutable features fixed.

    Attributes
    ----------
    X : Tensor of shape (n, ...)
        The centres.
    eps : Tensor of shape (n,)
        The radii.
    norm : {2, inf}
        The norm of the radii.
    threat_model : ThreatModel
        Box and mutable features; its norm is not used.
    limits : tuple of two Tensors of the shape of X
        Least and greatest values of the features.
    """

    X: Tensor
    eps: Tensor
    norm: float
    threat_model: ThreatModel
    limits: tuple[Tensor, Tensor] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        shape = tuple(self.X.shape[1:])
        wide = self.per_sample(self.eps)
        low, high = (
            (self.X - wide, self.X + wide)
            if self.norm == torch.inf
            else (torch.full_like(self.X, -torch.inf), torch.full_like(self.X, torch.inf))
        )
        box, mask = self.threat_model.box(shape), self.threat_model.mask(shape)
        if box is not None:
            sides = [torch.from_numpy(side.copy()).to(self.X).reshape(shape) for side in box]
            low, high = torch.maximum(low, sides[0]), torch.minimum(high, sides[1])
        if mask is not None:
            free = torch.from_numpy(mask.copy()).to(self.X.device).reshape(shape)
            low, high = torch.where(free, low, self.X), torch.where(free, high, self.X)
        # Limits of the ball and the box in one, so that a projection is a single clamp for L-inf.
        object.__setattr__(self, "limits", (low, high))

    def part(self, rows: Tensor) -> Ball:
        """Return the balls of some samples, by position, with the limits as they are."""
        part = copy(self)
        object.__setattr__(part, "X", self.X.index_select(0, rows))
        object.__setattr__(part, "eps", self.eps.index_select(0, rows))
        limits = tuple(limit.index_select(0, rows) for limit in self.limits)
        object.__setattr__(part, "limits", limits)
        return part

    def per_sample(self, values: Tensor) -> Tensor:
        """Reshape (n,) so that it broadcasts against X."""
        return values.reshape(-1, *([1] * (self.X.ndim - 1)))

    def project(self, points: Tensor) -> Tensor:
        """Bring points back. For L2, the ball first: clamping towards X cannot leave it again."""
        low, high = self.limits
        if self.norm == 2:
            delta = points - self.X
            size = delta.flatten(1).norm(dim=1)
            shrink = self.per_sample((self.eps / size.clamp_min(1e-30)).clamp(max=1))
            points = self.X + delta * shrink
        return torch.clamp(points, low, high)

    def direction(self, gradient: Tensor) -> Tensor:
        """Direction of steepest ascent with unit norm."""
        if self.norm == torch.inf:
            return gradient.sign()
        # The largest entry first: squares of vanishing gradients underflow.
        for norm in (torch.inf, 2):
            size = torch.linalg.vector_norm(gradient.flatten(1), norm, dim=1)
            gradient = gradient / self.per_sample(torch.where(size > 0, size, 1))
        return gradient

    def step(self, points: Tensor, gradient: Tensor, length: Tensor) -> Tensor:
        """Go steps of the lengths (n,) along a gradient and come back into the ball."""
        return self.project(points.addcmul(self.per_sample(length), self.direction(gradient)))


def projected_gradient(
    forward_vjp: ForwardVjp,
    weights: Callable[[Tensor], Tensor],
    ball: Ball,
    *,
    start: Tensor,
    step: Tensor,
    n_steps: int,
) -> Tensor:
    """Search the ball for points where the loss is large, by projected gradient ascent.

    Parameters
    ----------
    forward_vjp : callable
        From points of the shape of X to logits and their vjp.
    weights : callable
        From logits to the gradient of the loss with respect to them, of shape (n, n_classes).
    ball : Ball
        Where the points must stay.
    start : Tensor of the shape of X
        First points, before projection.
    step : Tensor of shape (n,)
        Step sizes.
    n_steps : int
        Number of steps; each is one forward and one backward pass.

    Returns
    -------
    Tensor of the shape of X
        The last points, detached.
    """
    points = ball.project(start)
    with torch.no_grad():
        for _ in range(n_steps):
            logits, vjp = forward_vjp(points)
            points = ball.step(points, vjp(weights(logits)), step)
    return points
