"""One step of DeepFool: the smallest step to the linearised boundary of a target class."""

from __future__ import annotations

import torch
from torch import Tensor

from robfair._geometry import norms, step_to_hyperplane
from robfair._problem import distances
from robfair.distance.gradient._slots import Slots

__all__ = ["Box", "deepfool_step"]

Box = tuple[Tensor, Tensor] | None

# Share of the gap that a clipped step must close; bench_constants: halved, -0.3 % length and +31 %
# passes; 0.9, +0.6 % and -32 %.
ENOUGH = 0.5
GROWTH = 1.5  # of the overshoot from step to step; bench_constants: 1.25, +4 % passes; 2, -5 %


def deepfool_step(
    norm: float,
    box: Box,
    mask: Tensor | None,
    overshoot: float,
    n_targets: int,
    logits: Tensor,
    points: Tensor,
    slots: Slots,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the step of each sample, the size for Eq. 8, and whether the sample is stuck.

    The step goes `overshoot` beyond the nearest linearised boundary, relative to the distance, of
    the `n_targets` classes with the greatest logits; these still have their graph.

    DeepFool would run for ever in three cases. The gap is below the rounding of the network: a step
    overshoots by a share of the perturbation so far. Steps cross a positive minimum of the margin
    back and forth: the share grows with the number of steps. The logits are flat: the last
    perturbation is repeated.
    """
    normals, gaps = _linearise(logits, points, slots.label, n_targets, mask)
    with torch.no_grad():
        point, delta = points.detach(), points.detach() - slots.start
        beyond = (overshoot * GROWTH**slots.steps).clamp(max=1).to(point.dtype)[:, None]
        made = torch.stack([(normal * delta).sum(dim=1).abs() for normal in normals], dim=1)
        rounding = 8 * torch.finfo(point.dtype).eps * logits.detach().abs().amax(dim=1)
        aim = gaps + beyond * (gaps + made) + rounding[:, None]
        if bool((aim <= 0).any()):  # all logits are 0: the gap has no scale, the features may
            scale = point.abs().amax(dim=1)
            scale = torch.where(scale > 0, scale, 1) * torch.finfo(point.dtype).eps
            dual = torch.stack([norms(n, 2 if norm == 2 else 1) for n in normals], dim=1)
            aim = torch.where(aim > 0, aim, scale[:, None] * dual)
        step, stuck = _smallest(normals, aim, point, norm, box)
        if bool(stuck.any()):
            step = torch.where(stuck[:, None], delta, step)
            stuck = stuck & (step.abs().amax(dim=1) == 0)
        # Where the gradient all but vanishes, the step leads to where products of numbers overflow.
        endless = ~((point + step).abs().amax(dim=1) < torch.finfo(point.dtype).max ** 0.5)
        step, stuck = torch.where(endless[:, None], 0, step), stuck | endless
        size = distances(point + step / (1 + beyond), slots.start, norm)
        return step, size.to(point.dtype), stuck


@torch.enable_grad()
def _linearise(
    logits: Tensor, points: Tensor, label: Tensor, n_targets: int, mask: Tensor | None
) -> tuple[list[Tensor], Tensor]:
    """Return the normals (b, d) towards each target class, and the gaps (b, m)."""
    own = logits.gather(1, label[:, None])
    others = logits.detach().scatter(1, label[:, None], -torch.inf)
    targets = others.topk(n_targets, dim=1).indices
    gaps = own - logits.gather(1, targets)
    normals = []
    for j in range(n_targets):
        (gradient,) = torch.autograd.grad(
            gaps[:, j].sum(),
            points,
            retain_graph=j + 1 < n_targets,
            materialize_grads=True,
        )
        normals.append(-gradient if mask is None else -gradient * mask)
    return normals, gaps.detach()


def _smallest(
    normals: list[Tensor], gaps: Tensor, points: Tensor, norm: float, box: Box
) -> tuple[Tensor, Tensor]:
    """Return the smallest step to a hyperplane, and whether none can be reached."""
    stack = torch.stack(normals, dim=1)  # (b, m, d)
    dual = stack.norm(dim=2) if norm == 2 else stack.abs().sum(dim=2)
    # The distances without the box, from which a step inside the box can only be longer.
    bound, order = torch.where(dual > 0, gaps / dual, torch.inf).sort(dim=1)
    rows = torch.arange(len(points), device=points.device)
    nearest = order[:, 0]
    normal, gap = stack[rows, nearest], gaps[rows, nearest]
    step, reached = step_to_hyperplane(normal, gap, norm)
    if box is None:
        return step, ~reached
    # A clipped step that still closes most of the gap is taken. To close all of it takes longer
    # moves of the other features, for which the linearisation is poor: on an adversarially
    # trained network distances come out half as long again.
    clipped = (points + step).clamp(*box) - points
    enough = (normal * clipped).sum(dim=1) >= ENOUGH * gap
    rows = (~enough).nonzero()[:, 0]
    best = torch.where(enough[:, None], clipped, 0)
    least = torch.where(enough, 0, torch.inf).to(gaps.dtype)
    for j in range(len(normals)):
        rows = rows[bound[rows, j] < least[rows]]
        if len(rows) == 0:
            break
        target, point = order[rows, j], points[rows]
        slack = (point - box[0], box[1] - point)
        step, reached = step_to_hyperplane(stack[rows, target], gaps[rows, target], norm, slack)
        size = norms(step, norm)
        # A hyperplane beyond the box is taken only if all are: the step to the corner may bring
        # it within reach. The largest number ranks it last.
        size = torch.where(reached, size, torch.finfo(size.dtype).max)
        size = torch.where(step.abs().amax(dim=1) > 0, size, torch.inf)
        nearer = size < least[rows]
        best[rows[nearer]], least[rows[nearer]] = step[nearer], size[nearer]
    return best, ~least.isfinite()
