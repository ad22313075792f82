"""Lines around the maximum of pieces that are affine in the sample, as in the first pooling.

Over the ball the pieces of a window have exact bounds, and so has the difference of any of them and
a mean of all. A mean of the pieces lies below their maximum; above it lies any mean that is raised
by the most that one of the pieces exceeds it. A ReLU after the pooling adds a piece that is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robfair.certify._affine import Layer
from robfair.certify._ball import BoxedBall
from robfair.certify._relaxation import Lines

__all__ = ["Windows", "normalise"]

BUDGET = 2**21  # numbers in one tensor
STEPS = 30  # of the descent on the weights of a mean above
PACE = 4.0  # of its first step, in units of the greatest difference of two pieces


def normalise(weights: Tensor, start: Tensor, rectified: bool) -> Tensor:
    """Return weights (n_pieces, n_windows, n_samples) of means: none below 0, with sum 1.

    With a piece that is 0, which takes what is left, the sum may be less. Where all are 0 they are
    `start`.
    """
    weights = weights.clamp(min=0)
    total = weights.sum(dim=0)
    if rectified:
        return weights / total.clamp(min=1)
    return torch.where(total > 0, weights / torch.where(total > 0, total, 1), start)


@dataclass(frozen=True)
class _Reach:
    """The room of the features of each window, (n_windows, n_features, n_samples)."""

    down: Tensor
    up: Tensor
    radius: Tensor  # (n_samples,)
    norm: float
    boxed: bool

    def greatest(self, normal: Tensor) -> Tensor:
        """Return the most, or in L2 a bound of it, that ``normal . step`` can be."""
        rise, fall = normal.clamp(min=0), (-normal).clamp(min=0)
        if self.norm != 2 or self.boxed:
            corner = (rise * self.up + fall * self.down).sum(dim=1)
            if self.norm != 2:
                return corner
        free = rise * (self.up > 0) + fall * (self.down > 0)
        ball: Tensor = torch.linalg.vector_norm(free, dim=1) * self.radius
        return torch.minimum(ball, corner) if self.boxed else ball


class Windows:
    """The pieces of each window, on the features that any of them depends on."""

    def __init__(self, layer: Layer, device: torch.device) -> None:
        n = len(layer.inputs.bias) // layer.pieces
        stacked = layer.inputs.terms[0].tocsr()
        pieces = [stacked[k * n : (k + 1) * n] for k in range(layer.pieces)]
        support = sum(abs(piece) for piece in pieces).tocsr()
        support.sort_indices()
        counts = np.diff(support.indptr)
        rows = np.repeat(np.arange(n), counts)
        place = np.arange(support.nnz) - np.repeat(support.indptr[:-1], counts)
        features = np.zeros((n, max(1, counts.max(initial=0))), dtype=np.int64)
        features[rows, place] = support.indices
        zero = int(layer.rectified)  # the piece that is 0 comes last
        normals = np.zeros((layer.pieces + zero, *features.shape))
        offsets = np.zeros((layer.pieces + zero, n))
        for k, piece in enumerate(pieces):
            if support.nnz:
                normals[k, rows, place] = np.asarray(piece[rows, support.indices]).ravel()
            offsets[k] = layer.inputs.bias[k * n : (k + 1) * n]
        self.n_pieces = layer.pieces
        self.features = torch.from_numpy(features).to(device)
        self.normals = torch.from_numpy(normals).to(device)  # (piece, window, feature)
        self.offsets = torch.from_numpy(offsets).to(device)

    def relax(self, ball: BoxedBall) -> tuple[Tensor, Tensor, Lines, Tensor]:
        """Return bounds of the pieces, lines around the maxima, and which have several candidates.

        Bounds have the shape (n_pieces * n_windows, n_samples), slopes (n_pieces, n_windows,
        n_samples), the rest (n_windows, n_samples).
        """
        step = max(1, BUDGET // self.normals.numel())
        parts = [
            self._relax(ball[start : start + step]) for start in range(0, len(ball.radius), step)
        ]
        low, high, below, above, offset, free = (
            torch.cat(t, dim=-1) for t in zip(*parts, strict=True)
        )
        return low, high, Lines(below, torch.zeros_like(offset), above, offset), free

    def _relax(self, ball: BoxedBall) -> tuple[Tensor, ...]:
        reach = self._reach(ball)
        normals = self.normals[..., None]  # (piece, window, feature, 1)
        x = ball.x[self.features]
        centre = (normals * x).sum(dim=2) + self.offsets[..., None]  # (piece, window, sample)
        middle = centre + (normals * (reach.up - reach.down)).sum(dim=2) / 2
        # By how much the first piece can exceed the second, (piece, piece, window, sample).
        pieces = list(zip(centre, normals, strict=True))
        excess = torch.stack(
            [torch.stack([a - b + reach.greatest(na - nb) for b, nb in pieces]) for a, na in pieces]
        )
        alive = ~_dominated(excess)
        weights = _mean_above(excess, middle, alive)
        mean = torch.stack(
            [weight[:, None] * na for weight, (_, na) in zip(weights, pieces, strict=True)]
        ).sum(dim=0)
        value = (weights * centre).sum(dim=0)
        above = torch.stack([a - value + reach.greatest(na - mean) for a, na in pieces])
        offset = above.masked_fill(~alive, -torch.inf).amax(dim=0)
        best = middle.masked_fill(~alive, -torch.inf).argmax(dim=0, keepdim=True)
        below = torch.zeros_like(middle).scatter_(0, best, 1)
        real = slice(self.n_pieces)  # without the one that is 0
        low = [a - reach.greatest(-na) for a, na in pieces[real]]
        high = [a + reach.greatest(na) for a, na in pieces[real]]
        return (
            torch.cat(low), torch.cat(high), below[real], weights[real], offset,
            alive.sum(dim=0) > 1,
        )  # fmt: skip

    def _reach(self, ball: BoxedBall) -> _Reach:
        size = (*self.features.shape, len(ball.radius))
        if ball.down is None or ball.up is None:
            far = ball.radius.expand(size)
            return _Reach(far, far, ball.radius, ball.norm, False)
        down, up = (
            torch.minimum(side, ball.radius)[self.features] for side in (ball.down, ball.up)
        )
        return _Reach(down, up, ball.radius, ball.norm, True)


def _dominated(excess: Tensor) -> Tensor:
    """Return which pieces never exceed another one; of equal pieces the first one stays."""
    n = len(excess)
    first = torch.ones(n, n, dtype=torch.bool, device=excess.device).tril(-1)[:, :, None, None]
    return ((excess < 0) | ((excess == 0) & first)).any(dim=1)


def _mean_above(excess: Tensor, middle: Tensor, alive: Tensor) -> Tensor:
    """Return the weights of a mean that, raised above all pieces, is low in the middle of the ball.

    Any weights are valid. These descend on the height, by steps that multiply the weights.
    """
    weights = alive / alive.sum(dim=0)
    both = alive[:, None] & alive[None]
    size = (
        torch.where(both, excess, 0)
        .abs()
        .amax(dim=(0, 1))
        .clamp(min=torch.finfo(excess.dtype).tiny)
    )
    best, least = weights, torch.full_like(size, torch.inf)
    for step in range(STEPS):
        raised = (excess * weights).sum(dim=1).masked_fill(~alive, -torch.inf)
        top, which = raised.max(dim=0)
        height = (weights * middle).sum(dim=0) + top
        best = torch.where(height < least, weights, best)
        least = torch.minimum(height, least)
        slope = middle + excess.gather(0, which.expand(1, *excess.shape[1:]))[0]
        slope = (slope - slope.masked_fill(~alive, torch.inf).amin(dim=0)).clamp(min=0) / size
        weights = weights * torch.exp(-PACE / (1 + step) ** 0.5 * slope)
        weights = weights / weights.sum(dim=0)
    return best
