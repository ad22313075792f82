"""Projected gradient ascent that samples leave as soon as they are fooled."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from robfair._directions import away_from_label, away_from_prediction
from robfair._geometry import norms
from robfair._problem import margins
from robfair.adapters import ForwardVjp
from robfair.attacks._pgd import Ball

__all__ = ["Aim", "Climbers", "climb", "into_ball"]

# Fooled samples leave once they are this share of a batch: each time costs a copy of the others.
LEAVE = 1 / 16


@dataclass(frozen=True)
class Aim:
    """What an attack wants of the logits.

    Attributes
    ----------
    method : str
        The loss that is to grow: "kl", or else the cross-entropy.
    targeted : bool
        Whether the labels are to be reached, instead of left.
    """

    method: str
    targeted: bool

    def gap(self, logits: Tensor, label: Tensor) -> Tensor:
        """Margin to the decision that is wanted, of shape (n,); negative once it is made."""
        margin = margins(logits, label)
        return -margin if self.targeted else margin

    def weights(self, logits: Tensor, label: Tensor, clean: Tensor) -> Tensor:
        """Weights of the logits whose weighted sum grows fastest with the loss."""
        if self.method == "kl":
            return away_from_prediction(logits, clean)
        away = away_from_label(logits, label)
        return -away if self.targeted else away


@dataclass(frozen=True)
class Climbers:
    """The samples that still climb; every tensor has a row for each of them."""

    ball: Ball
    rows: Tensor  # (n,) positions in the batch
    label: Tensor  # (n,) classes to be left or reached
    length: Tensor  # (n,) of a step
    sure: Tensor  # (n,) gaps below which a sample is fooled, and leaves
    clean: Tensor  # (n, n_classes) logits of the samples

    def part(self, keep: Tensor) -> Climbers:
        """Return some of them, by position."""
        every = (self.rows, self.label, self.length, self.sure, self.clean)
        return Climbers(self.ball.part(keep), *(each.index_select(0, keep) for each in every))


@torch.no_grad()
def climb(
    forward_vjp: ForwardVjp, aim: Aim, climbers: Climbers, points: Tensor, n_steps: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Climb from some points of the balls.

    Parameters
    ----------
    forward_vjp : callable
        From points to logits and their vjp.
    aim : Aim
        What to climb for.
    climbers : Climbers
        The samples of a batch.
    points : Tensor of the shape of the balls
        First points, inside the balls.
    n_steps : int
        The greatest number of steps.

    Returns
    -------
    points : Tensor of the shape of the balls
        The first points that are fooled, else the last ones.
    n_forward, n_backward : Tensor of int, of shape (n,)
        Passes made.
    """
    ended, stay = points.clone(), torch.ones_like(climbers.rows, dtype=torch.bool)
    n_forward = torch.full_like(climbers.rows, n_steps)
    n_backward = n_forward.clone()
    for step in range(n_steps):
        values, vjp = forward_vjp(points)
        # NaN is not fooled: it stays to the end, where it is an error.
        fooled = stay & (aim.gap(values, climbers.label) < climbers.sure)
        n_left = 0
        if bool(fooled.any()):
            ended[climbers.rows[fooled]] = points[fooled]
            stay = stay & ~fooled
            n_left = len(stay) - int(stay.sum())
        if n_left == len(stay):
            n_forward[climbers.rows], n_backward[climbers.rows] = step + 1, step
            return ended, n_forward, n_backward
        weights = aim.weights(values, climbers.label, climbers.clean)
        gradient = vjp(weights)
        if n_left > LEAVE * len(stay):
            out, keep = climbers.rows[~stay], stay.nonzero()[:, 0]
            n_forward[out] = n_backward[out] = step + 1
            # index_select, since brackets take six times as long.
            points, gradient, stay = (
                each.index_select(0, keep) for each in (points, gradient, stay)
            )
            climbers = climbers.part(keep)
        gradient = _free(gradient, points, climbers.ball)
        points = climbers.ball.step(points, gradient, climbers.length)
    ended[climbers.rows[stay]] = points[stay]
    return ended, n_forward, n_backward


def _free(gradient: Tensor, points: Tensor, ball: Ball) -> Tensor:
    """Gradient without the features that stand at a wall that it would push them through.

    For L-inf it is the same step; for L2 the length of the step would be spent on them.
    """
    if ball.norm != 2:
        return gradient
    low, high = ball.walls
    stuck = ((points <= low) & (gradient < 0)) | ((points >= high) & (gradient > 0))
    return gradient.masked_fill(stuck, 0)


def into_ball(points: Tensor, x: Tensor, eps: Tensor, norm: float) -> tuple[Tensor, Tensor]:
    """Move points towards x until they are at most eps away, whatever was rounded on the way.

    Parameters
    ----------
    points, x : Tensor of shape (n, ...)
        Points, at most a rounding error outside of the balls, and the centres.
    eps : Tensor of float64, of shape (n,)
        Radii.
    norm : {2, inf}
        The norm of the radii.

    Returns
    -------
    points : Tensor of shape (n, ...)
        The points.
    size : Tensor of float64, of shape (n,)
        Their distances, at most eps.
    """
    centre, eps = x.double(), eps.reshape(-1, *[1] * (x.ndim - 1))
    way = points.double() - centre
    if norm == torch.inf:
        way = torch.minimum(torch.maximum(way, -eps), eps)
    else:
        size = torch.linalg.vector_norm(way.flatten(1), 2, dim=1).reshape(eps.shape)
        within = eps * (1 - 1e-12)  # by what float64 itself may round up in this norm
        way = torch.where(size > within, way * (within / size), way)
    points = (centre + way).to(x.dtype)
    # No coordinate is farther away than it was before it was rounded.
    far = (points.double() - centre).abs() > way.abs()
    points = torch.where(far, points.nextafter(x), points)
    return points, norms((points.double() - centre).flatten(1), norm)
