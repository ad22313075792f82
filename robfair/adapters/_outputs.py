"""Outputs of a module, and functions that turn them into logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["Kept", "are_distributions", "as_tensor", "log_odds", "log_probability"]


def as_tensor(out: Any) -> Tensor:
    """Return the logits in what a module has returned.

    That is the tensor itself, the entry ``logits`` of an object or a mapping, as models of Hugging
    Face return them, or the only tensor of a tuple. Raises ValueError for anything else.
    """
    if isinstance(out, Mapping):
        logits = out.get("logits")
    else:
        logits = getattr(out, "logits", None)
        if isinstance(out, tuple) and logits is None and len(out) == 1:
            logits = out[0]
    tensor = out if isinstance(out, Tensor) else logits
    if not isinstance(tensor, Tensor):
        raise ValueError(
            "the module must return logits of shape (n_samples, n_classes), or an object with "
            f"`.logits`; it returned a {type(out).__name__}. Wrap it in a module that returns the "
            "logits alone."
        )
    if not tensor.is_floating_point():
        raise ValueError(
            f"the module must return logits; it returned {tensor.dtype}, as labels are. Leave out "
            'the argmax, or give a function that returns labels and method="decision".'
        )
    return tensor


def log_probability(out: Tensor) -> Tensor:
    """Turn probabilities of classes into logits that do not saturate."""
    return out.clamp_min(torch.finfo(out.dtype).tiny).log()


def log_odds(out: Tensor) -> Tensor:
    """Turn probabilities, one for each output, into logits."""
    return torch.logit(out, torch.finfo(out.dtype).eps)


def are_distributions(out: Tensor) -> bool:
    """Tell whether all rows lie in [0, 1] and sum to 1, which logits do not."""
    return bool((out >= 0).all() and ((out.sum(dim=1) - 1).abs() < 1e-3).all())


@dataclass(frozen=True)
class Kept:
    """Leaves out the other columns; a class so that it can be pickled and hashed."""

    columns: tuple[int, ...]

    def __call__(self, out: Tensor) -> Tensor:
        return out[:, list(self.columns)]
