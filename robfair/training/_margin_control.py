"""EvenMargins: a controller for each group that acts on the distances themselves."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robfair._warnings import warn
from robfair.adapters import evaluation_mode
from robfair.exceptions import ControlWarning
from robfair.training._blend import add, blend
from robfair.training._cells import Cells
from robfair.training._cheap_distance import CAP, CheapDistance, as_tensor
from robfair.training._evaluator import GroupEvaluator
from robfair.training._pi_control import PiControl
from robfair.training._plan import GroupPlan
from robfair.training._review import find_harm
from robfair.training._step import EpochEnd, Step
from robfair.training._strategies import Strategy

__all__ = ["MarginControl"]

STRIDE = 2  # every so many batches, at least, the term is added, and as many times the coefficient
SHARE = 0.7  # most of the cost of the objective that the searches take
MOST_IN_A_ROW = 3  # epochs that are taken back, before control is given up
CHECKED_ROWS = 200  # that "strong" searches, too
GAIN_OF_STEP = 0.75  # most of a gap that one controlled batch would close: above 1 it oscillates
# Correlation with "strong", at the beginning and at the end, and factor between the means.
AGREES, STILL_AGREES, MEANS_WITHIN = 0.85, 0.75, 1.25
MOST_STARTS = 4  # times as many as `n_starts`, where the distances do not agree with fewer


class MarginControl(Strategy):
    """EvenMargins: even out Rob(P) of the groups by moving the boundary near their samples.

    Up to epoch `begin` training is that of the objective. From then on, every other batch has a
    further term in its loss: the distances of the samples to the nearest boundary, as
    :func:`robfair.distance.nearest_boundary` finds them, each times the coefficient of its group.
    A proportional-integral controller sets these coefficients, batch by batch, so that Rob(P) of
    all groups comes to the same value, that of Rob(f) before; divided by the optimiser's response,
    they have no unit, and need no tuning to the data. Where attacks have fewer than ten steps,
    fewer batches have the term, so that its searches take at most 0.7 of the objective's passes.

    In the end the network is compared with that from before the control, on held-out samples. If
    accuracy, Rob(f), V_f or the least Rob(P), by "auto", is worse by more than sampling error (and
    than half a point of accuracy, or a per cent of Rob(f)), the control is undone.

    Parameters
    ----------
    begin : int
        Epochs before the control: the first three quarters to five sixths of a run.
    gain : float, default=7
        Part of a gap between groups that an epoch would close, by the optimiser's response.
    target : float, default=1.05
        Rob(P) to reach, over Rob(f) on training samples when control begins. Above 1, since
        distances of training samples grow faster than those of others.
    lean : float, default=0.4
        Goals lean over by this part of each group's gap, to make up for `blend`.
    blend : float, default=0.7
        The network ends up with this part of the mean of the weights after each epoch of the
        second half of control, and with the rest of those when control began.
    n_starts : int, default=4
        Starts of the search for the nearest boundary: two or four times as many where the distances
        do not agree with those of "strong".
    within_labels : bool, default=False
        Whether to even out groups inside each class, and to leave differences between the classes.
    tolerance : float, default=0.05
        An epoch is taken back, and the coefficients are halved, if accuracy on held-out samples
        falls by more than this (and two standard errors), or Rob(f) by three times this part.

    Attributes
    ----------
    state_ : {"waiting", "even", "controlling", "distrusted", "in vain"}
        "even": nothing was done, since the groups differed by no more than sampling error.
        "distrusted": control ended, since the cheap distance disagreed with that of "strong".
        "in vain": three epochs in a row were taken back, and training went on from before; or
        Rob(P) of training samples was no more even at the end, or something was worse on held-out
        ones, and the network ended up as before the control. A warning says why.
    robustness_ : ndarray of shape (n_groups,)
        Rob(P) on training samples when control began, by the cheap distance.
    agreement_ : float
        Correlation of the cheap distance with that of "strong", over some training samples.
    taken_back_ : int
        Epochs that were taken back.
    """

    needs_held_out = True

    def __init__(
        self,
        begin: int,
        gain: float = 7.0,
        target: float = 1.05,
        lean: float = 0.4,
        blend: float = 0.7,
        n_starts: int = 4,
        within_labels: bool = False,
        tolerance: float = 0.05,
    ) -> None:
        self.begin = begin
        self.gain, self.target, self.lean, self.blend = gain, target, lean, blend
        self.n_starts, self.within_labels, self.tolerance = n_starts, within_labels, tolerance

    # The run

    def start(self, plan: GroupPlan) -> GroupPlan:
        """Plan the first epoch: all groups are attacked."""
        self.state_, self.n_groups_ = "waiting", plan.n_groups
        self.taken_back_ = self.in_a_row_ = 0
        self.control_: dict[str, Any] | None = None
        self.sums_: dict[str, Tensor] | None = None
        self.final_: dict[str, Tensor] | None = None
        return replace(super().start(plan), phase="adversarial")

    def on_epoch(self, epoch: int, plan: GroupPlan, evaluator: GroupEvaluator | None) -> GroupPlan:
        """Begin the control, where no epoch of this run came before it."""
        if epoch >= self.begin and self.state_ == "waiting" and evaluator is not None:
            self._begin(evaluator, None)
        return replace(plan, phase="even margins") if self.state_ == "controlling" else plan

    def may_stop(self, epoch: int) -> bool:
        """Tell whether there has been some control."""
        return epoch >= self.begin

    def accepts_average(self, epoch: int) -> bool:
        """Average up to the control, or all along where there is none."""
        return self.state_ != "controlling"

    def after_epoch(self, end: EpochEnd) -> None:
        """Begin the control with the averaged weights, or look after it."""
        if end.epoch == self.begin - 1 and end.evaluator is not None:
            average = end.average()
            self._begin(replace(end.evaluator, module=end.module), average)
            if average is not None and self.state_ == "controlling":
                end.module.load_state_dict(average.state_dict())
        elif self.state_ == "controlling":
            self._look_after(end)
        if self.state_ == "controlling":
            self._keep(end)

    def final_weights(self) -> dict[str, Tensor] | None:
        """Return the blend."""
        return self.final_

    def after_run(self, end: EpochEnd) -> None:
        """Undo the control if the distance cannot be trusted any more, or if it did no good."""
        if self.state_ == "controlling":
            assert end.evaluator is not None
            self._review(replace(end.evaluator, module=end.module))
            if self.state_ != "controlling":
                end.module.load_state_dict(self.anchor_)
        self.final_ = self.sums_ = None
        for name in ("kept_", "anchor_"):
            self.__dict__.pop(name, None)

    def record(self) -> dict[str, Any]:
        """Return Rob(P) of the last training samples and the coefficient, of each group."""
        if self.control_ is None:
            return {}
        values = {"train_robustness": self.control_["robustness"], "coefficient": self.force_}
        if self.within_labels:
            return {name: self._cells.rows(value) for name, value in values.items()}
        return values

    def group_robustness(self) -> NDArray[np.float64]:
        """Return Rob(P) of each group when control began, with a row for each class if so."""
        values: NDArray[np.float64] = self.robustness_
        return self._cells.rows(values) if self.within_labels else values

    # Control

    def penalty(self, step: Step) -> Tensor | None:
        """Return the distances of the batch, each times the coefficient of its group."""
        if self.state_ != "controlling":
            return None
        stride = self._stride(step)
        if step.place % stride:
            return None
        if self.control_ is None:
            self._keep(step)
            self.control_ = vars(self._controller(step))
        control, cheap = PiControl(**self.control_), self._cheap
        noise = [step.attack.noise.draw(torch.randn, step.X) for _ in range(cheap.n_random)]
        found = cheap.search(step.module, step.X, step.y, step.attack.threat_model, noise)
        cell = self._cells.of(step.y.cpu().numpy(), step.groups.cpu().numpy())
        base, distance = self.base_[cell], found.distance.double().cpu().numpy()
        control.see(np.clip(distance, 0, CAP * base), cell, stride)
        self.force_ = control.force(stride / step.n_batches)
        self.control_ = vars(control)
        force = self.force_[cell]
        # Distances that count as the cap do not rise; they may fall, or a group would run away.
        live = (np.abs(distance) < CAP * base) | ((force < 0) & (distance > 0))
        factor = torch.from_numpy(np.where(live, stride * force / base, 0)).to(step.X)
        weight = step.losses.weight
        factor = factor / len(factor) if weight is None else factor * weight / weight.sum()
        rows = factor != 0
        if not bool(rows.any()):
            return None
        return -(factor[rows] * found[rows].trainable(step.module, step.y[rows])).sum()

    def _begin(self, evaluator: GroupEvaluator, average: nn.Module | None) -> None:
        """Measure the groups, and find out whether there is something to do that can be done."""
        module = evaluator.module if average is None else average
        train = replace(evaluator.training(), module=module)
        with torch.no_grad(), evaluation_mode(module):
            self.n_classes_ = module(as_tensor(train.X[:1], module)).shape[1]
        n_cells = self.n_groups_ * (self.n_classes_ if self.within_labels else 1)
        self.starts_, self.scale_, self.sizes_ = self.n_starts, 0.0, np.zeros(n_cells, np.intp)
        self.sizes_ = np.bincount(self._cells.of(train.y, train.groups), minlength=n_cells)
        some = replace(evaluator.training(self._cells.quota), module=module)
        near = CheapDistance(self.n_classes_, 1, 1.0).distances(some)
        if not (near > 0).any():  # all is wrong: nothing to tell groups apart by
            self.state_, self.robustness_ = "even", np.zeros(n_cells)
            return
        self.scale_ = float(np.median(near[near > 0]))
        averaged = replace(evaluator, module=module)
        if not self._uneven(averaged):
            self.state_ = "even"
        elif self._trusted(averaged):
            if self.starts_ > self.n_starts:
                self._uneven(averaged)  # by as many starts as it takes
            self.state_ = "controlling"
            self.anchor_ = {k: v.clone() for k, v in module.state_dict().items()}
            # Epochs are compared with the last one, too: they are not averages.
            both = [self._quality(each) for each in (averaged, evaluator)]
            self.before_ = tuple(map(min, *both))

    def _uneven(self, evaluator: GroupEvaluator) -> bool:
        """Measure the groups, and tell whether they differ by more than sampling error."""
        self.robustness_, error = self._cells.robustness(evaluator)
        self.scale_ = float(self.robustness_[self._cells.there].mean())
        self.base_ = self._cells.common(self.robustness_)
        return self._cells.differ(self.robustness_, error)

    def _controller(self, step: Step) -> PiControl:
        """Build the controller, for the response that the optimiser has now."""
        target = self.target * self.base_
        goal = target * (1 + self.lean * (1 - self.robustness_ / target))
        stride = self._stride(step)
        gain = min(self.gain, GAIN_OF_STEP * step.n_batches / stride)
        response, zeros = self._cells.response(step, self.base_), np.zeros(len(goal))
        return PiControl(self.sizes_, self.robustness_, goal, response, gain + zeros, zeros, zeros)

    # After an epoch

    def _look_after(self, end: EpochEnd) -> None:
        """Take the epoch back or add it to the mean of the weights."""
        assert end.evaluator is not None
        fallen = self._has_fallen(replace(end.evaluator, module=end.module))
        if self.control_ is not None:
            control = PiControl(**self.control_)
            control.end_epoch()
            control.damp(0.5 if fallen else 1.0)
            self.control_ = vars(control)
        if fallen:
            self._take_back(end)
            if self.state_ != "controlling":
                return
        else:
            self.in_a_row_ = 0
        half = max(1, (end.n_epochs - self.begin) // 2)
        n = end.epoch + 1 - (end.n_epochs - half)
        if n > 0:
            self.sums_ = add(self.sums_, end.module)
            mean = {name: total / n for name, total in self.sums_.items()}
            self.final_ = blend(mean, self.anchor_, self.blend)

    def _keep(self, now: Step | EpochEnd) -> None:
        """Copy what an epoch that is taken back goes back to."""
        kept = {"module": now.module.state_dict(), "optimizer": now.optimizer.state_dict()}
        self.kept_ = copy.deepcopy(kept)

    def _take_back(self, end: EpochEnd) -> None:
        end.module.load_state_dict(self.kept_["module"])
        end.optimizer.load_state_dict(copy.deepcopy(self.kept_["optimizer"]))
        self.taken_back_ += 1
        self.in_a_row_ += 1
        if self.in_a_row_ == MOST_IN_A_ROW:
            self._give_up([f"accuracy or Rob(f) fell in {MOST_IN_A_ROW} epochs in a row"])
            self.final_ = None
            end.module.load_state_dict(self.anchor_)

    def _has_fallen(self, evaluator: GroupEvaluator) -> bool:
        """Tell whether accuracy or Rob(f) has fallen on held-out samples."""
        accuracy, robustness = self._quality(evaluator)
        before, level = self.before_
        error = (before * (1 - before) / max(len(evaluator.X), 1)) ** 0.5
        return bool(
            accuracy < before - max(self.tolerance, 2 * error)
            or not robustness >= (1 - 3 * self.tolerance) * level
        )

    def _quality(self, evaluator: GroupEvaluator) -> tuple[float, float]:
        return self._cheap.quality(evaluator.part(self._cells.quota))

    # Whether it did any good

    def _review(self, evaluator: GroupEvaluator) -> None:
        """Compare the network with that of the beginning: give up where it is no better."""
        if not self._trusted(evaluator, STILL_AGREES):
            return
        now = self._cells.robustness(evaluator)[0]
        if self._cells.spread(now) >= self._cells.spread(self.robustness_):
            self._give_up(["Rob(P) of training samples is not more even"])
            return
        anchor = copy.deepcopy(evaluator.module)
        anchor.load_state_dict(self.anchor_)
        held_out = replace(evaluator.part(self._cells.quota), method="auto")
        cell, cap = self._cells.of(held_out.y, held_out.groups), CAP * self.scale_
        before, after = (
            replace(held_out, module=module).distances(cap) for module in (anchor, evaluator.module)
        )
        harm = find_harm(before, after, cell, self.n_groups_)
        if harm:
            self._give_up([f"{each} on {len(cell)} held-out samples" for each in harm])

    def _give_up(self, reasons: list[str]) -> None:
        self.state_ = "in vain"
        warn(
            f"margins are not evened out: {', '.join(reasons)}. The weights are those from before "
            "the control again, averaged if `averaging` is set. It may help to train longer before "
            "the control, or to have more samples in each group.",
            ControlWarning,
        )

    def _trusted(self, evaluator: GroupEvaluator, agrees: float = AGREES) -> bool:
        """Compare the cheap distance with that of "strong", and end the control if they differ."""
        module, quota = evaluator.module, max(CHECKED_ROWS // self.n_groups_, 10)
        some = replace(evaluator.training(quota, random_state=2), module=module)
        strong = self._cheap.strong(some)  # the same rows, whatever the number of starts
        while True:
            self.agreement_, self.ratio_ = self._cheap.agreement(some, strong)
            if self.agreement_ >= agrees and 1 / MEANS_WITHIN <= self.ratio_ <= MEANS_WITHIN:
                return True
            if self.state_ != "waiting" or 2 * self.starts_ > MOST_STARTS * self.n_starts:
                self._distrust(len(some.X), agrees)
                return False
            self.starts_ *= 2

    def _distrust(self, n: int, agrees: float) -> None:
        self.state_ = "distrusted"
        warn(
            "margins are not evened out: the distances that training steers by have a correlation "
            f"of {self.agreement_:.2f} with those of 'strong' on {n} training samples "
            f"(needed: {agrees}), and {self.ratio_:.2f} times their mean (needed: "
            f"{1 / MEANS_WITHIN:.2f} to {MEANS_WITHIN:.2f}). Training goes on, or ends, without. "
            "Raise n_starts.",
            ControlWarning,
        )

    @property
    def _cheap(self) -> CheapDistance:
        return CheapDistance(self.n_classes_, self.starts_, self.scale_)

    @property
    def _cells(self) -> Cells:
        return Cells(self.n_groups_, self.within_labels, self.sizes_, self._cheap)

    def _stride(self, step: Step) -> int:
        """Return after how many batches the term comes again: more, where a search costs more.

        In passes forward and back to the samples: one to the weights costs half as much again. But
        not so many that too few steps are left for the gain.
        """
        objective, search = step.attack.n_steps + 3, self._cheap.n_passes + 1.5
        enough = math.floor(GAIN_OF_STEP * step.n_batches / max(self.gain, 1.0))
        return max(STRIDE, min(math.ceil(search / (SHARE * objective)), enough))
