"""Training in bfloat16, at half the time on processors that multiply it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from robfair.training import Attack, Losses, Objective

__all__ = ["Bfloat16"]


class Bfloat16:
    """An objective whose passes, those of the attack included, run in bfloat16.

    Weights, losses and steps stay in float32, as `torch.autocast` has it. Only the objective is
    concerned: groups are judged, margins controlled and distances measured in float32.

    The start of the attack of TRADES, 0.001 from the sample, is too near for bfloat16 to tell apart
    at a network that has learnt nothing: let it begin with a natural one.

    Parameters
    ----------
    objective : Objective
        Gives the losses.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def __call__(
        self, module: nn.Module, X: Tensor, y: Tensor, eps: Tensor, beta: Tensor, attack: Attack
    ) -> Losses:
        """Return the losses of a batch of images."""
        return self.objective(_Autocast(module), X, y, eps, beta, attack)


class _Autocast(nn.Module):
    """The same network of images, with logits in float32 again."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.training = module.training

    def forward(self, X: Tensor) -> Tensor:
        # Convolutions of few channels are faster where the channels of a pixel lie together.
        X = X.contiguous(memory_format=torch.channels_last)
        with torch.autocast(X.device.type, dtype=torch.bfloat16):
            logits: Tensor = self.module(X)
        return logits.float()
