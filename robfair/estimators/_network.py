"""The network of a classifier: built or copied, and checked before it is trained."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from robfair._isolation import SEEDING, one_thread, untouched_random_state
from robfair.adapters import LogitModel, check_output, evaluation_mode
from robfair.models import tabular_network

__all__ = ["build_network", "initial_network", "isolated", "restored_network"]

PREFIX = "module__"


@contextmanager
def isolated(estimator: Any) -> Iterator[None]:
    """Leave torch's global state alone: its generators, and its number of threads."""
    on_cpu = torch.device(estimator.device).type == "cpu"
    # Too small to gain from more threads, on whose number its last bits would depend.
    threads = one_thread() if estimator.module is None and on_cpu else nullcontext()
    with threads, untouched_random_state(cuda=not on_cpu):
        yield


def initial_network(estimator: Any, X: NDArray[Any], classes: NDArray[Any], seed: int) -> nn.Module:
    """Return the network that training starts from: built, a copy, or that of the last `fit`.

    Raises TypeError if `module` makes something else, and ValueError if a warm start has other
    classes, or the network does not return a logit per class.
    """
    with SEEDING:  # also for the first pass, in which lazy layers draw their weights
        torch.manual_seed(seed)
        module: nn.Module = _unchecked_network(estimator, X, classes)
        _check_network(module, X, classes)
    return module


def _unchecked_network(estimator: Any, X: NDArray[Any], classes: NDArray[Any]) -> Any:
    if estimator.warm_start and hasattr(estimator, "module_"):
        if not np.array_equal(estimator.classes_, classes):
            raise ValueError(
                f"warm_start=True continues with classes {estimator.classes_}, but y has {classes}."
            )
        return copy.deepcopy(estimator.module_)  # an interrupted fit leaves the last one whole
    if isinstance(estimator.module, nn.Module):
        return copy.deepcopy(estimator.module)
    return build_network(estimator, X.shape[1], len(classes))


def _check_network(module: Any, X: NDArray[Any], classes: NDArray[Any]) -> None:
    if not isinstance(module, nn.Module):
        raise TypeError(
            f"module must be a torch.nn.Module, or make one; it made a {type(module).__name__}."
        )
    model = LogitModel(module, classes=classes)
    check_output(model, X)
    with torch.no_grad(), evaluation_mode(module):
        out = module(model.tensor(X[:1]).reshape(1, *X.shape[1:]))
    if tuple(out.shape) != (1, len(classes)):
        # The adapter accepts a single logit; cross-entropy needs one per class.
        raise ValueError(
            f"the module returns {out.shape[-1] if out.ndim > 1 else 1} logit(s) in shape "
            f"{tuple(out.shape)} for one sample; training needs one logit per class, shape "
            f"(n_samples, {len(classes)})."
        )


def build_network(estimator: Any, n_features: int, n_classes: int) -> Any:
    """Call the function or class that makes the network, or make a fully connected one.

    Raises ValueError if `hidden_layer_sizes` are not positive integers.
    """
    if estimator.module is not None:
        given = (estimator.net_params or {}).items()
        params = {k.removeprefix(PREFIX): value for k, value in given if k.startswith(PREFIX)}
        return estimator.module(**params)
    sizes = estimator.hidden_layer_sizes
    if not all(isinstance(width, int | np.integer) and width > 0 for width in sizes):
        raise ValueError(f"hidden_layer_sizes must hold positive integers; got {list(sizes)}.")
    return tabular_network(n_features, n_classes, sizes)


def restored_network(estimator: Any, weights: dict[str, NDArray[Any]]) -> nn.Module:
    """Build the network of a saved classifier and give it its weights.

    Raises TypeError if `module` makes something that is not a network.
    """
    tensors = {name: torch.from_numpy(np.array(value)) for name, value in weights.items()}
    with SEEDING, untouched_random_state(cuda=False):
        # Sizes come from a file: without memory of its own until they agree with the weights.
        with torch.device("meta") if estimator.module is None else nullcontext():
            module = build_network(estimator, estimator.n_features_in_, len(estimator.classes_))
        if not isinstance(module, nn.Module):
            raise TypeError(f"module made a {type(module).__name__}, not a torch.nn.Module.")
        module.load_state_dict(tensors, assign=estimator.module is None)
    return module
