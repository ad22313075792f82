"""The average of the weights over the steps of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, update_bn

__all__ = ["Average"]


class Average(Callback):
    """Exponential moving average of the weights, which the module ends up with.

    Averages change the statistics that batch normalisation has gathered: they are taken again, from
    the training samples as they are.

    Parameters
    ----------
    decay : float
        Share of the average that a step leaves. The first steps leave less, ``(1 + n) / (10 + n)``
        after n steps, or a short run would end near the weights that it began with.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Begin with a copy of the module."""
        self.model_ = AveragedModel(net.module_, multi_avg_fn=self._average)

    def _average(self, averaged: Any, current: Any, n: Any) -> None:
        decay = min(self.decay, float((1 + n) / (10 + n)))
        for mean, weights in zip(averaged, current, strict=True):
            if mean.is_floating_point():
                mean.lerp_(weights, 1 - decay)

    @torch.no_grad()
    def on_batch_end(self, net: NeuralNet, training: bool = False, **kwargs: Any) -> None:
        """Take in the weights after a step."""
        if training:
            self.model_.update_parameters(net.module_)

    @torch.no_grad()
    def module(self, net: NeuralNet, arrays: dict[str, Any]) -> nn.Module:
        """Return the averaged module, its batch normalisation up to date.

        Parameters
        ----------
        net : NeuralNet
            The net that is being trained.
        arrays : dict of str to ndarray
            The training samples "X", with their "weight" if they have one.

        Returns
        -------
        torch.nn.Module
            The module; it is averaged further by the next step.
        """
        net.attack.noise.begin_batch(0, None, torch.device(net.device))  # for dropout
        update_bn(_batches(net, arrays), self.model_)
        module: nn.Module = self.model_.module
        return module

    def on_train_end(self, net: NeuralNet, X: Any = None, **kwargs: Any) -> None:
        """Give the average to the module."""
        if int(self.model_.n_averaged):
            net.module_.load_state_dict(self.module(net, X).state_dict())
        del self.model_  # or a copy of the weights would be pickled with the net

    def state(self) -> dict[str, Any]:
        """State that a run is resumed from."""
        return {"average": self.model_.state_dict()}

    def load_state(self, net: NeuralNet, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.model_.load_state_dict(state["average"])


def _batches(net: NeuralNet, arrays: dict[str, Any]) -> Iterator[Tensor]:
    X = arrays["X"]
    if "weight" in arrays:
        X = X[arrays["weight"] > 0]
    for start in range(0, len(X), net.batch_size):
        yield torch.as_tensor(X[start : start + net.batch_size], device=net.device)
