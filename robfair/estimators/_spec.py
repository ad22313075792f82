"""The part of a fit in which the classifiers differ."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import nn

from robfair.estimators._samples import Samples
from robfair.training import Attack, GroupEvaluator, GroupPlan, Objective, Strategy

__all__ = ["TrainingSpec"]


@dataclass(frozen=True)
class TrainingSpec:
    """Describes a run of training; each classifier builds one in its `_training_spec`."""

    objective: Objective  # loss of a sample
    strategy: Strategy  # plan of each group
    attack: Attack  # with the threat model bound to the training data
    n_epochs: int
    eps: float = 0.0  # radius and weight of the robust loss from which the strategy starts
    beta: float = 0.0
    distance_method: str = "auto"  # of held-out samples
    fallback: Attack | None = None  # to go on with where a single step is overfitted to

    def plan(self, n_groups: int, device: torch.device) -> GroupPlan:
        """Build the plan from which the strategy starts."""
        return GroupPlan.uniform(n_groups, self.eps, self.beta, device)

    def evaluator(
        self, module: nn.Module, held_out: Samples, train: Samples, n_groups: int
    ) -> GroupEvaluator:
        """Build what measures the network, on held-out samples and on those to train on."""
        other = GroupEvaluator(
            module, train.X, train.y, train.groups, n_groups, method=self.distance_method,
            threat_model=self.attack.threat_model, eps=self.eps, norm=self.attack.norm,
        )  # fmt: skip
        return replace(other, X=held_out.X, y=held_out.y, groups=held_out.groups, train=other)
