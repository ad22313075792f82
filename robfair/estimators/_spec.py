"""The part of a fit in which the classifiers differ."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from robfair.estimators._samples import Samples
from robfair.training import Attack, GroupEvaluator, GroupPlan, Objective, Strategy

__all__ = ["TrainingSpec"]


@dataclass(frozen=True)
class TrainingSpec:
    """Describes a run of training; each classifier builds one in its `_training_spec`.

    Attributes
    ----------
    objective : Objective
        Loss of a sample.
    strategy : Strategy
        Plan of each group.
    attack : Attack
        The inner maximisation, with the threat model bound to the training data.
    n_epochs : int
        Epochs of the whole run.
    eps, beta : float, default=0
        Radius of the attack and weight of the robust loss, from which the strategy starts.
    distance_method : str, default="auto"
        Method by which distances of held-out samples are measured.
    fallback : Attack or None, default=None
        Attack to go on with if a single step is overfitted to. None: the run needs no guard.
    """

    objective: Objective
    strategy: Strategy
    attack: Attack
    n_epochs: int
    eps: float = 0.0
    beta: float = 0.0
    distance_method: str = "auto"
    fallback: Attack | None = None

    def plan(self, n_groups: int, device: torch.device) -> GroupPlan:
        """Build the plan from which the strategy starts."""
        return GroupPlan.uniform(n_groups, self.eps, self.beta, device)

    def evaluator(self, module: nn.Module, held_out: Samples, n_groups: int) -> GroupEvaluator:
        """Build what measures the network on held-out samples."""
        return GroupEvaluator(
            module,
            held_out.X,
            held_out.y,
            held_out.groups,
            n_groups,
            method=self.distance_method,
            threat_model=self.attack.threat_model,
            eps=self.eps,
            norm=self.attack.norm,
        )
