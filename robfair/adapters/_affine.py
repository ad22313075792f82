"""A torch module as one affine map, where it is one."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from robfair.models import Standardize

__all__ = ["affine_map"]


def affine_map(module: nn.Module) -> tuple[Tensor, Tensor] | None:
    """Write a module as one affine map, if it is affine in evaluation mode.

    An ``nn.Linear`` is, alone or in a (nested) Sequential with Flatten, Identity, Dropout,
    BatchNorm1d that tracks its statistics, and Standardize with a number per feature.

    Parameters
    ----------
    module : torch.nn.Module
        The module.

    Returns
    -------
    tuple of (weight, bias), float64, of shapes (n_out, n_in) and (n_out,), or None
        The map; None if the module is not affine.
    """
    whole: tuple[Tensor, Tensor] | None = None  # of the layers so far, in order
    for layer in _flatten(module):
        if isinstance(layer, nn.Identity | nn.Dropout) or (
            isinstance(layer, nn.Flatten) and layer.start_dim == 1 and whole is None
        ):
            continue
        if type(layer) is nn.Linear:  # a subclass may compute something else
            w = layer.weight.detach().double()
            b = torch.zeros(len(w)).to(w) if layer.bias is None else layer.bias.detach().double()
        elif type(layer) is nn.BatchNorm1d and layer.running_mean is not None:
            scale = (layer.running_var.double() + layer.eps).rsqrt()  # type: ignore[union-attr]
            if layer.weight is not None:
                scale = scale * layer.weight.detach().double()
            w, b = torch.diag(scale), -layer.running_mean.double() * scale
            if layer.bias is not None:
                b = b + layer.bias.detach().double()
        elif type(layer) is Standardize and layer.mean.ndim == 1:
            w = torch.diag(1 / layer.scale.double())
            b = -layer.mean.double() / layer.scale.double()
        else:
            return None
        whole = (w, b) if whole is None else (w @ whole[0], w @ whole[1] + b)
    return whole


def _flatten(module: nn.Module) -> Iterator[nn.Module]:
    if type(module) is nn.Sequential:
        for part in module:
            yield from _flatten(part)
    else:
        yield module
