"""A check that skorch callbacks find what they ask for, before any training."""

from __future__ import annotations

from typing import Any

from skorch.callbacks import Callback, EpochScoring
from skorch.callbacks.scoring import ScoringBase

__all__ = ["check_callbacks"]

RECORDED = ("train_loss", "train_loss_best", "natural_loss", "robust_loss", "lr", "epoch", "dur")


def check_callbacks(estimator: Any) -> None:
    """Raise ValueError if a callback asks for what training does not record.

    skorch scores a validation set, and these nets have none: their held-out samples belong to the
    strategy and to `early_stopping`. A callback that is not of skorch may record anything.
    """
    if (estimator.net_params or {}).get("train_split") is not None:
        raise ValueError(
            "net_params holds train_split, and there is no validation set of skorch: use "
            "early_stopping=True and validation_fraction."
        )
    callbacks = [_instance(callback) for callback in estimator.callbacks or []]
    recorded = [*RECORDED, *(["robust_accuracy"] if estimator.early_stopping else [])]
    for callback in callbacks:
        if isinstance(callback, ScoringBase):
            recorded += _scores(callback)
    if any(type(callback).__module__.partition(".")[0] != "skorch" for callback in callbacks):
        return
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if isinstance(monitor, str) and monitor not in recorded:
            raise ValueError(
                f"{type(callback).__name__} monitors {monitor!r}, which training does not record: "
                "there is no validation set of skorch. Use early_stopping=True, which holds "
                "samples out and keeps the weights that were most robust on them, or monitor "
                "'train_loss', 'natural_loss' or 'robust_loss'."
            )


def _instance(callback: Any) -> Any:
    """Return the callback, which may have a name before it or be a class."""
    if isinstance(callback, tuple) and len(callback) == 2:
        callback = callback[1]
    if isinstance(callback, type) and issubclass(callback, Callback):
        callback = callback()
    if not isinstance(callback, Callback):
        raise TypeError(f"callbacks must be skorch callbacks; got {callback!r}.")
    return callback


def _scores(callback: ScoringBase) -> list[str]:
    """Return what a scoring callback records; raise ValueError if that is nothing."""
    if (
        not isinstance(callback, EpochScoring)
        or not callback.on_train
        or callback.use_caching
        or not callable(callback.scoring)
    ):
        raise ValueError(
            f"{type(callback).__name__} scores predictions that training does not make: there is "
            "no validation set of skorch. Give an EpochScoring(function, on_train=True, "
            "use_caching=False) of a function (net, X, y) that finds its own samples, or score "
            "the fitted classifier."
        )
    name = callback.name or getattr(callback.scoring, "__name__", "")
    return [name, f"{name}_best"]
