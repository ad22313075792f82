"""The user's model and torch's random state are left as found, whatever the model's code does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import nn

from robfair._isolation import untouched_random_state
from robfair.adapters._modes import evaluation_mode
from robfair.adapters._steps import last_step

__all__ = ["leaves_as_found", "left_as_found"]

P = ParamSpec("P")
T = TypeVar("T")


@contextmanager
def left_as_found(model: Any) -> Iterator[None]:
    """Leave modes and torch's random state as they are, although a model's own `predict` is called.

    That of skorch puts its module into evaluation mode and leaves it there, and its loader of data
    draws from torch's global generator.

    Parameters
    ----------
    model : object
        The user's model, of any kind.

    Yields
    ------
    None
    """
    module = model if isinstance(model, nn.Module) else _module(model)
    on_cuda = module is not None and any(each.is_cuda for each in module.parameters())
    modes = nullcontext() if module is None or module is model else evaluation_mode(module)
    with untouched_random_state(cuda=on_cuda), modes:
        yield


def leaves_as_found(function: Callable[P, T]) -> Callable[P, T]:
    """Run a function of models within `left_as_found`, wherever it is called from.

    Parameters
    ----------
    function : callable
        Its first parameter is `model`; `transfer_from` may be a second one, or its name and it.

    Returns
    -------
    callable
        The same function.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        model: Any = args[0] if args else kwargs.get("model")
        other: Any = kwargs.get("transfer_from")
        if isinstance(other, tuple) and other:  # its name and it
            other = other[-1]
        with torch.inference_mode(False), left_as_found(model), left_as_found(other):
            return function(*args, **kwargs)

    return run


def _module(model: Any) -> nn.Module | None:
    """Return the trained module of skorch's and robfair's classifiers, also behind transformers."""
    try:
        module = getattr(last_step(model)[1], "module_", None)
    except Exception:  # a model that is not fitted, or ends in nothing: told where it is adapted
        return None
    return module if isinstance(module, nn.Module) else None
