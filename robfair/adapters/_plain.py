"""Modules that compute what their class in torch computes, and nothing else.

Whoever reads weights, instead of calling a module, must know that the weights say all. A subclass
may compute something else, and so may an instance: by a hook, or a forward of its own.
"""

from __future__ import annotations

from typing import TypeGuard, TypeVar

import torch.nn.modules.module as torch_module
from torch import nn
from torch.nn.utils.prune import BasePruningMethod
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

__all__ = ["is_plain"]

# Hooks that compute the weights anew before each pass, and leave the pass itself as it is.
REWEIGHTING = {kind.__call__ for kind in (BasePruningMethod, SpectralNorm, WeightNorm)}

Module = TypeVar("Module", bound=nn.Module)


def is_plain(module: nn.Module, *kinds: type[Module]) -> TypeGuard[Module]:
    """Tell whether a module computes, in evaluation mode, exactly what one of some classes does.

    Parameters
    ----------
    module : torch.nn.Module
        The module. Hooks of the modules inside of it are not looked at.
    *kinds : type
        Classes of torch.

    Returns
    -------
    bool
        True for an instance without hooks, but for those that compute its weights (pruning, weight
        and spectral norm), and without a forward of its own. A parametrised layer or a subclass is
        one if its forward is that of the class.
    """
    found = type(module)
    kind = next((kind for kind in kinds if isinstance(module, kind)), None)
    if kind is None or found.forward is not kind.forward or found.__call__ is not kind.__call__:
        return False
    if "forward" in vars(module) or found._call_impl is not kind._call_impl:
        return False
    hooks = [*module._forward_hooks.values(), *module._forward_pre_hooks.values()]
    everywhere = (torch_module._global_forward_hooks, torch_module._global_forward_pre_hooks)
    return not any(everywhere) and all(type(hook).__call__ in REWEIGHTING for hook in hooks)
