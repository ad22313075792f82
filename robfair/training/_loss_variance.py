"""LossVariance: groups whose loss differs less, by a term of the loss."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from robfair.training._evaluator import GroupEvaluator
from robfair.training._objectives import Losses
from robfair.training._plan import GroupPlan
from robfair.training._strategies import Strategy

__all__ = ["LossVariance"]


class LossVariance(Strategy):
    r"""Add the variance of the groups' mean losses to the loss of each batch.

    The loss is :math:`\bar L + \alpha \mathrm{Var}_P(\bar L_P)`, with the mean loss
    :math:`\bar L_P` of the samples of group P in the batch, natural and robust together, as in
    "fairly adversarial training" [1]_. Its gradient is that of a weighted loss: a sample of group P
    counts :math:`1 + 2 \alpha (\bar L_P - \bar L) n / (G n_P)`, where the second :math:`\bar L` is
    the mean over the G groups in the batch. A weight below 0 would raise the loss of a group that
    is robust, and is 0 instead. No sample has to be held out, and there are no further passes.

    Parameters
    ----------
    alpha : float, default=1.0
        Weight of the variance. 0 is plain adversarial training.
    begin : int, default=0
        Epochs of plain adversarial training before.

    References
    ----------
    .. [1] X. Ma, Z. Wang, W. Liu, "On the Tradeoff Between Robustness and Fairness", NeurIPS 2022.

    Examples
    --------
    >>> from robfair import AdversarialClassifier
    >>> from robfair.datasets import make_group_margins
    >>> from robfair.training import LossVariance
    >>> data = make_group_margins(200, random_state=0)
    >>> clf = AdversarialClassifier(strategy=LossVariance(), max_epochs=3, random_state=0)
    >>> clf = clf.fit(data.X, data.y, groups=data.groups)
    """

    def __init__(self, alpha: float = 1.0, begin: int = 0) -> None:
        self.alpha = alpha
        self.begin = begin

    def start(self, plan: GroupPlan) -> GroupPlan:
        """Plan the first epoch; refuse an `alpha` that would drive groups apart."""
        if not 0 <= self.alpha < float("inf"):
            raise ValueError(f"alpha must be finite and not negative; got {self.alpha!r}.")
        return super().start(plan)

    def on_epoch(self, epoch: int, plan: GroupPlan, evaluator: GroupEvaluator | None) -> GroupPlan:
        """Name the phase."""
        return replace(plan, phase="variance") if epoch >= self.begin else plan

    def on_batch(self, plan: GroupPlan, losses: Losses, groups: Tensor) -> GroupPlan:
        """Weigh the groups of a batch by their mean losses."""
        if plan.phase != "variance":
            return plan
        total = losses.natural + losses.robust
        weight = torch.ones_like(total) if losses.weight is None else losses.weight.to(total)
        nothing = torch.zeros(plan.n_groups, dtype=total.dtype, device=total.device)
        size = nothing.index_add(0, groups, weight)
        present = size > 0
        mean = nothing.index_add(0, groups, weight * total) / size.where(present, 1)
        above = (mean - mean[present].mean()).where(present, 0)
        share = size.where(present, 1) * present.sum() / size.sum()  # G n_P / n
        weights = (1 + 2 * self.alpha * above / share).clamp(min=0)
        return replace(plan, natural_weight=weights, robust_weight=weights)
