"""The average of the weights over the steps of a run."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

__all__ = ["Average"]


class Average:
    """Exponential moving average of the weights, with which the module ends up.

    Statistics of batch normalisation are averaged like weights [1]_: to first order they are those
    of the averaged weights. To estimate them anew one would need the samples as the network saw
    them in training: augmented, as its objective may do it, and attacked.

    Parameters
    ----------
    decay : float
        Share of the average that a step leaves. The first steps leave less, ``(1 + n) / (10 + n)``
        after n steps, or a short run would end near the weights that it began with.

    References
    ----------
    .. [1] Cai, Z. et al. (2021). Exponential Moving Average Normalization for Self-supervised and
       Semi-supervised Learning. CVPR.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay

    def begin(self, module: nn.Module) -> None:
        """Begin with a copy of the module."""
        self.model_ = AveragedModel(module, multi_avg_fn=self._average, use_buffers=True)

    def _average(self, averaged: Any, current: Any, n: Any) -> None:
        decay = min(self.decay, float((1 + n) / (10 + n)))
        for mean, value in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:  # batch normalisation counts batches
                mean.copy_(value)

    @property
    def has_steps(self) -> bool:
        """True once a step has been averaged."""
        return bool(self.model_.n_averaged)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Average the weights after a step."""
        self.model_.update_parameters(module)

    @property
    def module(self) -> nn.Module:
        """The averaged module, which the next step averages further."""
        return self.model_.module
