"""Sums and blends of the weights of a network."""

from __future__ import annotations

from torch import Tensor, nn

__all__ = ["add", "blend"]

Weights = dict[str, Tensor]


def add(sums: Weights | None, module: nn.Module) -> Weights:
    """Add the weights of a network, in double precision, to earlier sums."""
    weights = {name: value.double() for name, value in module.state_dict().items()}
    if sums is None:
        return weights
    return {name: value + weights[name] for name, value in sums.items()}


def blend(one: Weights, other: Weights, part: float) -> Weights:
    """Return `part` of the one and the rest of the other, in the types of the other."""
    return {
        name: (part * one[name] + (1 - part) * value.double()).to(value.dtype)
        for name, value in other.items()
    }
