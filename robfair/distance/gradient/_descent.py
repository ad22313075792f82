"""Descent along the boundary: steps that lower the margin while a radius closes on the boundary.

Each row has a radius. A step goes down the gradient of the margin and is scaled back to the radius.
The radius shrinks where the point is flipped and grows where it is not, by as much as the gradient
predicts, up to a limit that falls from step to step. So the direction turns towards the nearest
boundary while the radius closes on it. Every iterate is predicted, and the nearest flipped one is
kept.

This is DDN [1]_ with three changes. The radius starts at the distance of a given point and all
steps are relative to it, so the search is invariant to the scale of the features. The radius
follows the linearised margin, so it closes at the rate of Newton's method. Features that the box or
the threat model holds in place do not count in the direction, since a step that is clipped away
would be made again and again.

Where a schedule has noise, every other gradient is that of a noisy point, and the radius stays.
The noise is as long as the radius or more at first, and vanishes as the steps do: the margin is
smoothed first, and is itself at the end. On networks that adversarial training has made flat around
the samples this finds boundaries that are nearer by a tenth.

References
----------
.. [1] J. Rony et al., "Decoupling Direction and Norm for Efficient Gradient-Based L2 Adversarial
   Attacks and Defenses", CVPR 2019.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from robfair._confirm import outwards
from robfair._geometry import norms, step_to_hyperplane
from robfair._problem import Forward, Problem, margins
from robfair.adapters import ForwardVjp, autograd_vjp
from robfair.distance.gradient._noise import RowNoise

__all__ = [
    "DescentSchedule",
    "MarginObjective",
    "Nearest",
    "against",
    "cosine",
    "descend",
    "refine",
]

HUGE = 1e30  # times any slack is beyond any gradient, and finite in float32
# Least shares of the greatest change that a radius gives up, or adds; bench_constants: halved and
# doubled change less than 0.1 %.
INWARDS, OUTWARDS = 0.3, 0.01
SILENT = 0.02  # noise, relative to the radius, that is not worth a step which leaves the radius


@dataclass(frozen=True)
class DescentSchedule:
    """Number of steps, and how step and radius shrink from the first to the last (cosine).

    Attributes
    ----------
    n_steps : int
        Number of steps.
    step : tuple of (float, float)
        Length of a step at the start and at the end, relative to the radius.
    change : tuple of (float, float)
        Greatest relative change of the radius at the start and at the end.
    noise : float
        Length of the noise at the start, relative to the radius; 0 at the end. In L2 alone: in
        L-inf it makes distances longer.
    """

    n_steps: int
    step: tuple[float, float]
    change: tuple[float, float]
    noise: float = 0.0

    @property
    def n_passes(self) -> int:
        """Passes a row, forwards and backwards."""
        return 2 * self.n_steps + 1


def cosine(schedule: DescentSchedule, i: int) -> tuple[float, float, float]:
    """Return the length of step i, from 0, the greatest change of the radius, and the noise."""
    share = (1 + math.cos(math.pi * i / max(schedule.n_steps - 1, 1))) / 2
    ends = schedule.step, schedule.change, (schedule.noise, 0.0)
    step, change, noise = (last + (first - last) * share for first, last in ends)
    return step, change, noise if i % 2 == 0 and noise > SILENT else 0.0


class MarginObjective:
    """The margin as an objective: its value, and its gradient in the features that can move.

    Without `forward_vjp` the gradient is by autograd.
    """

    def __init__(
        self, problem: Problem, forward: Forward, forward_vjp: ForwardVjp | None = None
    ) -> None:
        self.norm = problem.norm
        self.forward = forward
        self.forward_vjp = autograd_vjp(forward) if forward_vjp is None else forward_vjp
        self.box = problem.box(problem.model.dtype)
        self.mask = problem.mask()

    def __call__(
        self, points: Tensor, label: Tensor, target: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return margin, gap to `target` (None: to the greatest other logit) and its gradient."""
        logits, vjp = self.forward_vjp(points)
        own = label[:, None]
        if target is None:
            margin, target = _margins_and_targets(logits, label)
            gap = margin
        else:
            margin = margins(logits, label)
            gap = (logits.gather(1, own) - logits.gather(1, target[:, None]))[:, 0]
        gradient = vjp(against(logits, own, target[:, None]))
        if self.mask is not None:
            gradient = gradient * self.mask
        return margin, gap, gradient

    def margin(self, points: Tensor, label: Tensor) -> Tensor:
        """Return the margin, without a gradient."""
        with torch.no_grad():
            return margins(self.forward(points), label)

    def free(self, gradient: Tensor, points: Tensor) -> Tensor:
        """Return the gradient without the features that a step would push out of the box."""
        if self.box is None:
            return gradient
        # A clamp to [-inf, inf] where there is slack, and to 0 where there is none. Slack times a
        # huge number does that, and takes a fraction of the time of a selection by masks.
        low, high = (points - side for side in self.box)
        return gradient.clamp(HUGE * high, HUGE * low)

    def slack(self, points: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return how far each feature can go down and up in the box."""
        return None if self.box is None else (points - self.box[0], self.box[1] - points)

    def clip(self, points: Tensor) -> Tensor:
        """Clip points to the box."""
        return points if self.box is None else points.clamp(*self.box)

    def steepest(self, gradient: Tensor) -> Tensor:
        """Return the direction of norm 1 in which the margin falls fastest; 0 at gradient 0."""
        if self.norm != 2:
            return -gradient.sign()
        size = norms(gradient, 2)
        tiny = torch.finfo(size.dtype).tiny ** 0.5
        if bool((size < tiny).any()):  # squares of vanishing gradients underflow
            scale = gradient.abs().amax(dim=1, keepdim=True)
            gradient = gradient / torch.where(scale > 0, scale, 1)
            size = norms(gradient, 2)
        return gradient / -torch.where(size > 0, size, 1)[:, None]

    def scaled(self, delta: Tensor, radius: Tensor) -> Tensor:
        """Bring perturbations to a radius."""
        if self.norm != 2:
            return torch.maximum(torch.minimum(delta, radius[:, None]), -radius[:, None])
        size = norms(delta, 2)
        return delta * (radius / torch.where(size > 0, size, 1))[:, None]


def _margins_and_targets(logits: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    """Return the margins, and the classes with the greatest other logit."""
    if logits.shape[1] == 2:
        return margins(logits, label), 1 - label
    most = logits.scatter(1, label[:, None], -torch.inf).max(dim=1)
    return logits.gather(1, label[:, None])[:, 0] - most.values, most.indices


def against(logits: Tensor, label: Tensor, target: Tensor) -> Tensor:
    """Return the weights of the logits that sum to the gap between two classes (n, 1)."""
    return torch.zeros_like(logits).scatter_(1, label, 1.0).scatter_(1, target, -1.0)


class Nearest:
    """The nearest flipped point seen for each row. Overwrites what it is given."""

    def __init__(self, points: Tensor, distance: Tensor) -> None:
        self.points = points  # (n, d), anything where the distance is infinite
        self.distance = distance  # (n,)

    def __getitem__(self, rows: Tensor) -> Nearest:
        return Nearest(self.points[rows], self.distance[rows])

    def update(self, rows: Tensor, other: Nearest) -> None:
        """Take over the points of `other`, which belong to some rows, where they are nearer."""
        nearer = other.distance < self.distance[rows]
        self.points[rows[nearer]] = other.points[nearer]
        self.distance[rows[nearer]] = other.distance[nearer]

    def see(self, points: Tensor, distance: Tensor, margin: Tensor) -> None:
        """Take over the points that are flipped and nearer."""
        # At distance 0 the sample itself is flipped, by rounding in this batch: no adversarial.
        nearer = (margin < 0) & (distance < self.distance) & (distance > 0)
        # Several times as fast on small batches as to select rows.
        torch.where(nearer[:, None], points, self.points, out=self.points)
        torch.where(nearer, distance, self.distance, out=self.distance)


def descend(
    objective: MarginObjective,
    start: Tensor,
    label: Tensor,
    points: Tensor,
    nearest: Nearest,
    schedule: DescentSchedule,
    noise: RowNoise | None = None,
) -> None:
    """Descend from `points`, and leave the nearest flipped point seen in `nearest`.

    `start` are the samples; the points may be flipped or not, but not the samples themselves. Costs
    ``n_steps + 1`` forward and ``n_steps`` backward passes a row.
    """
    size = radius = norms(points - start, objective.norm)
    noise = noise if objective.norm == 2 else None
    for i in range(schedule.n_steps):
        step, change, length = cosine(schedule, i)
        delta = points - start
        if noise is not None and length > 0:
            noisy = objective.clip(torch.addcmul(points, noise.at(i), (length * radius)[:, None]))
            margin, _, gradient = objective(noisy, label)
            nearest.see(noisy, norms(noisy - start, objective.norm), margin)
        else:
            margin, gap, gradient = objective(points, label)
            nearest.see(points, size, margin)
            fall = -torch.linalg.vecdot(gradient, delta)
            radius = _follow(radius, size, gap, fall, change, nearest)
        direction = objective.steepest(objective.free(gradient, points))
        # One fused kernel: small batches spend their time on calls, not on arithmetic.
        delta = torch.addcmul(delta, direction, (step * radius)[:, None])
        points = objective.clip(start + objective.scaled(delta, radius))
        size = norms(points - start, objective.norm)
    nearest.see(points, size, objective.margin(points, label))


def _follow(
    radius: Tensor, size: Tensor, gap: Tensor, fall: Tensor, change: float, nearest: Nearest
) -> Tensor:
    """Return the radius of the next step.

    A linear gap falls by `fall` from the sample to the point, and the boundary on this ray is then
    at ``size * (1 + gap / fall)``.
    """
    most = change * size
    falls = fall > 0
    newton = torch.where(falls, size * gap / torch.where(falls, fall, 1), gap.sign() * most)
    # A flipped point always gives up some radius, or the search would stall. A point that is not
    # flipped goes a little beyond the prediction, so that it is flipped next time.
    inwards = torch.minimum(newton.clamp(min=-most), -INWARDS * most)
    outwards = torch.minimum(newton + OUTWARDS * most, most)
    # The point may be far beyond the nearest one: the change is relative to that, or the radius
    # could fall below 0.
    closer = torch.maximum(nearest.distance + inwards, (1 - change) * nearest.distance)
    return torch.where(gap < 0, torch.minimum(radius, closer), radius + outwards)


def refine(
    problem: Problem,
    forward: Forward,
    start: Tensor,
    points: Tensor,
    label: Tensor,
    schedule: DescentSchedule,
) -> Tensor:
    """Step from given points onto the linearised boundary, and descend along it.

    Costs ``n_steps + 2`` forward and ``n_steps + 1`` backward passes a row.

    Parameters
    ----------
    problem : Problem
        Norm, box and mutable features.
    forward : callable
        From points (n, d) to logits.
    start, points : Tensor of shape (n, d)
        The samples, and where to begin; a sample is left as it is where its gradient is 0.
    label : Tensor of shape (n,)
        The predicted classes of the samples.
    schedule : DescentSchedule
        The descent.

    Returns
    -------
    Tensor of shape (n, d)
        The nearest flipped points seen, moved out a little beyond rounding; the samples where none
        was seen.
    """
    objective = MarginObjective(problem, forward)
    _, gap, gradient = objective(points, label)
    step, _ = step_to_hyperplane(
        -gradient, gap.clamp_min(0), objective.norm, objective.slack(points)
    )
    points = objective.clip(points + step)
    best = Nearest(start.clone(), torch.full_like(gap, torch.inf))
    rows = (points != start).any(dim=1).nonzero()[:, 0]
    part = best[rows]
    descend(objective, start[rows], label[rows], points[rows], part, schedule)
    best.update(rows, part)
    beyond = outwards(points.dtype)[0]
    return objective.clip(best.points + beyond * (best.points - start))
