"""A small ReLU network as a list of affine maps in float64, with a ReLU between each two."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from robfair.adapters import affine_map
from robfair.distance._arrays import Array
from robfair.distance.exact._linear import two_logits

__all__ = ["relu_layers"]


def relu_layers(module: nn.Module) -> list[tuple[Array, Array]]:
    """Write a module in evaluation mode as affine maps with a ReLU between each two.

    Parameters
    ----------
    module : torch.nn.Module
        Linear, ReLU, Flatten, Identity, Dropout and BatchNorm1d, alone or in a (nested) Sequential.
        BatchNorm1d must track its statistics; it becomes part of an affine map.

    Returns
    -------
    list of tuple (weight, bias) of ndarrays, float64
        Of shapes (n_out, n_in) and (n_out,). The last map returns at least two logits: for a module
        with one output s, these are (0, s).

    Raises
    ------
    ValueError
        If the module has another layer, or no affine layer before its first ReLU.
    """
    segments: list[list[nn.Module]] = [[]]
    for name, layer in _named_layers(module):
        if isinstance(layer, nn.Identity | nn.Dropout) or (
            isinstance(layer, nn.Flatten) and layer.start_dim == 1 and not segments[-1]
        ):
            continue
        if type(layer) is nn.ReLU and segments[0]:
            segments.append([])
        elif affine_map(layer) is not None:
            segments[-1].append(layer)
        else:
            raise ValueError(
                f'method="exact" does not support layer {name}, {layer}, where it stands. '
                "Supported: Linear, ReLU, Flatten (first), Identity, Dropout and BatchNorm1d with "
                "running statistics, in a Sequential that starts with an affine layer. Use "
                'method="auto".'
            )
    maps = [affine_map(nn.Sequential(*segment)) for segment in segments if segment]
    layers = [(w.cpu(), b.cpu()) for w, b in filter(None, maps)]
    if not layers:
        raise ValueError('method="exact" needs a module with at least one Linear layer.')
    if not segments[-1]:  # it ends in a ReLU
        n_out = len(layers[-1][1])
        layers.append((torch.eye(n_out).double(), torch.zeros(n_out).double()))
    layers[-1] = two_logits(layers[-1])
    return [(weight.numpy(), bias.numpy()) for weight, bias in layers]


def _named_layers(module: nn.Module, name: str = "") -> Iterator[tuple[str, nn.Module]]:
    if type(module) is nn.Sequential:
        for part, child in module.named_children():
            yield from _named_layers(child, f"{name}.{part}" if name else part)
    else:
        yield name or "0", module
