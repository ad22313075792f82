"""Projected gradient ascent on active samples: those that are not fooled yet."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from robfair._geometry import norms
from robfair._problem import margins
from robfair.adapters import ForwardVjp
from robfair.attacks._options import Weights
from robfair.attacks._pgd import Ball

__all__ = ["ActiveSamples", "AttackGoal", "active_pgd", "into_ball"]

# Fooled samples leave once they are this share of a batch: each time costs a copy of the others.
LEAVE = 1 / 16


@dataclass(frozen=True)
class AttackGoal:
    """The decision that an attack wants, and the loss that leads there."""

    loss: Weights
    targeted: bool  # whether the labels are to be reached, instead of left

    def margin(self, logits: Tensor, label: Tensor) -> Tensor:
        """Margin to the decision that is wanted, of shape (n,); negative once it is made."""
        margin = margins(logits, label)
        return -margin if self.targeted else margin

    def weights(self, logits: Tensor, label: Tensor, clean: Tensor) -> Tensor:
        """Weights of the logits along which the steps go, of shape (n, n_classes)."""
        weights = self.loss(logits, label, clean)
        return -weights if self.targeted else weights


@dataclass(frozen=True)
class ActiveSamples:
    """The samples that still take steps; every tensor has a row for each of them."""

    ball: Ball
    rows: Tensor  # (n,) positions in the batch
    label: Tensor  # (n,) classes to be left or reached
    length: Tensor  # (n,) of a step
    sure_margin: Tensor  # (n,) below it a sample is fooled in any batch, and leaves
    clean: Tensor  # (n, n_classes) logits of the samples

    def part(self, keep: Tensor) -> ActiveSamples:
        """Return some of them, by position."""
        every = (self.rows, self.label, self.length, self.sure_margin, self.clean)
        return ActiveSamples(self.ball.part(keep), *(each.index_select(0, keep) for each in every))


@torch.no_grad()
def active_pgd(
    forward_vjp: ForwardVjp, goal: AttackGoal, active: ActiveSamples, points: Tensor, n_steps: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Take up to `n_steps` PGD steps from some points of the balls.

    Returns the first points that are fooled, else the last ones, and the passes made forwards and
    backwards, each of shape (n,).
    """
    ended, stay = points.clone(), torch.ones_like(active.rows, dtype=torch.bool)
    n_forward = torch.full_like(active.rows, n_steps)
    n_backward = n_forward.clone()
    for step in range(n_steps):
        values, vjp = forward_vjp(points)
        # NaN is not fooled: it stays to the end, where it is an error.
        fooled = stay & (goal.margin(values, active.label) < active.sure_margin)
        n_left = 0
        if bool(fooled.any()):
            ended[active.rows[fooled]] = points[fooled]
            stay = stay & ~fooled
            n_left = len(stay) - int(stay.sum())
        if n_left == len(stay):
            n_forward[active.rows], n_backward[active.rows] = step + 1, step
            return ended, n_forward, n_backward
        weights = goal.weights(values, active.label, active.clean)
        gradient = vjp(weights)
        if n_left > LEAVE * len(stay):
            out, keep = active.rows[~stay], stay.nonzero()[:, 0]
            n_forward[out] = n_backward[out] = step + 1
            # index_select, since brackets take six times as long.
            points, gradient, stay = (
                each.index_select(0, keep) for each in (points, gradient, stay)
            )
            active = active.part(keep)
        gradient = _free(gradient, points, active.ball)
        points = active.ball.step(points, gradient, active.length)
    ended[active.rows[stay]] = points[stay]
    return ended, n_forward, n_backward


def _free(gradient: Tensor, points: Tensor, ball: Ball) -> Tensor:
    """Gradient without the features that stand at a bound it would push them through.

    For L-inf it is the same step; for L2 the length of the step would be spent on them.
    """
    if ball.norm != 2:
        return gradient
    low, high = ball.limits
    stuck = ((points <= low) & (gradient < 0)) | ((points >= high) & (gradient > 0))
    return gradient.masked_fill(stuck, 0)


def into_ball(points: Tensor, x: Tensor, eps: Tensor, norm: float) -> tuple[Tensor, Tensor]:
    """Move points towards x until they are at most eps away, whatever was rounded before.

    Returns them and their distances (n,), both of these and eps in float64.
    """
    centre, eps = x.double(), eps.reshape(-1, *[1] * (x.ndim - 1))
    delta = points.double() - centre
    if norm == torch.inf:
        delta = torch.minimum(torch.maximum(delta, -eps), eps)
    else:
        size = torch.linalg.vector_norm(delta.flatten(1), 2, dim=1).reshape(eps.shape)
        within = eps * (1 - 1e-12)  # by what float64 itself may round up in this norm
        delta = torch.where(size > within, delta * (within / size), delta)
    points = (centre + delta).to(x.dtype)
    # No coordinate is farther away than it was before it was rounded.
    far = (points.double() - centre).abs() > delta.abs()
    points = torch.where(far, points.nextafter(x), points)
    return points, norms((points.double() - centre).flatten(1), norm)
