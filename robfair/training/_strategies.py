"""Strategies: a plan for every group, which may change from epoch to epoch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from robfair._group_means import below_the_mean
from robfair.training._evaluator import GroupEvaluator
from robfair.training._objectives import Losses
from robfair.training._plan import GroupPlan, Reduction
from robfair.training._step import EpochEnd, Step

__all__ = ["Farmur", "Strategy"]

# Of soft betas: how fast they follow a gap, the greatest factor, and samples of a group to judge.
GAIN, LARGEST, JUDGED_ROWS = 3.0, 2.0, 200


class Strategy(BaseEstimator):
    """The same plan for all groups, in all epochs: plain adversarial training.

    Subclass it for another strategy. Parameters are set in ``__init__`` as in any scikit-learn
    estimator; what is learnt goes into attributes that end in an underscore.

    Attributes
    ----------
    needs_held_out : bool
        Whether the strategy evaluates groups on held-out data.
    uniform_ : GroupPlan
        The plan that treats all groups alike, by the estimator's eps and beta.

    Examples
    --------
    A strategy that leaves out the attack for the first epochs:

    >>> from dataclasses import replace
    >>> from robfair.training import Strategy
    >>> class WarmUp(Strategy):
    ...     def __init__(self, n_natural=5):
    ...         self.n_natural = n_natural
    ...
    ...     def on_epoch(self, epoch, plan, evaluator):
    ...         if epoch < self.n_natural:
    ...             return replace(plan, beta=0 * plan.beta)
    ...         return self.uniform_
    """

    needs_held_out = False

    def start(self, plan: GroupPlan) -> GroupPlan:
        """Plan the first epoch, given the plan that treats all groups alike."""
        self.uniform_ = plan
        return plan

    def on_epoch(self, epoch: int, plan: GroupPlan, evaluator: GroupEvaluator | None) -> GroupPlan:
        """Return the plan from the epoch on that is about to begin, given the plan so far.

        Epochs count from 0. The evaluator measures the network: on held-out samples, which it has
        only if the run holds samples out (as it does if `needs_held_out`), and on training samples
        (``evaluator.training()``).
        """
        return plan

    def may_stop(self, epoch: int) -> bool:
        """Tell whether a run may end early after an epoch: not before the strategy is complete."""
        return True

    def state(self) -> dict[str, Any]:
        """Return all that was learnt, to resume a run: attributes that end in an underscore.

        They may be tensors, arrays, numbers and strings, and dicts and lists of them.
        """
        learnt = {name: value for name, value in vars(self).items() if name.endswith("_")}
        learnt.pop("uniform_", None)  # given anew to every run
        return learnt

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what an earlier run has learnt, as `state` has returned it."""
        self.__dict__.update(state)

    def on_batch(self, plan: GroupPlan, losses: Losses, groups: Tensor) -> GroupPlan:
        """Return the plan for a batch, given that of the epoch, its detached losses and groups.

        Only the weights and the reduction still matter, since the losses are already computed.
        """
        return plan

    def on_samples(self, plan: GroupPlan, groups: Tensor, rows: Tensor) -> GroupPlan:
        """Return the plan of each sample of a batch, before the attack: an entry per sample.

        `rows` are the places of the samples in the training data. A plan that `on_batch` changes
        takes its place.
        """
        return plan.of(groups)

    def penalty(self, step: Step) -> Tensor | None:
        """Return a term to add to the loss of the batch, with a gradient of its own; None: none."""
        return None

    def accepts_average(self, epoch: int) -> bool:
        """Tell whether the weights of this epoch are averaged, where the estimator averages.

        An average begins with the first epoch that is accepted, and later epochs may be left out.
        """
        return True

    def after_epoch(self, end: EpochEnd) -> None:
        """Look at the network after an epoch, or load other weights into it."""

    def final_weights(self) -> dict[str, Tensor] | None:
        """Return the state dict with which the run is to end; None: that of average or module.

        It is asked for at the end of the run, and by early stopping after each epoch.
        """
        return None

    def after_run(self, end: EpochEnd) -> None:
        """Look at the network that the run ends with, and let go of copies of networks.

        That is after the last epoch, or wherever early stopping or a callback has ended the run.
        """

    def record(self) -> dict[str, Any]:
        """Return numbers, or arrays of them, that the history keeps after each epoch, by name."""
        return {}


