"""A plan: radius, beta, weights and share of the samples by which each group is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from robfair.training._objectives import Losses

__all__ = ["GroupPlan", "Reduction"]

Reduction = Literal["subset", "batch"]
BY_GROUP = ("eps", "beta", "natural_weight", "robust_weight")


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
    sampling : Tensor of shape (n_groups,) or None
        Probability of each group, up to a factor, with which the samples of an epoch are drawn
        (with replacement, and alike inside a group). None: an epoch has each sample once.
    """

    eps: Tensor
    beta: Tensor
    natural_weight: Tensor
    robust_weight: Tensor
    reduction: Reduction = "batch"
    phase: str = "training"
    sampling: Tensor | None = None

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
        for name in (*BY_GROUP, "sampling"):
            values = getattr(self, name)
            if values is None:
                continue
            if not bool((torch.isfinite(values) & (values >= 0)).all()):
                raise ValueError(
                    f"a plan's {name} must be finite and not negative; got {values.tolist()}."
                )
        if self.sampling is not None and not bool(self.sampling.any()):
            raise ValueError("a plan's sampling is 0 for all groups: nothing to train on.")

    def of(self, groups: Tensor) -> GroupPlan:
        """Return the plan of samples, given their groups: tensors with an entry per sample."""
        by_sample = {name: getattr(self, name)[groups] for name in BY_GROUP}
        return replace(self, **by_sample, sampling=None)

    def reduce(self, losses: Losses, groups: Tensor | None = None) -> Tensor:
        """Loss of a batch from the losses of its samples; `groups` unless the plan is of these."""
        plan = self if groups is None else self.of(groups)
        total = plan.natural_weight * losses.natural + plan.robust_weight * losses.robust
        weight = losses.weight
        if self.reduction == "batch":
            return _mean(total, weight)
        parts = [rows for rows in (losses.attacked, ~losses.attacked) if bool(rows.any())]
        return torch.stack(
            [_mean(total[rows], None if weight is None else weight[rows]) for rows in parts]
        ).sum()


def _mean(values: Tensor, weight: Tensor | None) -> Tensor:
    return values.mean() if weight is None else (weight / weight.sum() * values).sum()
