"""By how much the optimiser changes a quantity, to first order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

__all__ = ["first_order_response", "mean_response"]

# Under which name optimisers keep the mean square of a gradient: Adam and its kind, RMSprop.
MEAN_SQUARES = ("exp_avg_sq", "square_avg")


def first_order_response(
    values: Sequence[Tensor], optimizer: Optimizer, *, n_steps: int
) -> list[float]:
    """Return the change of each value in `n_steps` steps on it alone, per unit of its coefficient.

    A step by the gradient g moves a weight by ``lr * scale * g``: for Adam, `scale` is one over the
    root of the mean square of past gradients, which a term that is added does not change at first;
    for SGD, one over (1 - momentum). So the value changes by ``lr * scale * g ** 2``, over all
    weights.
    """
    groups = [
        (group, [p for p in group["params"] if p.requires_grad]) for group in optimizer.param_groups
    ]
    weights = [p for _, params in groups for p in params]
    responses = []
    for value in values:
        gradients = iter(
            torch.autograd.grad(value, weights, retain_graph=True, materialize_grads=True)
        )
        total = 0.0
        for group, params in groups:
            total += (
                n_steps * float(group["lr"]) * sum(_squares(optimizer, group, params, gradients))
            )
        responses.append(total)
    return responses


def mean_response(
    values: Sequence[Tensor], share: NDArray[np.float64], optimizer: Optimizer, *, n_steps: int
) -> float:
    """Return the geometric mean of the responses of groups that have such shares of a batch."""
    responses = np.array(first_order_response(values, optimizer, n_steps=n_steps)) * share
    return float(np.exp(np.log(np.maximum(responses, 1e-9)).mean()))


def _squares(
    optimizer: Optimizer,
    group: dict[str, Any],
    params: list[nn.Parameter],
    gradients: Iterable[Tensor],
) -> list[float]:
    return [
        float((gradient**2 * _scale(optimizer.state.get(p, {}), group, gradient)).sum())
        for p, gradient in zip(params, gradients, strict=False)
    ]


def _scale(state: dict[str, Any], group: dict[str, Any], gradient: Tensor) -> Tensor | float:
    eps = float(group.get("eps", 1e-8))
    for name in MEAN_SQUARES:
        if name in state:
            square = state[name]
            if "betas" in group:
                square = square / (1 - group["betas"][1] ** float(state["step"]))
            return torch.reciprocal(square.sqrt() + eps)
    if "betas" in group or "alpha" in group:  # has not made a step: the first one is lr long
        return torch.reciprocal(gradient.abs() + eps)
    return 1 / (1 - float(group.get("momentum", 0.0)))
