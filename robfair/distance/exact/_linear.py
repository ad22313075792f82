"""Exact distance to the boundary of an affine classifier (Eq. 7 of paper A, corrected)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from robfair._confirm import confirm
from robfair._geometry import norms, step_to_hyperplane
from robfair._problem import Forward, Problem
from robfair.distance._writer import ResultWriter

__all__ = ["linear_distance", "two_logits"]

Pair = tuple[Tensor, Tensor]


def two_logits(affine: Pair) -> Pair:
    """Write an affine map with one output s as one with two, (0, s)."""
    weight, bias = affine
    if len(weight) > 1:
        return affine
    return torch.cat([torch.zeros_like(weight), weight]), torch.cat([torch.zeros_like(bias), bias])


def linear_distance(problem: Problem, results: ResultWriter, affine: Pair) -> None:
    r"""Fill `results` with ``min_l |f_k - f_l| / ||w_k - w_l||_*``, or its minimum in the box.

    The paper prints the squared norm, which is the multiplier of DeepFool's step; the distance has
    the norm itself. The arithmetic is in float64 whatever the dtype of the model.

    Parameters
    ----------
    problem : Problem
        The samples, the affine model and the threat model.
    results : ResultWriter
        Receives the distances.
    affine : tuple of two Tensors
        Weight and bias of the model.
    """
    affine = two_logits(affine)
    box, mask = problem.box(torch.float64), problem.mask()
    with torch.no_grad(), problem.network.forward(problem.shape) as forward:
        for start in range(0, len(problem.X), problem.batch_size):
            stop = min(start + problem.batch_size, len(problem.X))
            index = np.arange(start, stop)
            x = problem.rows(start, stop)
            label = forward(x).argmax(dim=1)
            results.predicted_codes[index] = label.cpu().numpy()
            results.n_forward[index] += 1
            truth = problem.truth(start, stop)
            if truth is not None:
                wrong = (label != truth).cpu().numpy()
                results.skip(index[wrong])
                index, x, label = index[~wrong], x[label == truth], label[label == truth]
            if len(index) == 0:
                continue
            step, reached = _nearest(x.double(), label, affine, problem.norm, box, mask)
            results.give_up(index[~reached.cpu().numpy()])
            index, x, label, step = (
                index[reached.cpu().numpy()], x[reached], label[reached], step[reached]
            )  # fmt: skip
            points = _beyond(forward, x, label, step, box)
            results.n_forward[index] += 1
            results.write_found(index, norms(step, problem.norm), points, exact=True)
    # Also inf: no other class can be reached in the box.
    results.write_lower(np.arange(len(problem.X)), results.distance)


def _nearest(
    x: Tensor, label: Tensor, affine: Pair, norm: float, box: Pair | None, mask: Tensor | None
) -> Pair:
    """Return the smallest step to a hyperplane; one target class at a time bounds the memory."""
    weight, bias = affine
    logits = x @ weight.T + bias
    slack = None if box is None else (x - box[0], box[1] - x)
    best = torch.zeros_like(x)
    least = torch.full_like(label, torch.inf, dtype=x.dtype)
    for target in range(len(weight)):
        normal = weight[target] - weight[label]
        if mask is not None:
            normal = normal * mask
        gap = logits.gather(1, label[:, None])[:, 0] - logits[:, target]
        step, reached = step_to_hyperplane(normal, gap.clamp_min(0), norm, slack)
        size = torch.where(reached & (label != target), norms(step, norm), torch.inf)
        nearer = size < least
        best[nearer], least[nearer] = step[nearer], size[nearer]
    return best, least.isfinite()


def _beyond(forward: Forward, x: Tensor, label: Tensor, step: Tensor, box: Pair | None) -> Tensor:
    """Return points beyond the boundary that the model itself predicts differently, or NaN."""

    def attempt(rows: Tensor, beyond: float) -> tuple[Tensor, Tensor, Tensor]:
        moved = (x[rows].double() + (1 + beyond) * step[rows]).to(x.dtype)
        if box is not None:
            moved = moved.clamp(box[0].to(x), box[1].to(x))
        flipped = forward(moved).argmax(dim=1) != label[rows]
        return moved, flipped, flipped

    return confirm(x, (1e-6, 1e-4, 1e-2), attempt)
