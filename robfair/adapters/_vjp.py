"""Logits and their vector-Jacobian product (vjp): by autograd, or by hand.

Attacks take the gradient of small dense networks thousands of times, and autograd then spends more
time on its bookkeeping than on the arithmetic. For a plain sequence of the usual dense layers the
same kernels are called directly. The gradient equals that of autograd to the last bit, but for
layers of a single neuron.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
import torch.nn.modules.module as torch_module
from torch import Tensor, nn

from robfair.models import Standardize

__all__ = ["ForwardVjp", "Vjp", "autograd_vjp", "forward_vjp"]

# From weights of the logits, of shape (n, n_classes), to the gradient of their weighted sum.
Vjp = Callable[[Tensor], Tensor]
# From points to their logits, detached, and the vjp there.
ForwardVjp = Callable[[Tensor], tuple[Tensor, Vjp]]


def forward_vjp(module: nn.Module, forward: Callable[[Tensor], Tensor] | None = None) -> ForwardVjp:
    """Return the function from points to the logits of a module, and to their vjp.

    Parameters
    ----------
    module : torch.nn.Module
        The module, in evaluation mode whenever the function is called. Its weights may change
        between two calls, its layers may not.
    forward : callable, default=None
        From points to logits, where more than the module is needed; None: the module.

    Returns
    -------
    callable
        From points of shape (n, ...) to logits and vjp.
    """
    if _is_dense(module):
        return partial(_by_hand, list(module.children()))
    return autograd_vjp(module if forward is None else forward)


def autograd_vjp(forward: Callable[[Tensor], Tensor]) -> ForwardVjp:
    """Return the function from points to logits and vjp, for any differentiable function.

    ``torch.func.vjp`` would refuse modules that hold a plain ``autograd.Function`` or use numpy.

    Parameters
    ----------
    forward : callable
        From points to logits.

    Returns
    -------
    callable
        From points to logits and vjp.
    """

    def adapted(points: Tensor) -> tuple[Tensor, Vjp]:
        points = points.detach().requires_grad_(True)
        with torch.enable_grad():
            logits = forward(points)

        def vjp(weights: Tensor) -> Tensor:
            (gradient,) = torch.autograd.grad(
                logits, points, weights, retain_graph=True, materialize_grads=True
            )
            return gradient

        # The graph stays for vjp, which searches call for several target classes.
        return logits.detach(), vjp

    return adapted


_LAYERS = (nn.Linear, nn.ReLU, nn.Tanh, nn.Identity, Standardize)


def _is_dense(module: nn.Module) -> bool:
    """Tell whether a module is a sequence of layers that are known here, and nothing but that.

    A subclass may compute something else, a hook may look at a pass or change it, more than two
    dimensions may reach a Flatten at the beginning alone, and a single output is not yet logits.
    """
    layers = list(module.children())
    if type(module) is not nn.Sequential or not layers:
        return False
    last = layers[-1]
    if not (isinstance(last, nn.Linear) and last.out_features > 1):
        return False
    first = layers[0]
    flattens = type(first) is nn.Flatten and (first.start_dim, first.end_dim) == (1, -1)
    return all(type(layer) in _LAYERS for layer in layers[flattens:]) and not any(
        _is_watched(part) for part in (module, *layers)
    )


def _is_watched(module: nn.Module) -> bool:
    hooks = (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
        torch_module._global_forward_hooks,
        torch_module._global_forward_pre_hooks,
        torch_module._global_backward_hooks,
        torch_module._global_backward_pre_hooks,
    )
    return any(hooks) or "forward" in vars(module)


@torch.no_grad()
def _by_hand(layers: list[nn.Module], points: Tensor) -> tuple[Tensor, Vjp]:
    steps: list[Vjp] = []
    out = points.detach()
    for layer in layers:
        if isinstance(layer, nn.Linear):
            out = F.linear(out, layer.weight, layer.bias)
            steps.append(partial(torch.matmul, other=layer.weight.detach()))
        elif isinstance(layer, nn.ReLU):
            out = out.relu()
            # The kernels that autograd calls, so that the bits agree.
            steps.append(partial(torch.ops.aten.threshold_backward, self=out, threshold=0))
        elif isinstance(layer, nn.Tanh):
            out = out.tanh()
            steps.append(partial(torch.ops.aten.tanh_backward, output=out))
        elif isinstance(layer, Standardize):
            out = layer(out)
            steps.append(partial(torch.div, other=layer.scale))
        elif isinstance(layer, nn.Flatten):
            out = out.flatten(1)

    @torch.no_grad()
    def vjp(weights: Tensor) -> Tensor:
        gradient = weights
        for step in reversed(steps):
            gradient = step(gradient)
        return gradient.reshape(points.shape)

    return out, vjp
