"""Exact distance to the boundary of an affine classifier (Eq. 7 of paper A, corrected)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robfair._confirm import beyond_rounding, confirm, rounding
from robfair._geometry import norms, step_to_hyperplane
from robfair._problem import Forward, Problem, margins
from robfair.distance._writer import ResultWriter
from robfair.distance.exact._reading import Reading

__all__ = ["linear_distance"]

Pair = tuple[Tensor, Tensor]

# A distance is exact if a point this little farther, relative to it, is flipped beyond rounding.
CLOSE = 0.01
# By how much a point must go beyond the boundary: a share of the margin, and roundings. Several
# times that where it is not flipped then; the last is for modules that hardly know their inputs.
SHARE, ROUNDINGS, TIMES = 1e-7, 2, (1, 8, 64, 1e4, 1e6)
EXACT_ARITHMETIC = 1 - 1e-12  # what float64 loses in a distance


def linear_distance(problem: Problem, results: ResultWriter, reading: Reading) -> None:
    r"""Fill `results` with ``min_l |f_k - f_l| / ||w_k - w_l||_*``, or its minimum in the box.

    The paper prints the squared norm, which is the multiplier of DeepFool's step; the distance has
    the norm itself. The arithmetic is in float64 whatever the dtype of the model. Where the module
    itself, in its own dtype, is not flipped close to that distance, the distance is that of a point
    where it is, and not exact. The lower bounds allow for the module's rounding.

    Parameters
    ----------
    problem : Problem
        The samples, the affine model and the threat model.
    results : ResultWriter
        Receives the distances.
    reading : Reading
        The model, affine.
    """
    search = _Linear(problem, reading)
    lower = np.full(len(problem.X), np.nan)
    with torch.no_grad(), problem.network.forward(problem.shape) as forward:
        for start in range(0, len(problem.X), problem.batch_size):
            stop = min(start + problem.batch_size, len(problem.X))
            index = np.arange(start, stop)
            x = problem.rows(start, stop)
            logits = forward(x)
            label = logits.argmax(dim=1)
            results.predicted_codes[index] = label.cpu().numpy()
            results.n_forward[index] += 1
            truth = problem.truth(start, stop)
            if truth is not None:
                right = label == truth
                kept = right.cpu().numpy()
                results.skip(index[~kept])
                index, x, label, logits = index[kept], x[right], label[right], logits[right]
            if len(index) == 0:
                continue
            search.batch(forward, results, index, (x, label, logits))
            lower[index] = np.minimum(search.kept(index, label), results.distance[index])
    results.write_lower(np.arange(len(problem.X)), lower)


class _Linear:
    """The boundary of an affine model within a threat model."""

    def __init__(self, problem: Problem, reading: Reading) -> None:
        self.problem, self.reading = problem, reading
        ((self.weight, self.bias),) = reading.maps()
        self.box, self.mask = problem.box(torch.float64), problem.mask()

    def batch(
        self,
        forward: Forward,
        results: ResultWriter,
        index: NDArray[np.intp],
        predicted: tuple[Tensor, Tensor, Tensor],
    ) -> None:
        """Write the distances of some samples: they, their labels and logits are `predicted`."""
        x, label, logits = predicted
        norm = self.problem.norm
        step, target, reached = self._nearest(x.double(), label)
        points, sure = self._beyond(forward, (x, label, logits), step, target)
        found = reached & points.isfinite().all(dim=1)
        results.n_forward[index[reached.cpu().numpy()]] += 1
        given = self._given(index)
        size, end = norms(step, norm), norms(points.double() - x.double(), norm)
        # From the sample as it was given, which the model's dtype may have moved by more.
        far = norms(points.double() - given, norm)
        exact = sure & ((far - size).abs() <= CLOSE * size)
        rows = found.cpu().numpy()
        results.give_up(index[~rows])
        distance = torch.where(exact, size, end)[found]
        results.write_found(index[rows], distance, points[found], exact=exact[found].cpu().numpy())

    def _given(self, index: NDArray[np.intp]) -> Tensor:
        """Return samples as they were given, flattened, in float64."""
        rows = self.problem.X[index].reshape(len(index), -1).astype(np.float64)
        return torch.from_numpy(rows).to(self.problem.model.device)

    def _slack(self, x: Tensor) -> Pair | None:
        if self.box is None:
            return None
        return (x - self.box[0]).clamp_min(0), (self.box[1] - x).clamp_min(0)

    def _normal(self, target: Tensor | int, label: Tensor) -> Tensor:
        normal = self.weight[target] - self.weight[label]
        return normal if self.mask is None else normal * self.mask

    def _nearest(self, x: Tensor, label: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the smallest step to a hyperplane, its class, and whether there is one.

        One target class at a time bounds the memory.
        """
        logits, slack = x @ self.weight.T + self.bias, self._slack(x)
        best, nearest = torch.zeros_like(x), torch.zeros_like(label)
        least = torch.full_like(label, torch.inf, dtype=x.dtype)
        for target in range(len(self.weight)):
            gap = logits.gather(1, label[:, None])[:, 0] - logits[:, target]
            normal = self._normal(target, label)
            step, reached = step_to_hyperplane(normal, gap.clamp_min(0), self.problem.norm, slack)
            size = norms(step, self.problem.norm)
            size = torch.where(reached & (label != target), size, torch.inf)
            nearer = size < least
            best[nearer], least[nearer], nearest[nearer] = step[nearer], size[nearer], target
        return best, nearest, least.isfinite()

    def _beyond(
        self, forward: Forward, predicted: tuple[Tensor, Tensor, Tensor], step: Tensor, to: Tensor
    ) -> Pair:
        """Return points beyond the boundary to a class that the model itself predicts differently.

        Also whether it does so beyond rounding. NaN where there is no such point.
        """
        x, label, logits = predicted
        start, sure = x.double(), torch.zeros_like(label, dtype=torch.bool)
        normal, slack = self._normal(to, label), self._slack(start)
        gap = (normal * step).sum(dim=1)  # from the sample to the boundary
        more = SHARE * gap + ROUNDINGS * rounding(logits, x.dtype).double()
        # The features are rounded, too; at the origin they and the logits have no scale.
        info, steepest = torch.finfo(x.dtype), norms(normal, 2 if self.problem.norm == 2 else 1)
        more += steepest * (ROUNDINGS * info.eps * start.abs().amax(dim=1) + info.tiny**0.5)

        def attempt(rows: Tensor, times: float) -> tuple[Tensor, Tensor, Tensor]:
            room = None if slack is None else (slack[0][rows], slack[1][rows])
            aim = gap[rows] + times * more[rows]
            longer, _ = step_to_hyperplane(normal[rows], aim, self.problem.norm, room)
            moved = (start[rows] + longer).to(x.dtype)
            if self.box is not None:
                moved = moved.clamp(self.box[0].to(x), self.box[1].to(x))
            after = forward(moved)
            flipped = after.argmax(dim=1) != label[rows]
            sure[rows] = beyond_rounding(margins(after, label[rows]), after, x.dtype)
            return moved, flipped, sure[rows]

        return confirm(x, TIMES, attempt), sure

    def kept(self, index: NDArray[np.intp], label: Tensor) -> NDArray[np.float64]:
        """Return radii within which the module keeps its labels, whatever it rounds."""
        x, norm = self._given(index), self.problem.norm
        logits, slack = self.reading.logits(x), self._slack(x)
        bound = self.reading.rounding(x, norm, self.mask, self.problem.model.dtype)
        farthest = torch.full_like(x[:, 0], torch.inf)
        if slack is not None:
            far = torch.maximum(*slack)
            farthest = norms(far if self.mask is None else far * self.mask, norm)
        radius = torch.full_like(farthest, torch.inf)
        own = label[:, None]
        for target in range(len(self.weight)):
            margin = logits.gather(1, own)[:, 0] - logits[:, target]
            margin = margin - bound.still.gather(1, own)[:, 0] - bound.still[:, target]
            growth = bound.growth[label] + bound.growth[target]
            kept = _radius(self._normal(target, label), margin, growth, norm, slack, farthest)
            radius = torch.where(label == target, radius, torch.minimum(radius, kept))
        return (radius * EXACT_ARITHMETIC).cpu().numpy()


