"""Published strategies that robfair does not have, as docs/guide/strategies.md writes them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robfair.training import GroupPlan, Losses, Strategy

__all__ = ["Faal", "GroupDro"]


def group_means(values: Tensor, groups: Tensor, n_groups: int) -> tuple[Tensor, Tensor]:
    """Return the mean of each group in the batch, 0 where it has no sample, and the sizes."""
    size = torch.bincount(groups, minlength=n_groups)
    return torch.bincount(groups, weights=values, minlength=n_groups) / size.clamp(min=1), size


class GroupDro(Strategy):
    """Weights of the groups follow their losses (Sagawa et al., ICLR 2020)."""

    needs_held_out = True  # as the other methods have it

    def __init__(self, rate: float = 0.01) -> None:
        self.rate = rate

    def start(self, plan: GroupPlan) -> GroupPlan:
        """Begin with equal weights."""
        self.q_ = torch.ones(plan.n_groups) / plan.n_groups
        return super().start(plan)

    def on_batch(self, plan: GroupPlan, losses: Losses, groups: Tensor) -> GroupPlan:
        """Raise the weights of groups of a great loss."""
        mean, size = group_means(losses.natural + losses.robust, groups, plan.n_groups)
        self.q_ = self.q_ * torch.exp(self.rate * mean)
        self.q_ = self.q_ / self.q_.sum()
        weight = self.q_ * len(groups) / size.clamp(min=1)
        return replace(plan, natural_weight=weight, robust_weight=weight)


def worst_mixture(loss: NDArray[np.float64], r: float) -> NDArray[np.float64]:
    """Return the mixture p of groups of the greatest loss among those with KL(uniform, p) <= r."""
    top, uniform = loss.max(), np.full(len(loss), 1 / len(loss))
    if len(loss) < 2 or np.ptp(loss) < 1e-9:
        return uniform

    def mixture(gap: float) -> NDArray[np.float64]:
        p: NDArray[np.float64] = 1 / (top + gap - loss)
        return p / p.sum()

    low, high = 1e-9, 1e9
    for _ in range(100):
        middle = float(np.sqrt(low * high))
        divergence = -np.log(len(loss) * mixture(middle)).mean()
        low, high = (middle, high) if divergence > r else (low, middle)
    return mixture(high)


class Faal(Strategy):
    """Weights of the groups of a batch are the worst ones near equal ones (CVPR 2024)."""

    needs_held_out = True

    def __init__(self, r: float = 0.1) -> None:
        self.r = r

    def on_batch(self, plan: GroupPlan, losses: Losses, groups: Tensor) -> GroupPlan:
        """Weigh the groups of a batch by its worst mixture."""
        mean, size = group_means(losses.natural + losses.robust, groups, plan.n_groups)
        present = (size > 0).numpy()
        p = np.zeros(plan.n_groups)
        p[present] = worst_mixture(mean[present].double().numpy(), self.r)
        weight = torch.from_numpy(p).to(plan.eps) * len(groups) / size.clamp(min=1)
        return replace(plan, natural_weight=weight, robust_weight=weight)
