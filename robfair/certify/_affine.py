"""Values of a network as affine functions of its sample and of its nonlinear layers' outputs.

A `Builder` applies one operation after the other to such values. Two identities keep the
nonlinearities few: sigmoid(z) = (1 + tanh(z / 2)) / 2, and max(a, b) = a + relu(b - a), which makes
maximum pooling a tournament. The latter is also tight: neighbours in an image move together, so the
difference of two has much tighter bounds than either of them. For L-inf
the maximum of pieces that are affine in the sample, as in the first pooling, is a layer instead.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

__all__ = ["Affine", "Builder", "Layer", "TracedNetwork", "UnsupportedLayer", "empty", "pair"]

CHUNK = 2**22  # numbers in a dense batch of unit vectors
PIECES = 9  # of a maximum, at most; ...
PATCHES = 2**22  # ... and at most so many weights of all pieces. Beyond, maxima are tournaments.


class UnsupportedLayer(ValueError):
    """A layer or an operation of the module is not supported by certification."""


@dataclass(frozen=True, eq=False)
class Affine:
    """A value in the network: an affine function of the sample and of earlier activations."""

    # Sparse matrix of each source: 0 is the sample, j the j-th nonlinear layer, counted from 1.
    terms: dict[int, Any]
    bias: NDArray[np.float64]  # (size,)
    shape: tuple[int, ...]  # of one sample

    def through(self, matrix: Any, bias: NDArray[np.float64], shape: tuple[int, ...]) -> Affine:
        """Apply another affine map."""
        terms = {source: _clean(matrix @ term) for source, term in self.terms.items()}
        return Affine(terms, matrix @ self.bias + bias, shape)

    def plus(self, other: Affine, sign: float = 1) -> Affine:
        """Add `other`, or subtract it. Raises UnsupportedLayer if the shapes differ."""
        if self.shape != other.shape:
            raise UnsupportedLayer(
                f"a sum of values of shapes {self.shape} and {other.shape}: certification has no "
                "broadcasting between values."
            )
        terms = dict(self.terms)
        for source, term in other.terms.items():
            terms[source] = _clean(terms[source] + sign * term) if source in terms else sign * term
        return Affine(terms, self.bias + sign * other.bias, self.shape)


@dataclass(frozen=True, eq=False)
class Layer:
    """An elementwise nonlinear layer, or the maxima of as many pieces each."""

    kind: str  # "relu", "tanh" or "max"
    slope: float  # of a leaky ReLU below 0
    inputs: Affine  # of maxima: the first piece of each, the second of each, ...
    pieces: int = 1
    rectified: bool = False  # whether maxima have a further piece that is 0

    def __call__(self, z: Tensor) -> Tensor:
        if self.kind == "max":
            greatest = z.reshape(self.pieces, -1, *z.shape[1:]).amax(dim=0)
            return greatest.clamp(min=0) if self.rectified else greatest
        return torch.tanh(z) if self.kind == "tanh" else torch.where(z > 0, z, self.slope * z)


@dataclass(frozen=True, eq=False)
class TracedNetwork:
    """A module as nonlinear layers and an affine output.

    Attributes
    ----------
    layers : list of Layer
        The nonlinear layers, in their order.
    output : Affine
        What is made of them and of the input.
    """

    layers: list[Layer]
    output: Affine


def _clean(matrix: Any) -> Any:
    matrix = sparse.csr_array(matrix)
    matrix.eliminate_zeros()  # an entry kept at 0 would make a neuron depend on a source
    return matrix


class Builder:
    """Applies operations to values, and collects the nonlinear layers.

    Its methods raise UnsupportedLayer if bounds cannot follow an operation. With `maxima`, maxima
    of values that are affine in the sample are layers, not tournaments.
    """

    def __init__(self, maxima: bool = False) -> None:
        self.maxima = maxima
        self.layers: list[Layer] = []
        self.where = ""  # the layer or operation being built, for errors
        self._activated: list[tuple[Affine, Layer]] = []  # for max_pool

    def unsupported(self, why: str = "") -> UnsupportedLayer:
        """Return the error for the layer or operation being built."""
        because = f": {why}" if why else ""
        return UnsupportedLayer(
            f"certified distances do not support {self.where}{because}. Supported are Linear, "
            "Conv1d to 3d, BatchNorm, average and maximum pooling, ReLU, LeakyReLU, Tanh, Sigmoid, "
            "Dropout, Flatten, reshaping, sums of values, and arithmetic with constants."
        )

    def linear(
        self, value: Affine, function: Callable[[Tensor], Tensor], bias: Tensor | None = None
    ) -> Affine:
        """Apply a linear function of batches, and add a bias that broadcasts to its result.

        The columns of its matrix are the images of the unit vectors.
        """
        size = math.prod(value.shape)
        zero = function(torch.zeros(1, *value.shape, dtype=torch.float64))
        shape = zero.shape[1:]
        if zero.shape[:1] != (1,):
            raise self.unsupported("it mixes samples")
        step = max(1, CHUNK // max(size, zero.numel(), 1))
        blocks = []
        for start in range(0, size, step):  # all unit vectors of an image at once fill the memory
            units = torch.zeros(min(step, size - start), size, dtype=torch.float64)
            units[:, start:].fill_diagonal_(1)
            out = function(units.reshape(-1, *value.shape))
            if out.shape != (len(units), *shape):
                raise self.unsupported("it mixes samples")
            blocks.append(sparse.csr_array(out.reshape(len(units), -1).numpy()))
        constant = torch.zeros(shape, dtype=torch.float64)
        if bias is not None:
            constant = constant + bias
        if constant.shape != shape:
            raise self.unsupported(f"a constant makes shape {tuple(constant.shape)} of {shape}")
        matrix = sparse.vstack(blocks).T.tocsr()
        return value.through(matrix, constant.reshape(-1).numpy(), tuple(shape))

    def activation(self, value: Affine, kind: str, slope: float = 0.0) -> Affine:
        """Add a nonlinear layer."""
        if not 0 <= slope <= 1:
            raise self.unsupported(f"its slope must be in [0, 1], and it is {slope}")
        layer = self._made(value)
        if kind == "relu" and slope == 0 and layer is not None and layer.kind == "max":
            return self._add(replace(layer, rectified=True), value.shape)
        return self._add(Layer(kind, slope, value), value.shape)

    def _add(self, layer: Layer, shape: tuple[int, ...]) -> Affine:
        """Add a layer; return its output."""
        self.layers.append(layer)
        size = math.prod(shape)
        identity = {len(self.layers): sparse.eye_array(size, format="csr")}
        result = Affine(identity, np.zeros(size), shape)
        self._activated.append((result, layer))
        return result

    def _made(self, value: Affine) -> Layer | None:
        """Return the layer that a value is the output of."""
        return next((layer for result, layer in self._activated if result is value), None)

    def sigmoid(self, value: Affine) -> Affine:
        """Add a sigmoid, as a tanh."""
        half = torch.full(value.shape, 0.5, dtype=torch.float64)
        inner = self.activation(self.linear(value, lambda v: 0.5 * v), "tanh")
        return self.linear(inner, lambda v: 0.5 * v, half)

    def maximum(self, first: Affine, second: Affine) -> Affine:
        """Add the greater of two values."""
        return first.plus(self.activation(second.plus(first, -1), "relu"))

    def max_pool(
        self, value: Affine, kernel: Any, stride: Any, padding: Any, plain: bool
    ) -> Affine:
        """Add a maximum over windows, a tournament along one axis and then along the other."""
        if not plain or len(value.shape) != 3:
            raise self.unsupported(
                "maximum pooling is supported for images, without dilation, ceil_mode and indices"
            )
        layer = self._made(value)
        if layer is not None and layer.kind != "max":
            # The maximum of increasing functions is the function of the maximum: one nonlinear
            # layer on the pooled image, instead of a relaxed one under each window.
            pooled = self.max_pool(layer.inputs, kernel, stride, padding, plain)
            return self.activation(pooled, layer.kind, layer.slope)
        kernel, padding = pair(kernel), pair(padding)
        stride = kernel if stride in (None, [], ()) else pair(stride)
        if any(padding):
            # The outermost pixel stands in for the padding: it is in every window that sees it.
            pad = (padding[1], padding[1], padding[0], padding[0])
            value = self.linear(value, lambda v: F.pad(v, pad, mode="replicate"))
        counts = [(value.shape[k] - kernel[k - 1]) // stride[k - 1] + 1 for k in (1, 2)]
        if min(counts) < 1:
            raise self.unsupported("its window is larger than the image")
        slices = [
            [_every(k + 1, offset, stride[k - 1], counts[k - 1]) for offset in range(kernel[k - 1])]
            for k in (1, 2)
        ]
        if self.maxima and set(value.terms) == {0} and math.prod(kernel) <= PIECES:
            pieces = [
                self.linear(self.linear(value, row), c) for row in slices[0] for c in slices[1]
            ]
            layer = _maxima(pieces)
            if layer.inputs.terms[0].nnz * len(pieces) <= PATCHES:
                return self._add(layer, pieces[0].shape)
        for functions in slices:
            parts = [self.linear(value, function) for function in functions]
            while len(parts) > 1:
                pairs = zip(parts[::2], parts[1::2], strict=False)
                parts = [*(self.maximum(*pair) for pair in pairs), *parts[len(parts) // 2 * 2 :]]
            value = parts[0]
        return value

    def arithmetic(self, function: Callable[..., Any], args: Any, kwargs: Any) -> Affine:
        """Add, subtract, negate, or multiply or divide by a constant."""
        if kwargs or len(args) > 2:
            raise self.unsupported("it has options or more than two operands")
        if len(args) == 1:
            return self.linear(args[0], operator.neg)
        first, second = args
        additive = function in (operator.add, operator.sub)
        if isinstance(first, Affine) and isinstance(second, Affine):
            if not additive:
                raise self.unsupported("it multiplies or divides two values")
            return first.plus(second, 1 if function is operator.add else -1)
        if isinstance(first, Affine):
            if not additive:
                return self.linear(first, lambda v: function(v, second))
            return self.linear(first, operator.pos, function(torch.zeros(()).double(), second))
        if function is operator.truediv:
            raise self.unsupported("it divides by a value that depends on the sample")
        if not additive:
            return self.linear(second, lambda v: function(first, v))
        sign = operator.pos if function is operator.add else operator.neg
        return self.linear(second, sign, function(first, torch.zeros(()).double()))


def _maxima(pieces: list[Affine]) -> Layer:
    """Return the layer of the greatest of some values that depend on the sample alone."""
    terms = {0: sparse.vstack([piece.terms[0] for piece in pieces], format="csr")}
    bias = np.concatenate([piece.bias for piece in pieces])
    return Layer("max", 0.0, Affine(terms, bias, (len(bias),)), len(pieces))


def empty(value: Affine) -> Tensor:
    """Return a tensor of the value's shape, as a batch of one sample."""
    return torch.empty(1, *value.shape, dtype=torch.float64)


def pair(size: Any) -> tuple[int, int]:
    """Return an option of a layer for both axes of an image."""
    return (size, size) if isinstance(size, int) else (size[0], size[-1])


def _every(dim: int, offset: int, stride: int, count: int) -> Callable[[Tensor], Tensor]:
    """Return the function that takes every `stride`-th slice."""
    index = offset + stride * torch.arange(count)
    return lambda v: v.index_select(dim, index)