def _radius(
    normal: Tensor, margin: Tensor, growth: Tensor, norm: float, slack: Pair | None, far: Tensor
) -> Tensor:
    """Return a radius in which the margin exceeds an error that grows with the radius.

    That is where ``margin > max normal . r + growth * ||r||``; `far` is how far the box reaches.
    """
    gap = margin.clamp_min(0)
    if slack is None:
        steepest = norms(normal, 2 if norm == 2 else 1) + growth
        return torch.where(steepest > 0, gap / steepest, torch.where(gap > 0, torch.inf, 0.0))

    def size(gap: Tensor) -> Tensor:
        step, reached = step_to_hyperplane(normal, gap.clamp_min(0), norm, slack)
        return torch.where(reached | (gap <= 0), norms(step, norm), torch.inf)

    # Within the radius at which there is no error, the error is at most that at its end.
    first = size(gap)
    near = size(gap - growth * torch.where(first.isfinite(), first, 0))
    # Beyond the hyperplane's reach in the box, half of the margin is for the error.
    half = torch.minimum(size(gap / 2), torch.where(growth > 0, gap / 2 / growth, torch.inf))
    rest = gap - torch.where(growth > 0, growth * far, 0)
    never = (rest > 0) & size(rest.clamp_min(0)).isinf()
    return torch.where(first.isfinite(), near, torch.where(never, torch.inf, half))
