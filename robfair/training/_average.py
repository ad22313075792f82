"""The average of the weights over the steps of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from skorch import NeuralNet
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

from robfair._isolation import SEEDING, seed_generator

__all__ = ["Average", "update_normalisation"]


class Average:
    """Exponential moving average of the weights, with which the module ends up.

    The statistics of batch normalisation do not fit averaged weights: they are estimated anew, from
    the training samples without an attack.

    Parameters
    ----------
    decay : float
        Share of the average that a step leaves. The first steps leave less, ``(1 + n) / (10 + n)``
        after n steps, or a short run would end near the weights that it began with.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay

    def begin(self, module: nn.Module) -> None:
        """Begin with a copy of the module."""
        self.model_ = AveragedModel(module, multi_avg_fn=self._average)

    def _average(self, averaged: Any, current: Any, n: Any) -> None:
        decay = min(self.decay, float((1 + n) / (10 + n)))
        for mean, weights in zip(averaged, current, strict=True):
            if mean.is_floating_point():  # batch normalisation also counts batches
                mean.lerp_(weights, 1 - decay)

    @property
    def has_steps(self) -> bool:
        """True once a step has been averaged."""
        return bool(self.model_.n_averaged)

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Average the weights after a step."""
        self.model_.update_parameters(module)

    @torch.no_grad()
    def module(self, net: NeuralNet, arrays: dict[str, Any]) -> nn.Module:
        """Return the averaged module, its batch normalisation up to date with `arrays["X"]`.

        The next step averages it further.
        """
        module: nn.Module = self.model_.module
        update_normalisation(net, module, arrays)
        return module


def update_normalisation(net: NeuralNet, module: nn.Module, arrays: dict[str, Any]) -> None:
    """Estimate the statistics of the module's batch normalisation anew, with `arrays["X"]`."""
    with SEEDING:  # dropout draws
        seed_generator(0, torch.device(net.device))
        update_bn(_batches(net, arrays), module)


def _batches(net: NeuralNet, arrays: dict[str, Any]) -> Iterator[Tensor]:
    X = arrays["X"]
    if "weight" in arrays:
        X = X[arrays["weight"] > 0]  # those of weight 0 are left out of training
    for start in range(0, len(X), net.batch_size):
        yield torch.as_tensor(X[start : start + net.batch_size], device=net.device)
