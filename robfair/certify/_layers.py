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
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    nn.Conv3d: _convolution,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.ReLU: _activation("relu"),
    nn.LeakyReLU: _leaky,
    nn.Tanh: _activation("tanh"),
    nn.Sigmoid: lambda builder, value, layer: builder.sigmoid(value),
    nn.MaxPool2d: _pool,
    nn.AvgPool1d: _itself,
    nn.AvgPool2d: _itself,
    nn.AdaptiveAvgPool1d: _itself,
    nn.AdaptiveAvgPool2d: _itself,
    nn.Flatten: _itself,
    nn.Unflatten: _itself,
    nn.Identity: _keep,
    nn.Dropout: _keep,
    nn.Dropout1d: _keep,
    nn.Dropout2d: _keep,
    nn.Dropout3d: _keep,
    nn.AlphaDropout: _keep,
}


def _as_is(builder: Builder, function: Any, value: Affine, args: Any, kwargs: Any) -> Affine:
    return builder.linear(value, lambda v: function(v, *args, **kwargs))


def _reshape(builder: Builder, function: Any, value: Affine, args: Any, kwargs: Any) -> Affine:
    # The sizes are those of a batch of one, so the function cannot be called with other batches.
    shape = function(empty(value), *args, **kwargs).shape
    if shape[:1] != (1,):
        raise builder.unsupported("it must keep the first dimension, the samples")
    return builder.linear(value, lambda v: v.reshape(-1, *shape[1:]))


def _functional(kind: str) -> Callable[..., Affine]:
    return lambda builder, function, value, args, kwargs: builder.activation(value, kind)


def _functional_leaky(
    builder: Builder,
    function: Any,
    value: Affine,
    args: Any,
    kwargs: Any,
) -> Affine:
    return builder.activation(value, "relu", _leaky_slope(*args, **kwargs))


def _leaky_slope(negative_slope: float = 0.01, inplace: bool = False) -> float:
    return negative_slope


def _functional_pool(
    builder: Builder, function: Any, value: Affine, args: Any, kwargs: Any
) -> Affine:
    return _pool(builder, value, nn.MaxPool2d(*args, **kwargs))


def _functional_dropout(
    builder: Builder, function: Any, value: Affine, args: Any, kwargs: Any
) -> Affine:
    if _drops(*args, **kwargs):
        raise builder.unsupported("it is random, in evaluation mode too: pass self.training")
    return value


def _drops(p: float = 0.5, training: bool = True, inplace: bool = False) -> bool:
    return training and p > 0


OPERATIONS: dict[str, Callable[..., Affine]] = {
    "relu": _functional("relu"),
    "leaky_relu": _functional_leaky,
    "tanh": _functional("tanh"),
    "sigmoid": lambda builder, function, value, args, kwargs: builder.sigmoid(value),
    "max_pool2d": _functional_pool,
    "dropout": _functional_dropout,
    "avg_pool": _as_is,
    "mean": _as_is,
    "permute": _as_is,
    "transpose": _as_is,
    "flatten": _reshape,
    "reshape": _reshape,
    "view": _reshape,
    "squeeze": _reshape,
    "unsqueeze": _reshape,
    "contiguous": _reshape,
}

ARITHMETIC: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
}

FUNCTIONS: dict[Any, str] = {
    operator.add: "add",
    operator.iadd: "add",
    operator.sub: "sub",
    operator.isub: "sub",
    operator.mul: "mul",
    operator.imul: "mul",
    operator.truediv: "div",
    operator.itruediv: "div",
    operator.neg: "neg",
    torch.add: "add",
    torch.sub: "sub",
    torch.mul: "mul",
    torch.div: "div",
    torch.neg: "neg",
    torch.relu: "relu",
    F.relu: "relu",
    F.leaky_relu: "leaky_relu",
    torch.tanh: "tanh",
    F.tanh: "tanh",
    torch.sigmoid: "sigmoid",
    F.sigmoid: "sigmoid",
    F.max_pool2d: "max_pool2d",
    F.avg_pool2d: "avg_pool",
    F.adaptive_avg_pool2d: "avg_pool",
    F.dropout: "dropout",
    torch.flatten: "flatten",
    torch.reshape: "reshape",
    torch.squeeze: "squeeze",
    torch.unsqueeze: "unsqueeze",
    torch.permute: "permute",
    torch.transpose: "transpose",
    torch.mean: "mean",
}