class Farmur(Strategy):
    """FARMUR (Algorithm 1 of paper A): attack only the vulnerable groups after a warm-up.

    After `n_adversarial` epochs of plain adversarial training, a group is vulnerable if
    ``Rob(P) < Rob(f)`` on held-out data (Def. 5; ties are robust). From then on the vulnerable
    groups have the robust objective (Eq. 9), the others the natural loss (Eq. 10).

    Parameters
    ----------
    n_adversarial : int
        Epochs before the groups are evaluated.
    reduction : {"subset", "batch"}, default="subset"
        The way in which the two expectations are added up (Eq. 11).
    soft_beta : bool, default=False
        True: no group loses its robust objective at once. Before every epoch of retraining the beta
        of a group becomes ``beta * clip(1 + 3 * (1 - Rob(P) / Rob(f)), 0, 2)``, with Rob(P) of at
        most 200 training samples of each group, and Rob(f) when retraining begins. The mean over
        the batch then takes the place of `reduction`.
    average : bool, default=False
        True: the network ends up with the mean of the weights after each epoch of the second half
        of retraining. Single epochs of it differ widely.

    Attributes
    ----------
    robustness_ : ndarray of shape (n_groups,)
        Rob(P) on held-out data after the first epochs.
    vulnerable_ : ndarray of bool, of shape (n_groups,)
        Whether each group is vulnerable.
    """

    needs_held_out = True

    def __init__(
        self,
        n_adversarial: int,
        reduction: Reduction = "subset",
        soft_beta: bool = False,
        average: bool = False,
    ) -> None:
        self.n_adversarial = n_adversarial
        self.reduction = reduction
        self.soft_beta = soft_beta
        self.average = average

    def start(self, plan: GroupPlan) -> GroupPlan:
        """Plan the first epoch: all groups are attacked."""
        self.averaged_: dict[str, Tensor] = {}
        self.n_averaged_ = 0
        return replace(super().start(plan), phase="adversarial")

    def on_epoch(self, epoch: int, plan: GroupPlan, evaluator: GroupEvaluator | None) -> GroupPlan:
        """Find the vulnerable groups when the warm-up is over."""
        if epoch < self.n_adversarial or evaluator is None:
            return plan
        if epoch == self.n_adversarial:
            self.robustness_ = evaluator.robustness()
            self.vulnerable_ = below_the_mean(self.robustness_)  # each group counts once
            vulnerable = torch.from_numpy(self.vulnerable_).to(plan.beta)
            plan = replace(
                plan, beta=plan.beta * vulnerable, reduction=self.reduction, phase="retraining"
            )
        return self._soften(plan, evaluator) if self.soft_beta else plan

    def _soften(self, plan: GroupPlan, evaluator: GroupEvaluator) -> GroupPlan:
        """Set the betas by Rob(P) of training samples: held-out ones are few, and judged often."""
        robustness = evaluator.training(JUDGED_ROWS).robustness()
        if not hasattr(self, "target_"):
            self.target_ = float(robustness.mean())
        if self.target_ == 0:  # a constant classifier: nothing to tell groups apart by
            return replace(plan, beta=self.uniform_.beta, reduction="batch")
        factors = np.clip(1 + GAIN * (1 - robustness / self.target_), 0, LARGEST)
        beta = self.uniform_.beta * torch.from_numpy(factors).to(plan.beta)
        return replace(plan, beta=beta, reduction="batch")

    def after_epoch(self, end: EpochEnd) -> None:
        """Average the weights over the second half of retraining."""
        first = self.n_adversarial + (end.n_epochs - self.n_adversarial) // 2
        if not self.average or end.epoch < first:
            return
        self.n_averaged_ += 1
        for name, value in end.module.state_dict().items():
            mean = self.averaged_.setdefault(name, value.clone())
            if mean.is_floating_point():
                mean.lerp_(value, 1 / self.n_averaged_)
            else:  # batch normalisation counts batches
                mean.copy_(value)

    def final_weights(self) -> dict[str, Tensor] | None:
        """Return the average, if there is one."""
        return self.averaged_ or None

    def after_run(self, end: EpochEnd) -> None:
        """Let go of the average, which the network has now."""
        self.averaged_ = {}

    def may_stop(self, epoch: int) -> bool:
        """Tell whether the groups have been evaluated: without retraining there is no FARMUR."""
        return epoch >= self.n_adversarial
