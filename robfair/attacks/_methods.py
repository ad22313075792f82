"""The registry of attacks by gradient steps.

To add one, give it an entry in `METHODS`: the weights of the logits whose weighted sum its steps
make grow, and where its first run starts. Its name also goes into :mod:`robfair._names`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from robfair._directions import away_from_label, away_from_prediction

__all__ = ["METHODS", "AttackMethod"]


@dataclass(frozen=True)
class AttackMethod:
    """One attack by gradient steps.

    Attributes
    ----------
    name : str
        The name that `attack` takes.
    summary : str
        What it does, in a phrase.
    weights : callable
        From logits, labels and the logits of the samples, to the weights of the logits, of shape
        (n, n_classes), whose weighted sum grows fastest with the loss.
    is_one_step : bool
        Whether it is one step of length eps from the sample itself.
    starts_nearby : bool
        Whether it starts close to the sample, as its loss has no gradient there.
    takes_target : bool
        Whether it can aim at a label.
    """

    name: str
    summary: str
    weights: Callable[[Tensor, Tensor, Tensor], Tensor]
    is_one_step: bool = False
    starts_nearby: bool = False
    takes_target: bool = True


def _cross_entropy(logits: Tensor, label: Tensor, clean: Tensor) -> Tensor:
    return away_from_label(logits, label)


def _divergence(logits: Tensor, label: Tensor, clean: Tensor) -> Tensor:
    return away_from_prediction(logits, clean)


_ENTRIES = (
    AttackMethod("pgd", "projected gradient ascent on the cross-entropy", _cross_entropy),
    AttackMethod("fgsm", "one step from the sample itself", _cross_entropy, is_one_step=True),
    AttackMethod(
        "kl",
        "projected gradient ascent on the divergence from the prediction",
        _divergence,
        starts_nearby=True,
        takes_target=False,
    ),
)
METHODS: Mapping[str, AttackMethod] = MappingProxyType({entry.name: entry for entry in _ENTRIES})
