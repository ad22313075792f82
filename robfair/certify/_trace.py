"""A torch module as affine maps between elementwise nonlinear layers, for bound propagation.

`trace` follows a sample through the module with torch.fx. Whatever is affine (dense, convolution,
pooling by averages, batch normalisation, reshaping, residual sums, scaling by constants) is
multiplied out into sparse matrices, so that all that remains is

    z_j = c_j + sum over i < j of M_ji h_i,    h_j = activation_j(z_j),    h_0 = the sample,

so that bounds deal with matrices and two activations only.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.fx
from scipy import sparse
from torch import nn

from robfair.adapters import LogitModel, evaluation_mode, is_plain
from robfair.certify._affine import Affine, Builder, TracedNetwork, UnsupportedLayer, empty
from robfair.certify._layers import ARITHMETIC, FUNCTIONS, MODULES, OPERATIONS

__all__ = ["double_copy", "trace"]


def trace(module: nn.Module, shape: tuple[int, ...], maxima: bool = False) -> TracedNetwork:
    """Write a module as affine maps between nonlinear layers, each after those it depends on.

    With `maxima`, a first maximum pooling is one layer and not a tournament: tighter in L-inf,
    where its pieces move on their own, and looser in L2, where the ball binds them to each other.

    Raises UnsupportedLayer if a layer or an operation is not supported, and names it.
    """
    clone = double_copy(module, shape, "cpu")
    try:
        # In a Sequential, so that a module that is a single layer is not looked into.
        traced = torch.fx.symbolic_trace(nn.Sequential(clone))
    except Exception as error:  # torch.fx runs the module's own code, which can raise anything
        raise UnsupportedLayer(
            f"torch.fx cannot trace {type(module).__name__}: {type(error).__name__}: {error}"
        ) from error
    size = math.prod(shape)
    sample = Affine({0: sparse.eye_array(size, format="csr")}, np.zeros(size), tuple(shape))
    tracer = _Tracer(traced, maxima)
    try:
        with torch.no_grad():
            output = tracer.run(sample)
    except UnsupportedLayer:
        raise
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise tracer.builder.unsupported(str(error)) from error
    if not isinstance(output, Affine) or len(output.shape) > 1:
        raise UnsupportedLayer(
            f"the output of {type(module).__name__} must be one tensor of logits that depends on "
            "the sample."
        )
    return _prune(TracedNetwork(tracer.builder.layers, output))


def double_copy(module: nn.Module, shape: tuple[int, ...], device: Any) -> nn.Module:
    """Copy a module in float64, whose rounding stays far below what the relaxation loses.

    Weights that hooks compute anew before each pass, as in pruning, must be computed once more:
    without a graph before they are copied, and in float64 after that. Raises UnsupportedLayer if
    the module cannot be copied or does not run in float64.
    """
    name = type(module).__name__
    try:
        model = LogitModel(module)
        zeros = torch.zeros(2, *shape, dtype=torch.float64)
        with torch.no_grad():
            with evaluation_mode(module):
                module(zeros.to(model.device, model.dtype))
            clone = copy.deepcopy(module).to(device, torch.float64).eval()
            clone(zeros.to(device))
    except Exception as error:  # the module's own code can raise anything
        raise UnsupportedLayer(
            f"{name} cannot be copied and run in float64, in which bounds are computed: "
            f"{type(error).__name__}: {error}"
        ) from error
    return clone


def _prune(network: TracedNetwork) -> TracedNetwork:
    """Leave out layers that the output does not depend on, and renumber the others."""
    needed = set(network.output.terms)
    # Backwards: a layer depends on earlier ones only, so each is settled when it is reached.
    for j in range(len(network.layers), 0, -1):
        if j in needed:
            needed |= set(network.layers[j - 1].inputs.terms)
    number = {old: new for new, old in enumerate(sorted(needed | {0}))}

    def renumber(value: Affine) -> Affine:
        return replace(value, terms={number[s]: term for s, term in value.terms.items()})

    layers = [
        replace(layer, inputs=renumber(layer.inputs))
        for j, layer in enumerate(network.layers, start=1)
        if j in needed
    ]
    return TracedNetwork(layers, renumber(network.output))


class _Tracer(torch.fx.Interpreter):
    """Runs the traced module on an `Affine` in place of a tensor with a batch of one sample."""

    def __init__(self, traced: torch.fx.GraphModule, maxima: bool) -> None:
        super().__init__(traced)
        self.extra_traceback = False  # errors name the layer themselves
        self.builder = Builder(maxima)

    def run_node(self, n: torch.fx.Node) -> Any:
        self.builder.where = f"node {n.name!r}"
        return super().run_node(n)

    def call_module(self, target: Any, args: Any, kwargs: Any) -> Any:
        layer = self.fetch_attr(target)
        self.builder.where = f"{type(layer).__name__} (module {target[2:]!r})"
        if not args or not isinstance(args[0], Affine) or len(args) > 1 or kwargs:
            raise self.builder.unsupported("it must be called with one value and nothing else")
        for kind, build in MODULES.items():
            if is_plain(layer, kind):
                return build(self.builder, args[0], layer)
        why = ""
        if isinstance(layer, tuple(MODULES)):
            why = "a hook, or a forward of its own, makes it compute something else"
        raise self.builder.unsupported(why)

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        name = getattr(target, "__name__", str(target))
        # By what it is, not by its name: anybody can call a function of theirs "relu".
        return self._call(target, FUNCTIONS.get(target, ""), name, args, kwargs)

    def call_method(self, target: Any, args: Any, kwargs: Any) -> Any:
        def method(value: Any, *rest: Any, **options: Any) -> Any:
            return getattr(value, target)(*rest, **options)

        return self._call(method, target.removesuffix("_"), target, args, kwargs)

    def _call(
        self, function: Callable[..., Any], operation: str, name: str, args: Any, kwargs: Any
    ) -> Any:
        """Run a function or a method; raises UnsupportedLayer if bounds cannot follow it."""
        values = [a for a in _leaves((args, kwargs)) if isinstance(a, Affine)]
        if not values:  # arithmetic of constants, such as sizes: nothing to bound
            return function(*args, **kwargs)
        self.builder.where = f"operation {name!r}"
        if function is getattr and args[1] in ("shape", "ndim", "dtype", "device"):
            return getattr(empty(args[0]), args[1])
        if name in ("size", "dim") and isinstance(args[0], Affine):
            return function(empty(args[0]), *args[1:], **kwargs)
        if operation in ARITHMETIC:
            return self.builder.arithmetic(ARITHMETIC[operation], args, kwargs)
        if operation in OPERATIONS and values == [args[0]]:
            return OPERATIONS[operation](self.builder, function, *args, **kwargs)
        raise self.builder.unsupported()


def _leaves(arguments: Any) -> Iterator[Any]:
    if isinstance(arguments, tuple | list):
        for argument in arguments:
            yield from _leaves(argument)
    elif isinstance(arguments, dict):
        yield from _leaves(list(arguments.values()))
    else:
        yield arguments
