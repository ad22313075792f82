"""The first passes over a module, before any work starts, for whatever it may raise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from robfair.adapters._foreign import errors_named
from robfair.adapters._logits import LogitModel

__all__ = ["check_output"]

FEW = 8  # samples that show whether logits are constant


def check_output(model: LogitModel, X: NDArray[Any], *, gradient: bool = True) -> int:
    """Return the number of classes.

    Parameters
    ----------
    model : LogitModel
        The model.
    X : ndarray of shape (n_samples, ...)
        Samples, of which it sees a few.
    gradient : bool, default=True
        Whether the module must have a gradient.

    Returns
    -------
    int
        The number of logits.

    Raises
    ------
    TypeError, ValueError
        If the module does not take the samples, has no gradient, does not return finite logits for
        them, or lets them depend on the other samples.
    """
    name, shape = type(model.module).__name__, X.shape[1:]
    with model.passes(shape) as run:
        sample = model.tensor(X[:1]).requires_grad_(gradient)
        with errors_named(name, shape, model.own_dtype), torch.set_grad_enabled(gradient):
            returned = _alone(run, sample)
        with torch.set_grad_enabled(gradient):
            out = model.logits(returned)
        if out.ndim != 2 or len(out) != 1:
            raise ValueError(
                "the module must return logits of shape (n_samples, n_classes); for one sample it "
                f"returned shape {tuple(out.shape)}."
            )
        if not bool(torch.isfinite(out).all()):
            raise ValueError(
                "the module returns NaN or infinity for the first sample of X; check its weights "
                "and the scale of X."
            )
        if gradient:
            _check_gradient(model, run, sample, out, X[:FEW])
    n_classes = out.shape[1]
    if model.classes is not None and n_classes != len(model.classes):
        raise ValueError(
            f"the module returns {n_classes} logits, but the model has {len(model.classes)} "
            "classes."
        )
    return n_classes


def _alone(run: Callable[[Tensor], Any], sample: Tensor) -> Any:
    """Pass one sample; raise ValueError if the module takes two, but not one."""
    try:
        return run(sample)
    except Exception as error:
        try:
            run(sample.detach().repeat(2, 1))
        except Exception:
            raise error from None
        raise ValueError(
            f"{error} It takes two samples, but not one alone: it predicts a sample from the other "
            "samples of its batch, as batch normalisation without running statistics does."
        ) from error


def _check_gradient(
    model: LogitModel,
    run: Callable[[Tensor], Any],
    sample: Tensor,
    out: Tensor,
    few: NDArray[Any],
) -> None:
    """Raise ValueError if logits vary, and have no gradient."""
    name = type(model.module).__name__
    if out.requires_grad:
        with errors_named(name, few.shape[1:], model.own_dtype):
            gradients = torch.autograd.grad(out.sum(), sample, allow_unused=True)
        if None not in gradients or _is_constant(model, run, few):
            return
    raise ValueError(
        f"the logits of {name} have no gradient with respect to its input: it is quantised, or "
        'computes without autograd (detach, no_grad, numpy). Use method="decision".'
    )


def _is_constant(model: LogitModel, run: Callable[[Tensor], Any], few: NDArray[Any]) -> bool:
    with torch.no_grad():
        logits = model.logits(run(model.tensor(few)))
    return bool((logits == logits[:1]).all())
