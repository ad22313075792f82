"""The meaning of the outputs of a module, found from some rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robfair._batches import batches, default_batch_size
from robfair.adapters._foreign import errors_named
from robfair.adapters._logits import LogitModel
from robfair.adapters._outputs import Kept, are_distributions, as_tensor, log_odds, log_probability

__all__ = ["settle"]

FAR_POINTS = 64  # where logits leave [0, 1], and probabilities do not, nor cease to sum to 1
ENOUGH = 20  # rows that tell by themselves


def settle(model: LogitModel, X: NDArray[Any], batch_size: int | None) -> LogitModel:
    """Find out whether the outputs of a module are logits, and how they become such.

    Rows that sum to 1 are probabilities, of which the logarithm is taken. Outputs of a bare module
    that never leave [0, 1] are as well, and become log-odds: a logit that is never negative would
    give all samples one class. A class that no row can get is left out. Raises ValueError if
    a class is masked for some rows only.
    """
    if model.to_logits is not None:  # the model has said what its outputs are
        return model
    out = outputs(model, X, batch_size)
    if out.ndim == 1:
        out = out[:, None]
    if out.ndim != 2 or len(out) != len(X) or bool(out.isnan().any()):
        return model  # `check_output` says what is wrong
    masked = torch.isneginf(out)
    if bool(masked.any()):
        return _without(model, masked)
    if out.shape[1] > 1 and _also_far(model, X, out, are_distributions, batch_size):
        return replace(model, to_logits=log_probability)
    if model.classes is None and _also_far(model, X, out, _in_unit, batch_size):
        return replace(model, to_logits=log_odds)
    return model


def outputs(model: LogitModel, X: NDArray[Any], batch_size: int | None) -> Tensor:
    """Return what the module returns for samples."""
    size = default_batch_size(X.shape[1:]) if batch_size is None else batch_size
    name, shape = type(model.module).__name__, X.shape[1:]
    with torch.no_grad(), model.passes(shape) as run:
        first, *others = batches(len(X), size)
        with errors_named(name, shape, model.own_dtype):  # what fails later has another reason
            returned = run(model.tensor(X[first]))
        parts = [_tensor(returned), *(_tensor(run(model.tensor(X[part]))) for part in others)]
    return torch.cat(parts)


def _tensor(returned: Any) -> Tensor:
    out = as_tensor(returned)
    return out if out.ndim else out[None]


def _also_far(
    model: LogitModel,
    X: NDArray[Any],
    out: Tensor,
    test: Callable[[Tensor], bool],
    batch_size: int | None,
) -> bool:
    """Tell whether outputs pass a test, also far from the samples, and are not all the same."""
    if not test(out):
        return False
    rng = np.random.default_rng(0)
    near = X[np.arange(FAR_POINTS) % len(X)]
    far = np.where(near == 0, 1, near) * rng.choice([-10.0, -1.0, 1.0, 10.0], near.shape)
    try:
        other = outputs(model, far, batch_size)
    except (ValueError, TypeError):
        # Such as an embedding, which knows no other values.
        return len(X) >= ENOUGH
    other = other.reshape(-1, out.shape[1])
    return test(other) and bool((other != out[0]).any())


def _in_unit(out: Tensor) -> bool:
    return bool(((out >= 0) & (out <= 1)).all())


def _without(model: LogitModel, masked: Tensor) -> LogitModel:
    """Leave out the classes whose logit is always -inf."""
    never = masked.all(dim=0)
    if bool((masked & ~never).any()) or int((~never).sum()) < 2:
        rows = int(masked.any(dim=1).sum())
        raise ValueError(
            f"the module returns -inf for {rows} of {len(masked)} rows of X, in the logits of "
            f"classes {masked.any(dim=0).nonzero()[:5, 0].tolist()}. A class that is masked for "
            "some rows and not for others has no boundary there: return logits without the mask."
        )
    columns = (~never).nonzero()[:, 0].tolist()
    classes = np.arange(len(never)) if model.classes is None else model.classes
    return replace(model, to_logits=Kept(tuple(columns)), classes=classes[columns])
