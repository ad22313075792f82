"""DeepFool, batched: repeated smallest steps to the nearest linearised boundary.

The loop keeps a fixed number of slots. A slot holds one sample until it is flipped, skipped or
given up; then a waiting sample takes its place, so that one stubborn sample never holds up a batch.
The forward pass that tests whether a sample is flipped also carries the graph for its next step,
and for a sample that has just moved in it gives the predicted label: one pass an iteration, no
separate prediction. What remains of a flipped sample, the search for the boundary between its last
two iterates, needs no gradients and runs on full batches of such samples in :mod:`._segment`.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from robfair.distance._search import Problem, Results, distances, margins
from robfair.distance._segment import Segments
from robfair.threat import norms, step_to_hyperplane

__all__ = ["deepfool_distance"]


@dataclass
class _Slots:
    """State of the samples in flight; every field has one row a slot."""

    index: Tensor  # (b,) position of the sample in X
    start: Tensor  # (b, d) the sample
    point: Tensor  # (b, d) the current iterate, to be tested next
    before: Tensor  # (b, d) the iterate before it, which was not flipped
    margin: Tensor  # (b,) margin of `before`
    reach: Tensor  # (b,) norm of the perturbation without overshoot, for Eq. 8
    label: Tensor  # (b,) predicted class of the sample; -1 before its first pass
    steps: Tensor  # (b,) steps made

    def __getitem__(self, rows: Tensor) -> _Slots:
        return _Slots(*(getattr(self, f.name)[rows] for f in fields(self)))

    def put(self, rows: Tensor, other: _Slots) -> None:
        """Overwrite some slots."""
        for f in fields(self):
            getattr(self, f.name)[rows] = getattr(other, f.name)

    def __len__(self) -> int:
        return len(self.index)


def deepfool_distance(
    problem: Problem,
    results: Results,
    *,
    max_iter: int,
    overshoot: float,
    n_candidates: int,
    bisect: bool,
) -> None:
    """Fill `results` by DeepFool.

    Parameters
    ----------
    problem, results : Problem, Results
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
    stepper = _Stepper(problem, overshoot, min(n_candidates, problem.n_classes - 1))
    waiting = _Waiting(problem)
    with problem.model.forward(problem.shape) as forward:
        segments = Segments(problem, results, forward)
        slots = waiting.take(problem.batch_size)
        while len(slots):
            with torch.enable_grad():
                points = slots.point.requires_grad_(True)
                logits = forward(points)
                values = logits.detach()
                if not bool(torch.isfinite(values).all()):
                    raise ValueError(
                        "the module returns NaN or infinity for some samples; check its weights "
                        "and the scale of X."
                    )
                new = slots.label < 0
                slots.label = torch.where(new, values.argmax(dim=1), slots.label)
                flipped = (values.argmax(dim=1) != slots.label) & ~new
                done = flipped | (slots.steps >= max_iter)
                skipped = _record_new(problem, results, slots, new)
                if skipped is not None:
                    done = done | skipped
                step = None
                if not bool(done.all()):
                    step, reach, stuck = stepper(logits, points, slots)
                    done = done | stuck
            slots.point = points.detach()
            results.n_forward[slots.index.numpy()] += 1
            if step is not None:
                results.n_backward[slots.index.numpy()] += stepper.n_backward

            if bool(flipped.any()):
                _finish(slots[flipped], values[flipped], results, segments, problem.norm, bisect)
            lost = done & ~flipped if skipped is None else done & ~flipped & ~skipped
            if bool(lost.any()):
                results.give_up(slots.index[lost].numpy())
            if step is not None:
                slots.before, slots.margin = slots.point, margins(values, slots.label)
                slots.point, slots.reach = slots.point + step, reach
                if stepper.box is not None:  # rounding alone can leave it by one ulp
                    slots.point = slots.point.clamp(*stepper.box)
                slots.steps = slots.steps + 1
            slots = waiting.refill(slots, done)
        segments.flush()


def _record_new(problem: Problem, results: Results, slots: _Slots, new: Tensor) -> Tensor | None:
    """Write the predicted class of samples seen for the first time; which of them to skip."""
    if not bool(new.any()):
        return None
    index, label = slots.index[new].numpy(), slots.label[new].cpu().numpy()
    results.codes[index] = label
    if problem.codes is None:
        return None
    wrong = problem.codes[index] != label
    results.skip(index[wrong])
    skipped = torch.zeros_like(new)
    skipped[new] = torch.from_numpy(wrong).to(new.device)
    return skipped


