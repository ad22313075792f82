"""Attacks of other libraries that look for the least perturbation, behind one small function."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from peers import stand_ins
from torch import Tensor, nn

__all__ = ["Search", "searches"]

# From a model, samples, their predicted classes and the box to points, adversarial or not.
Run = Callable[[nn.Module, Tensor, Tensor, tuple[float, float]], Tensor]


@dataclass(frozen=True)
class Search:
    """One minimal-norm method.

    Attributes
    ----------
    name : str
        Library, attack and what was set.
    run : callable
        From (model, samples, predicted classes, box) to the points that it returns.
    """

    name: str
    run: Run


def searches(quick: bool) -> list[Search]:
    """All peers, L2; what is set is in their names, all else as they come.

    Parameters
    ----------
    quick : bool
        Leave out DDN with 1,000 steps.
    """
    with stand_ins("torchvision", "torchvision.models", "visdom"):
        adv_lib: Any = importlib.import_module("adv_lib.attacks")
    foolbox: Any = importlib.import_module("foolbox").attacks
    slow = [] if quick else [_adv_lib("DDN-1000", adv_lib.ddn, steps=1000, levels=None)]
    return [
        _adv_lib("DDN-100", adv_lib.ddn, steps=100, levels=None),
        _adv_lib("DDN-100, 8 bit", adv_lib.ddn, steps=100),
        *slow,
        _adv_lib("SDF", adv_lib.sdf),
        _adv_lib("FAB-50", adv_lib.fab, norm=2, n_iter=50),
        _adv_lib("FMN-100", adv_lib.fmn, norm=2, steps=100),
        _foolbox("DDN-100", foolbox.DDNAttack(steps=100)),
        _foolbox("FMN-100", foolbox.L2FMNAttack(steps=100)),
    ]


def _adv_lib(name: str, attack: Callable[..., Tensor], **options: Any) -> Search:
    """adv-lib has no box to set: it is [0, 1], and most attacks refuse samples outside it."""

    def run(model: nn.Module, x: Tensor, label: Tensor, bounds: tuple[float, float]) -> Tensor:
        return attack(model, x, label, **options).detach()

    return Search(f"adv-lib {name}", run)


def _foolbox(name: str, attack: Any) -> Search:
    """Foolbox takes any box, but its steps and first radius are 1 whatever the features' scale."""
    foolbox: Any = importlib.import_module("foolbox")

    def run(model: nn.Module, x: Tensor, label: Tensor, bounds: tuple[float, float]) -> Tensor:
        wrapped = foolbox.PyTorchModel(model, bounds=bounds, device=x.device)
        raw, _, _ = attack(wrapped, x, foolbox.criteria.Misclassification(label), epsilons=None)
        return torch.as_tensor(raw).detach()

    return Search(f"Foolbox {name}", run)
