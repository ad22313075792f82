"""DeepFool, batched: repeated smallest steps to the nearest linearised boundary.

A slot holds one sample until it is flipped, skipped or given up; then a waiting sample takes its
place, so that one stubborn sample never holds up a batch. The forward pass that tests whether a
sample is flipped also carries the graph for its next step, and for a sample that has just moved in
it gives the predicted label: there is no separate prediction. What remains of a
flipped sample, the search for the boundary between its last two iterates, needs no gradients and
runs on full batches of such samples in :mod:`._segment`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from robfair._problem import Problem, distances, finite, margins
from robfair.distance._writer import ResultWriter
from robfair.distance.gradient._deepfool_step import Stepper
from robfair.distance.gradient._line_search import Segments
from robfair.distance.gradient._slots import Slots, Waiting

__all__ = ["deepfool_distance"]


def deepfool_distance(
    problem: Problem,
    results: ResultWriter,
    *,
    max_iter: int,
    overshoot: float,
    n_candidates: int,
    bisect: bool,
) -> None:
    """Fill `results` by DeepFool.

    Parameters
    ----------
    problem, results : Problem, ResultWriter
        What to compute and where to write it.
    max_iter : int
        Steps after which a sample is given up as censored.
    overshoot : float
        How far beyond the linearised boundary a step aims, relative to its distance.
    n_candidates : int
        Rival classes considered at each step: those with the greatest logits.
    bisect : bool
        True: search the boundary between the last two iterates. False: Eq. 8 of the paper, the
        mean of the norms of the last two perturbations.
    """
    stepper = Stepper(problem, overshoot, n_candidates)
    waiting = Waiting(problem)
    with problem.network.forward(problem.shape) as forward:
        segments = Segments(problem, results, forward)
        slots = waiting.take(problem.batch_size)
        while len(slots):
            index = slots.index.numpy()
            with torch.enable_grad():
                points = slots.point.requires_grad_(True)
                logits = forward(points)
            slots.point = points.detach()
            results.n_forward[index] += 1
            values = finite(logits.detach())
            skipped = _first_pass(problem, results, slots, values)
            flipped = values.argmax(dim=1) != slots.label
            if bool(flipped.any()):
                _finish(slots[flipped], values[flipped], results, segments, problem.norm, bisect)
            lost = ~skipped & ~flipped & (slots.steps >= max_iter)
            done = skipped | flipped | lost
            n_done = int(done.sum())
            # Where many are finished it is cheaper to pass the others once more, beside fresh
            # samples, than to pull the finished ones through the backward passes.
            if n_done * stepper.n_backward <= len(slots) - n_done:
                step, reach, stuck = stepper(logits, points, slots)
                results.n_backward[index] += stepper.n_backward
                lost, done = lost | (stuck & ~done), done | stuck
                _advance(slots, values, step, reach, stepper.box)
            if bool(lost.any()):
                results.give_up(slots.index[lost].numpy())
            slots = waiting.refill(slots, done)
        segments.flush()


def _first_pass(problem: Problem, results: ResultWriter, slots: Slots, values: Tensor) -> Tensor:
    """Write the predicted class of samples seen for the first time; return which to skip."""
    new = slots.label < 0
    skipped = torch.zeros_like(new)
    if not bool(new.any()):
        return skipped
    slots.label = torch.where(new, values.argmax(dim=1), slots.label)
    index, label = slots.index[new].numpy(), slots.label[new].cpu().numpy()
    results.predicted_codes[index] = label
    if problem.true_codes is not None:
        wrong = problem.true_codes[index] != label
        results.skip(index[wrong])
        skipped[new] = torch.from_numpy(wrong).to(new.device)
    return skipped


def _advance(
    slots: Slots, values: Tensor, step: Tensor, reach: Tensor, box: tuple[Tensor, Tensor] | None
) -> None:
    """Make the steps."""
    slots.before, slots.margin = slots.point, margins(values, slots.label)
    slots.point, slots.reach = slots.point + step, reach
    if box is not None:  # rounding alone can leave it by one ulp
        slots.point = slots.point.clamp(*box)
    slots.steps = slots.steps + 1


def _finish(
    slots: Slots,
    logits: Tensor,
    results: ResultWriter,
    segments: Segments,
    norm: float,
    bisect: bool,
) -> None:
    """Take over samples that have just been flipped."""
    if bisect:
        segments.add(
            index=slots.index,
            start=slots.start,
            inside=slots.before,
            outside=slots.point,
            label=slots.label,
            margin_inside=slots.margin,
            margin_outside=margins(logits, slots.label),
        )
    else:
        r_max = distances(slots.before, slots.start, norm)
        mean = (r_max + slots.reach.double()) / 2
        results.write_found(slots.index.numpy(), mean, slots.point)