def _finish(
    slots: _Slots,
    logits: Tensor,
    results: Results,
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
        results.found(slots.index.numpy(), mean, slots.point)


class _Waiting:
    """The samples that wait for a slot, in the order of X."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.next = 0

    def take(self, n: int) -> _Slots:
        start, stop = self.next, min(self.next + n, len(self.problem.X))
        self.next = stop
        x = self.problem.rows(start, stop)
        return _Slots(
            index=torch.arange(start, stop),
            start=x,
            point=x.clone(),
            before=x.clone(),
            margin=x.new_zeros(len(x)),
            reach=x.new_zeros(len(x)),
            label=torch.full((len(x),), -1, device=x.device),
            steps=torch.zeros(len(x), dtype=torch.int64, device=x.device),
        )

    def refill(self, slots: _Slots, done: Tensor) -> _Slots:
        """Give the slots of finished samples to waiting ones; drop slots when none waits."""
        free = done.nonzero()[:, 0]
        if len(free) == 0:
            return slots
        fresh = self.take(len(free))
        if len(fresh):
            slots.put(free[: len(fresh)], fresh)
        if len(fresh) < len(free):
            keep = torch.ones(len(slots), dtype=torch.bool, device=done.device)
            keep[free[len(fresh) :]] = False
            return slots[keep]
        return slots


class _Stepper:
    """One DeepFool step: gradients of the nearest rivals, and the smallest step among them."""

    def __init__(self, problem: Problem, overshoot: float, n_candidates: int) -> None:
        self.norm = problem.norm
        self.overshoot = overshoot
        self.n_backward = n_candidates
        self.box = problem.box(problem.model.dtype)
        self.mask = problem.mask()

    def __call__(
        self, logits: Tensor, points: Tensor, slots: _Slots
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Step of each slot, its reach for Eq. 8, and whether it is stuck (no way to move).

        Three things would let DeepFool go on for ever without a flip. A gap that is lost in the
        rounding of the network: a step aims beyond by a part of the way made so far. A positive
        minimum of the margin, across which steps go back and forth: that part grows with their
        number. A place where the logits are flat: the direction that led there is followed.
        """
        own = logits.gather(1, slots.label[:, None])
        others = logits.detach().scatter(1, slots.label[:, None], -torch.inf)
        rivals = others.topk(self.n_backward, dim=1).indices
        gaps = own - logits.gather(1, rivals)  # (b, m)
        normals = []
        for j in range(self.n_backward):
            (gradient,) = torch.autograd.grad(
                gaps[:, j].sum(), points, retain_graph=j + 1 < self.n_backward
            )
            # The gap has to fall: the normal points from the label to the rival.
            normals.append(-gradient if self.mask is None else -gradient * self.mask)
        with torch.no_grad():
            point = points.detach()
            beyond = (self.overshoot * 1.5**slots.steps).clamp(max=1).to(point.dtype)[:, None]
            way = torch.stack([(n * (point - slots.start)).sum(dim=1) for n in normals], dim=1)
            rounding = 8 * torch.finfo(point.dtype).eps * logits.detach().abs().amax(dim=1)
            aim = gaps.detach() + beyond * (gaps.detach() + way.abs()) + rounding[:, None]
            best, stuck = self._smallest(normals, aim, point)
            if bool(stuck.any()):
                best = torch.where(stuck[:, None], point - slots.start, best)
                stuck = stuck & (best.abs().amax(dim=1) == 0)
            unstretched = point + best / (1 + beyond)
            return best, distances(unstretched, slots.start, self.norm).to(point.dtype), stuck

    def _smallest(
        self, normals: list[Tensor], gaps: Tensor, points: Tensor
    ) -> tuple[Tensor, Tensor]:
        if self.box is None:
            stack = torch.stack(normals, dim=1)  # (b, m, d)
            dual = stack.norm(dim=2) if self.norm == 2 else stack.abs().sum(dim=2)
            ratio = torch.where(dual > 0, gaps / dual, torch.inf)
            nearest = ratio.argmin(dim=1)
            rows = torch.arange(len(points), device=points.device)
            step, reached = step_to_hyperplane(stack[rows, nearest], gaps[rows, nearest], self.norm)
            return step, ~reached
        room = (points - self.box[0], self.box[1] - points)
        best = torch.zeros_like(points)
        least = torch.full_like(gaps[:, 0], torch.inf)
        for normal, gap in zip(normals, gaps.T, strict=True):
            step, reached = step_to_hyperplane(normal, gap, self.norm, room)
            size = norms(step, self.norm)
            # A rival that the linearisation cannot reach is taken only if none can be: the step
            # to the corner may bring it within reach. An offset ranks it behind all others.
            size = torch.where(reached, size, torch.finfo(size.dtype).max / 2)
            size = torch.where(step.abs().amax(dim=1) > 0, size, torch.inf)
            nearer = size < least
            best = torch.where(nearer[:, None], step, best)
            least = torch.where(nearer, size, least)
        return best, ~least.isfinite()
