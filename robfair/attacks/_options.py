"""The registry of attacks by gradient steps, and the options that a caller may set, checked once.

To add an attack, give it an entry in `METHODS`: the weights of the logits whose weighted sum its
steps make grow, and where its first run starts. Its name also goes into :mod:`robfair._names`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any

import numpy as np
from torch import Tensor

from robfair._batches import check_batch_size
from robfair._default_threat import default_threat_model, otherwise
from robfair._directions import away_from_label, away_from_prediction
from robfair._parallel import check_n_jobs
from robfair.threat import ThreatModel

__all__ = ["METHODS", "AttackOptions", "Weights", "as_threat_model", "searches_rows"]

# From logits, labels and the logits of the samples, to the weights (n, n_classes) of the logits
# whose weighted sum grows fastest with the loss.
Weights = Callable[[Tensor, Tensor, Tensor], Tensor]

# Options of steps, which a search of valid rows does not make.
STEPS = ("n_steps", "step_size", "n_restarts", "random_start", "nearest")


@dataclass(frozen=True)
class AttackMethod:
    """One attack by gradient steps."""

    name: str
    weights: Weights
    is_one_step: bool = False  # of length eps, from the sample itself
    starts_nearby: bool = False  # since its loss has no gradient at the sample
    takes_target: bool = True
    takes_nearest: bool = False  # also the points of the search for the least distance


def _cross_entropy(logits: Tensor, label: Tensor, clean: Tensor) -> Tensor:
    return away_from_label(logits, label)


def _divergence(logits: Tensor, label: Tensor, clean: Tensor) -> Tensor:
    return away_from_prediction(logits, clean)


_ENTRIES = (
    AttackMethod("pgd", _cross_entropy, takes_nearest=True),
    AttackMethod("fgsm", _cross_entropy, is_one_step=True),
    AttackMethod("kl", _divergence, starts_nearby=True, takes_target=False),
)
METHODS: Mapping[str, AttackMethod] = MappingProxyType({entry.name: entry for entry in _ENTRIES})


@dataclass(frozen=True, kw_only=True, eq=False)
class AttackOptions:
    """Options of an attack, as `attack` describes them.

    Raises TypeError for a number of something that is not an integer, and ValueError for what is
    out of its range or does not go with the method.
    """

    method: str = "pgd"
    n_steps: int = 20
    step_size: float | None = None
    n_restarts: int = 1
    random_start: bool = True
    nearest: bool = True
    target: Any = None
    transfer_from: Any = None
    batch_size: int | None = None
    random_state: Any = 0
    n_jobs: int | None = None
    verbose: int | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}; got {self.method!r}.")
        if operator.index(self.n_steps) < 1 or operator.index(self.n_restarts) < 1:
            raise ValueError(
                "n_steps and n_restarts must be at least 1; got "
                f"{self.n_steps} and {self.n_restarts}."
            )
        if self.step_size is not None and not 0 < self.step_size < np.inf:
            raise ValueError(f"step_size must be a positive number or None; got {self.step_size}.")
        check_batch_size(self.batch_size)
        check_n_jobs(self.n_jobs)
        name, entry = self.method, self.entry
        if entry.is_one_step and (self.step_size is not None or self.n_restarts > 1):
            raise ValueError(
                f'method="{name}" is one step of length eps from the sample itself: step_size and '
                'n_restarts are for "pgd" and "kl".'
            )
        if entry.starts_nearby and not self.random_start:
            raise ValueError(
                f'method="{name}" needs random_start=True: its loss has no gradient at the sample.'
            )
        if self.target is not None and not entry.takes_target:
            raise ValueError(f'method="{name}" has no target: use method="pgd".')

    @property
    def entry(self) -> AttackMethod:
        """The method's entry in the registry."""
        return METHODS[self.method]

    def changed(self, *names: str) -> list[str]:
        """Return those of some options that are not at their defaults."""
        defaults = {field.name: field.default for field in fields(self)}
        return [name for name in names if getattr(self, name) != defaults[name]]


def as_threat_model(threat_model: ThreatModel | None, model: Any, X: Any) -> ThreatModel:
    """Return the threat model, L-inf by default; raise TypeError for anything else."""
    if threat_model is None:
        return default_threat_model(model, X, norm=np.inf)
    if not isinstance(threat_model, ThreatModel):
        raise TypeError(
            "threat_model must be a ThreatModel, such as ThreatModel(norm=numpy.inf), or None; got "
            f"{threat_model!r}."
        )
    return threat_model


def searches_rows(threat_model: ThreatModel, options: AttackOptions, *others: str) -> bool:
    """Tell whether valid rows are searched; raise ValueError for options that only steps use.

    `others` names further options that the caller has set in vain.
    """
    if not threat_model.is_mixed:
        return False
    why = "under a threat model with categories, integer or unit, valid rows are searched"
    useless = [*others, *options.changed(*STEPS)]
    wrong = ""
    if options.target is not None:
        wrong = f"that leave a label: target must be None; got {options.target!r}."
    elif options.method != "pgd":
        wrong = f"instead of steps: leave out method; got {options.method!r}."
    elif useless:
        wrong = f"instead of steps: leave out {', '.join(useless)}."
    if wrong:
        raise ValueError(f"{why} {wrong} {otherwise(threat_model)}".rstrip())
    return True
