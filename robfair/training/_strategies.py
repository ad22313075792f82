"""Strategies: a plan for every group, which may change from epoch to epoch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from sklearn.base import BaseEstimator
from torch import Tensor

from robfair._group_means import below_the_mean
from robfair.training._evaluator import GroupEvaluator
from robfair.training._objectives import Losses

__all__ = ["Farmur", "GroupPlan", "Strategy"]

Reduction = Literal["subset", "batch"]


@dataclass(frozen=True)
class GroupPlan:
    """Radius, beta and weights by which each group is trained.

    Attributes
    ----------
    eps, beta, natural_weight, robust_weight : Tensor of shape (n_groups,)
        Radius of the attack, weight of the robust loss inside the objective, and weights of both
        losses. A group with ``eps = 0`` or ``beta = 0`` is not attacked, which saves its passes.
    reduction : {"batch", "subset"}
        "batch": the mean over the batch. "subset": the mean over the attacked samples plus the mean
        over the others (Eq. 11 of paper A, each expectation normalised by its own subset). Where
        samples have weights, means are weighted.
    phase : str
        Name of the phase of training, for the history.
    """

    eps: Tensor
    beta: Tensor
    natural_weight: Tensor
    robust_weight: Tensor
    reduction: Reduction = "batch"
    phase: str = "training"

    @classmethod
    def uniform(
        cls, n_groups: int, eps: float, beta: float, device: torch.device | None = None
    ) -> GroupPlan:
        """Build the plan that treats all groups alike, with tensors on `device`."""
        ones = torch.ones(n_groups, device=device)
        return cls(eps * ones, beta * ones, ones, ones)

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(self.eps)

    def __post_init__(self) -> None:
        for name in ("eps", "beta", "natural_weight", "robust_weight"):
            values = getattr(self, name)
            if not bool((torch.isfinite(values) & (values >= 0)).all()):
                raise ValueError(
                    f"a plan's {name} must be finite and not negative; got {values.tolist()}."
                )

    def reduce(self, losses: Losses, groups: Tensor) -> Tensor:
        """Loss of a batch from the losses of its samples."""
        total = (
            self.natural_weight[groups] * losses.natural
            + self.robust_weight[groups] * losses.robust
        )
        weight = losses.weight
        if self.reduction == "batch":
            return _mean(total, weight)
        parts = [rows for rows in (losses.attacked, ~losses.attacked) if bool(rows.any())]
        return torch.stack(
            [_mean(total[rows], None if weight is None else weight[rows]) for rows in parts]
        ).sum()


def _mean(values: Tensor, weight: Tensor | None) -> Tensor:
    return values.mean() if weight is None else (weight / weight.sum() * values).sum()


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

        Epochs count from 0. The evaluator gives Rob(P) of each group on held-out data, and is None
        unless the run holds samples out, as it does if `needs_held_out`.
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

    Attributes
    ----------
    robustness_ : ndarray of shape (n_groups,)
        Rob(P) on held-out data after these epochs.
    vulnerable_ : ndarray of bool, of shape (n_groups,)
        Whether each group is vulnerable.
    """

    needs_held_out = True

    def __init__(self, n_adversarial: int, reduction: Reduction = "subset") -> None:
        self.n_adversarial = n_adversarial
        self.reduction = reduction

    def start(self, plan: GroupPlan) -> GroupPlan:
        """Plan the first epoch: all groups are attacked."""
        return replace(super().start(plan), phase="adversarial")

    def on_epoch(self, epoch: int, plan: GroupPlan, evaluator: GroupEvaluator | None) -> GroupPlan:
        """Find the vulnerable groups when the warm-up is over."""
        if epoch != self.n_adversarial or evaluator is None:
            return plan
        self.robustness_ = evaluator.robustness()
        self.vulnerable_ = below_the_mean(self.robustness_)  # each group counts once
        vulnerable = torch.from_numpy(self.vulnerable_).to(plan.beta)
        return replace(
            plan, beta=plan.beta * vulnerable, reduction=self.reduction, phase="retraining"
        )

    def may_stop(self, epoch: int) -> bool:
        """Tell whether the groups have been evaluated: without retraining there is no FARMUR."""
        return epoch >= self.n_adversarial
