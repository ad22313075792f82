"""DeepFool of the other libraries, each behind the same small function.

`torchvision` and `visdom` are imported by adv-lib, torchattacks or what they pull in, but no attack
here uses either; where they are missing, empty modules stand in for them during the imports.
"""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = ["MAX_ITER", "PACKAGES", "Peer", "missing", "peers", "stand_ins"]

PACKAGES = ("foolbox", "adv-lib", "torchattacks", "adversarial-robustness-toolbox")
MAX_ITER = 50  # robfair's default, and that of Foolbox and torchattacks

# From a model, samples in [0, 1] and their predicted classes to adversarials.
Run = Callable[[nn.Module, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Peer:
    """One method of another library.

    Attributes
    ----------
    name : str
        Library, version and what was set.
    searches_all : bool
        Whether every class other than the predicted one is a candidate at each step.
    run : callable
        From (model, samples, predicted classes) to the points that it returns, adversarial or not.
    one_by_one : bool
        Whether it loops over single samples: then a part of them tells its speed.
    """

    name: str
    searches_all: bool
    run: Run
    one_by_one: bool = False


def missing(packages: Iterable[str] = PACKAGES) -> list[str]:
    """Names of the packages that are not installed."""
    absent = []
    for name in packages:
        try:
            version(name)
        except PackageNotFoundError:
            absent.append(name)
    return absent


def peers(n_classes: int) -> list[Peer]:
    """All peers, L2, inputs in [0, 1], at most `MAX_ITER` steps; all else as they come.

    Parameters
    ----------
    n_classes : int
        Number of classes of the models to attack.
    """
    with stand_ins("torchvision", "torchvision.models", "visdom"):
        found = [
            _foolbox(10, n_classes),
            *([_foolbox(4, n_classes)] if n_classes > 4 else []),
            _adv_lib(),
            _torchattacks(),
            _art(),
        ]
    return found


@contextmanager
def stand_ins(*names: str) -> Iterator[None]:
    """Empty modules for imports that are not used, gone again afterwards."""
    added = []
    for name in names:
        if name in sys.modules or (
            name.partition(".")[0] not in added and find_spec(name.partition(".")[0]) is not None
        ):
            continue
        sys.modules[name] = types.ModuleType(name)
        added.append(name)
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, sys.modules[name])
    try:
        yield
    finally:
        for name in added:
            del sys.modules[name]


def _foolbox(candidates: int, n_classes: int) -> Peer:
    """Foolbox counts the predicted class among the candidates."""
    foolbox: Any = importlib.import_module("foolbox")

    def run(model: nn.Module, x: Tensor, label: Tensor) -> Tensor:
        attack = foolbox.attacks.L2DeepFoolAttack(steps=MAX_ITER, candidates=candidates)
        wrapped = foolbox.PyTorchModel(model, bounds=(0, 1), device=x.device)
        criterion = foolbox.criteria.Misclassification(label)
        raw, _, _ = attack(wrapped, x, criterion, epsilons=None)
        return torch.as_tensor(raw)

    n_targets = min(candidates, n_classes) - 1
    name = f"Foolbox {version('foolbox')}, {n_targets} target{'s' if n_targets > 1 else ''}"
    return Peer(name, n_targets == n_classes - 1, run)


def _adv_lib() -> Peer:
    deepfool: Any = importlib.import_module("adv_lib.attacks").df

    def run(model: nn.Module, x: Tensor, label: Tensor) -> Tensor:
        return torch.as_tensor(deepfool(model, x, label, steps=MAX_ITER))

    return Peer(f"adv-lib {version('adv-lib')}", True, run)


def _torchattacks() -> Peer:
    torchattacks: Any = importlib.import_module("torchattacks")

    def run(model: nn.Module, x: Tensor, label: Tensor) -> Tensor:
        return torch.as_tensor(torchattacks.DeepFool(model, steps=MAX_ITER)(x, label))

    return Peer(f"torchattacks {version('torchattacks')}", True, run, one_by_one=True)


def _art() -> Peer:
    """ART attacks the predicted class whatever labels it is given.

    Its default, a batch of one, is left aside: a user who has more than a few samples sets it.
    """
    evasion: Any = importlib.import_module("art.attacks.evasion")
    classification: Any = importlib.import_module("art.estimators.classification")

    def run(model: nn.Module, x: Tensor, label: Tensor) -> Tensor:
        classifier = classification.PyTorchClassifier(
            model,
            loss=nn.CrossEntropyLoss(),
            input_shape=tuple(x.shape[1:]),
            nb_classes=int(model(x[:1]).shape[1]),
            clip_values=(0, 1),
            device_type="cpu",
        )
        attack = evasion.DeepFool(classifier, max_iter=MAX_ITER, batch_size=128, verbose=False)
        return torch.from_numpy(np.asarray(attack.generate(x.numpy())))

    return Peer(f"ART {version('adversarial-robustness-toolbox')}, batches of 128", True, run)
