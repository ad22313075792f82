"""Modules and models as other libraries make them: compiled, exported, in half precision, broken.

The searches need of a module that it runs on any batch, once forwards and once backwards. What
stands in the way of that is taken away here, for the duration of a pass, or told in one sentence.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from sklearn.exceptions import NotFittedError
from torch import nn

from robfair._isolation import SharedSetting

__all__ = ["check_initialised", "errors_named", "is_half", "not_compiled", "unwrapped"]


def unwrapped(module: nn.Module) -> nn.Module:
    """Return the module inside ``torch.compile`` and DataParallel, which computes the same."""
    while not _has_hooks(module):
        inner = getattr(module, "_orig_mod", None)  # of torch.compile
        if isinstance(module, nn.DataParallel):
            inner = module.module
        if not isinstance(inner, nn.Module):
            break
        module = inner
    return module


def _has_hooks(module: nn.Module) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks)


def check_initialised(module: nn.Module) -> None:
    """Raise ValueError if a module has parameters without values."""
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if nn.parameter.is_lazy(tensor):
            # Its first batch would settle its shape, and robfair must not change a model.
            raise ValueError(
                f"{type(module).__name__} is not initialised: {name!r} is lazy. Pass a batch "
                "through the module, and train it, first."
            )
        if tensor.is_meta:
            raise ValueError(
                f"{type(module).__name__} has no weights: {name!r} is on the meta device. Load "
                "them first, as with module.to_empty(device='cpu') and load_state_dict."
            )


def is_half(module: nn.Module) -> bool:
    """Tell whether any part of a module is in half precision."""
    tensors = (*module.parameters(), *module.buffers())
    return any(t.is_floating_point() and torch.finfo(t.dtype).bits < 32 for t in tensors)


# Compiled code supports one backward pass, and searches need one for each target class.
_eager = SharedSetting(
    lambda: torch.compiler.set_stance("force_eager"),
    lambda stance: stance.__exit__(None, None, None),
)


@contextmanager
def not_compiled() -> Iterator[None]:
    """Run compiled modules and functions as they were written."""
    # Without dynamo nothing has been compiled, and to import it takes seconds.
    if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):
        with _eager():
            yield
    else:
        yield


@contextmanager
def errors_named(model: str, shape: tuple[int, ...], dtype: Any) -> Iterator[None]:
    """Raise whatever a model raises as ValueError, or TypeError for one, that names the model."""
    try:
        yield
    except NotFittedError:
        raise
    except Exception as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        dtype = str(dtype).removeprefix("torch.")
        raise kind(
            f"the model does not take samples of shape {shape} in {dtype}: "
            f"{model} raised {type(error).__name__}: {error}"
        ) from error
