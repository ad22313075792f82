"""DeepFool, batched: repeated smallest steps to the nearest linearised boundary.

A slot of the batch holds one sample until it is flipped, skipped or given up. Then the next sample
of the queue takes its place, so that one stubborn sample never holds up a batch. One forward pass
tests whether a sample is flipped, carries the graph of its next step, and predicts the label of a
sample that is new. A flipped sample leaves its slot for the search between its last two iterates,
which needs no gradients and runs on full batches in :mod:`._line_search`.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from robfair._problem import Problem, distances, finite, margins
from robfair.distance._writer import ResultWriter
from robfair.distance.gradient._deepfool_step import Box, deepfool_step
from robfair.distance.gradient._line_search import Segments
from robfair.distance.gradient._slots import Queue, Slots

__all__ = ["deepfool_distance"]


def deepfool_distance(
    problem: Problem,
    results: ResultWriter,
    *,
    max_iter: int,
    overshoot: float,
    n_candidates: int | None,
    bisect: bool,
) -> None:
    """Fill `results` by DeepFool.

    Parameters
    ----------
    problem, results : Problem, ResultWriter
        The samples, and the arrays to fill.
    max_iter : int
        Steps after which a sample is given up as censored.
    overshoot : float
        Overshoot of a step beyond the linearised boundary, relative to its distance.
    n_candidates : int or None
        Target classes considered at each step: those with the greatest logits. None: all.
    bisect : bool
        True: search the boundary between the last two iterates. False: Eq. 8 of the paper, the
        mean of the norms of the last two perturbations.
    """
    n_targets = problem.n_classes - 1
    if n_candidates is not None:
        n_targets = min(n_candidates, n_targets)
    box, mask = problem.box(problem.model.dtype), problem.mask()
    make_step = partial(deepfool_step, problem.norm, box, mask, overshoot, n_targets)
    queue = Queue(problem)
    with problem.network.forward(problem.shape) as forward:
        segments = Segments(problem, results, forward)
        slots = queue.take(problem.batch_size)
        while len(slots):
            index = slots.index.numpy()
            with torch.enable_grad():
                points = slots.point.requires_grad_(True)
                logits = forward(points)
            slots.point = points.detach()  # without the graph, which the slots would keep alive
            results.n_forward[index] += 1
            values = finite(logits.detach())
            skipped = _first_pass(problem, results, slots, values)
            flipped = values.argmax(dim=1) != slots.label
            if bool(flipped.any()):
                _finish(slots[flipped], values[flipped], results, segments, bisect)
            failed = ~skipped & ~flipped & (slots.steps >= max_iter)
            done = skipped | flipped | failed
            n_done = int(done.sum())
            # A backward pass includes the finished samples. Where they are many, it is cheaper to
            # pass the others forward once more, together with fresh samples.
            if n_done * n_targets <= len(slots) - n_done:
                step, size, stuck = make_step(logits, points, slots)
                results.n_backward[index] += n_targets
                failed, done = failed | (stuck & ~done), done | stuck
                _advance(slots, values, step, size, box)
            if bool(failed.any()):
                results.give_up(slots.index[failed].numpy())
            slots = queue.refill(slots, done)
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


def _advance(slots: Slots, values: Tensor, step: Tensor, size: Tensor, box: Box) -> None:
    """Make the steps."""
    slots.before, slots.margin = slots.point, margins(values, slots.label)
    slots.point, slots.size = slots.point + step, size
    if box is not None:  # rounding alone can leave it by one ulp
        slots.point = slots.point.clamp(*box)
    slots.steps = slots.steps + 1


def _finish(
    slots: Slots, logits: Tensor, results: ResultWriter, segments: Segments, bisect: bool
) -> None:
    """Search the boundary for samples that have just been flipped, or write their distances."""
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
        r_max = distances(slots.before, slots.start, segments.problem.norm)
        mean = (r_max + slots.size.double()) / 2
        results.write_found(slots.index.numpy(), mean, slots.point, is_of_points=False)
