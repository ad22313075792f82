"""A torch module as affine layers, or as one affine map, where it is one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from robfair.adapters._foreign import is_half
from robfair.adapters._plain import is_plain
from robfair.models import Standardize

__all__ = ["AffineLayer", "affine_layers", "affine_map", "is_identity"]


@dataclass(frozen=True)
class AffineLayer:
    """An affine layer, and what is needed to bound the rounding of a pass through it.

    Attributes
    ----------
    weight : Tensor of shape (n_out, n_in), float64
        The matrix.
    bias : Tensor of shape (n_out,), float64
        What is added to the product.
    offset : Tensor of shape (n_out,), float64
        The sum of the absolute values whose sum is the bias, as the layer computes it.
    n_roundings : int
        How often a term of an output is rounded, at most, whatever the order of the sum.
    """

    weight: Tensor
    bias: Tensor
    offset: Tensor
    n_roundings: int


def affine_layers(module: nn.Module) -> list[AffineLayer] | None:
    """Write a module as affine layers, if it is affine in evaluation mode.

    An ``nn.Linear`` is, alone or in a (nested) Sequential with Flatten, Identity, Dropout,
    BatchNorm1d that tracks its statistics, and Standardize with a number per feature. A subclass,
    or a layer with a hook, is not, unless that changes nothing but the weights.

    Parameters
    ----------
    module : torch.nn.Module
        The module.

    Returns
    -------
    list of AffineLayer, at least one, or None
        The layers, in order; None if the module is not affine.
    """
    if is_half(module):  # it rounds too much for a closed form to hold
        return None
    layers: list[AffineLayer] = []
    for part in _flatten(module):
        if is_identity(part) or (is_plain(part, nn.Flatten) and part.start_dim == 1 and not layers):
            continue
        layer = _affine_layer(part)
        if layer is None:
            return None
        layers.append(layer)
    return layers or None


def affine_map(module: nn.Module) -> tuple[Tensor, Tensor] | None:
    """Write a module as one affine map, if it is affine in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
        The module; :func:`affine_layers` says which ones are affine.

    Returns
    -------
    tuple of (weight, bias), float64, of shapes (n_out, n_in) and (n_out,), or None
        The map; None if the module is not affine.
    """
    layers = affine_layers(module)
    if layers is None:
        return None
    weight, bias = layers[0].weight, layers[0].bias
    for layer in layers[1:]:
        weight, bias = layer.weight @ weight, layer.weight @ bias + layer.bias
    return weight, bias


def is_identity(module: nn.Module) -> bool:
    """Tell whether a module returns what it gets, in evaluation mode.

    Parameters
    ----------
    module : torch.nn.Module
        The module.

    Returns
    -------
    bool
        True for Identity and Dropout.
    """
    return is_plain(module, nn.Identity, nn.Dropout)


def _affine_layer(layer: nn.Module) -> AffineLayer | None:
    if is_plain(layer, nn.Linear):
        w = layer.weight.detach().double()
        b = torch.zeros(len(w)).to(w) if layer.bias is None else layer.bias.detach().double()
        return AffineLayer(w, b, b.abs(), w.shape[1] + 1)
    if is_plain(layer, nn.BatchNorm1d) and layer.running_mean is not None:
        scale = (layer.running_var.double() + layer.eps).rsqrt()  # type: ignore[union-attr]
        if layer.weight is not None:
            scale = scale * layer.weight.detach().double()
        shift = -layer.running_mean.double() * scale
        b = torch.zeros_like(shift) if layer.bias is None else layer.bias.detach().double()
        # Five for the scale, and a product and a sum for each of the two terms.
        return AffineLayer(torch.diag(scale), shift + b, shift.abs() + b.abs(), 9)
    if is_plain(layer, Standardize) and layer.mean.ndim == 1:
        scale = 1 / layer.scale.double()
        shift = -layer.mean.double() * scale
        return AffineLayer(torch.diag(scale), shift, shift.abs(), 2)
    return None


def _flatten(module: nn.Module) -> Iterator[nn.Module]:
    if is_plain(module, nn.Sequential):
        for part in module:
            yield from _flatten(part)
    else:
        yield module
