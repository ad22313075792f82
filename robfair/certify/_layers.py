"""The modules and operations that certification supports, each as a change of an `Affine`."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from robfair.certify._affine import Affine, Builder, empty, pair

__all__ = ["ARITHMETIC", "FUNCTIONS", "MODULES", "OPERATIONS"]


def _activation(kind: str) -> Callable[..., Affine]:
    return lambda builder, value, layer: builder.activation(value, kind)


def _keep(builder: Builder, value: Affine, layer: nn.Module) -> Affine:
    return value


def _itself(builder: Builder, value: Affine, layer: nn.Module) -> Affine:
    return builder.linear(value, layer)


def _dense(builder: Builder, value: Affine, layer: nn.Linear) -> Affine:
    return builder.linear(value, lambda v: F.linear(v, layer.weight), layer.bias)


def _convolution(builder: Builder, value: Affine, layer: nn.Conv1d | nn.Conv2d) -> Affine:
    if len(value.shape) != layer.weight.ndim - 1:
        raise builder.unsupported(f"it gets a sample of shape {value.shape}, without channels")
    zero = layer(empty(value).zero_())
    bias = zero[0]  # the output for an input of 0, whatever the padding
    return builder.linear(value, lambda v: layer(v) - zero, bias)


def _batch_norm(builder: Builder, value: Affine, layer: nn.BatchNorm1d | nn.BatchNorm2d) -> Affine:
    if layer.running_mean is None or layer.running_var is None:
        raise builder.unsupported("without running statistics its output depends on the batch")
    scale = (layer.running_var + layer.eps).rsqrt()
    scale = scale if layer.weight is None else scale * layer.weight
    shift = -layer.running_mean * scale
    shift = shift if layer.bias is None else shift + layer.bias
    column = (-1, *[1] * (len(value.shape) - 1))
    scale, shift = scale.reshape(column), shift.reshape(column)
    return builder.linear(value, lambda v: v * scale, shift)


def _leaky(builder: Builder, value: Affine, layer: nn.LeakyReLU) -> Affine:
    return builder.activation(value, "relu", layer.negative_slope)


def _pool(builder: Builder, value: Affine, layer: nn.MaxPool2d) -> Affine:
    plain = pair(layer.dilation) == (1, 1) and not (layer.ceil_mode or layer.return_indices)
    return builder.max_pool(value, layer.kernel_size, layer.stride, layer.padding, plain)


MODULES: dict[type[nn.Module], Callable[..., Affine]] = {
    nn.Linear: _dense,
    **dict.fromkeys((nn.Conv1d, nn.Conv2d, nn.Conv3d), _convolution),
    **dict.fromkeys((nn.BatchNorm1d, nn.BatchNorm2d), _batch_norm),
    nn.ReLU: _activation("relu"),
    nn.LeakyReLU: _leaky,
    nn.Tanh: _activation("tanh"),
    nn.Sigmoid: lambda builder, value, layer: builder.sigmoid(value),
    nn.MaxPool2d: _pool,
    **dict.fromkeys((nn.AvgPool1d, nn.AvgPool2d), _itself),
    **dict.fromkeys((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d), _itself),
    **dict.fromkeys((nn.Flatten, nn.Unflatten), _itself),
    # In evaluation mode, in which the module is traced.
    **dict.fromkeys((nn.Identity, nn.Dropout, nn.Dropout1d, nn.Dropout2d), _keep),
    **dict.fromkeys((nn.Dropout3d, nn.AlphaDropout), _keep),
}


# An operation takes the builder, the function, the value, and what the function takes besides.
def _as_is(builder: Builder, function: Any, value: Affine, *args: Any, **kwargs: Any) -> Affine:
    return builder.linear(value, lambda v: function(v, *args, **kwargs))


def _reshape(builder: Builder, function: Any, value: Affine, *args: Any, **kwargs: Any) -> Affine:
    # The sizes are those of a batch of one, so the function cannot be called with other batches.
    shape = function(empty(value), *args, **kwargs).shape
    if shape[:1] != (1,):
        raise builder.unsupported("it must keep the first dimension, the samples")
    return builder.linear(value, lambda v: v.reshape(-1, *shape[1:]))


def _functional(kind: str) -> Callable[..., Affine]:
    return lambda builder, function, value, *args, **kwargs: builder.activation(value, kind)


def _as_module(build: Callable[..., Affine], kind: type[nn.Module]) -> Callable[..., Affine]:
    # The module has the options of the function, by the same names.
    return lambda builder, function, value, *args, **kwargs: build(
        builder, value, kind(*args, **kwargs)
    )


def _dropout(
    builder: Builder,
    function: Any,
    value: Affine,
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> Affine:
    if training and p > 0:
        raise builder.unsupported("it is random, in evaluation mode too: pass self.training")
    return value


OPERATIONS: dict[str, Callable[..., Affine]] = {
    "relu": _functional("relu"),
    "leaky_relu": _as_module(_leaky, nn.LeakyReLU),
    "tanh": _functional("tanh"),
    "sigmoid": lambda builder, function, value: builder.sigmoid(value),
    "max_pool2d": _as_module(_pool, nn.MaxPool2d),
    "dropout": _dropout,
    **dict.fromkeys(("avg_pool", "mean", "permute", "transpose"), _as_is),
    **dict.fromkeys(("flatten", "reshape", "view"), _reshape),
    **dict.fromkeys(("squeeze", "unsqueeze", "contiguous"), _reshape),
}

ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
}

_NAMES: dict[str, tuple[Any, ...]] = {
    "add": (operator.add, operator.iadd, torch.add),
    "sub": (operator.sub, operator.isub, torch.sub),
    "mul": (operator.mul, operator.imul, torch.mul),
    "div": (operator.truediv, operator.itruediv, torch.div),
    "neg": (operator.neg, torch.neg),
    "relu": (torch.relu, F.relu),
    "leaky_relu": (F.leaky_relu,),
    "tanh": (torch.tanh, F.tanh),
    "sigmoid": (torch.sigmoid, F.sigmoid),
    "max_pool2d": (F.max_pool2d,),
    "avg_pool": (F.avg_pool2d, F.adaptive_avg_pool2d),
    "dropout": (F.dropout,),
}
FUNCTIONS: dict[Any, str] = {f: name for name, functions in _NAMES.items() for f in functions}
FUNCTIONS |= {f: f.__name__ for f in (torch.flatten, torch.reshape, torch.squeeze)}
FUNCTIONS |= {f: f.__name__ for f in (torch.unsqueeze, torch.permute, torch.transpose, torch.mean)}
