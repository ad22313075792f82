"""Paper B's own protocol, and the measures by class that Adult and CIFAR-10 have in common.

What the paper calls adversarial training is one-time augmentation (section IV.A).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from robfair._directions import away_from_label
from robfair.adapters import LogitModel
from robfair.estimators import NaturalClassifier
from robfair.metrics import class_accuracy_unfairness, class_robustness_unfairness
from robfair.reproduction._paper import Task
from robfair.threat import ThreatModel
from robfair.training import Attack, Noise

__all__ = [
    "Add", "StaticallyAugmentedClassifier", "add_accuracy", "add_success", "attack_options",
]  # fmt: skip

Array = NDArray[Any]
Add = Callable[..., None]  # `Run.add` of a part, a protocol and a model


def add_accuracy(add: Add, y: Array, predicted: Array) -> None:
    """Add accuracy, class by class and as a whole, and CAU."""
    right = predicted == y
    add("accuracy", right.mean())
    add("class accuracy", pd.Series(right).groupby(y).mean())
    add("CAU", class_accuracy_unfairness(y, predicted))


def add_success(
    add: Add, y: Array, predicted: Array, success: Array, eps: float, *, of_all: bool = False
) -> None:
    """Add success and CRU_s among the correct samples; `of_all` adds CRU_s of all samples, too."""
    right = predicted == y
    add("success", pd.Series(success[right]).groupby(y[right]).mean(), eps=eps)
    add("CRU_s", class_robustness_unfairness(y, predicted, success=success), eps=eps)
    if of_all:
        cru = class_robustness_unfairness(y, predicted, success=success, population="all")
        add("CRU_s of all", cru, eps=eps)


def attack_options(task: Task, threat_model: ThreatModel) -> dict[str, Any]:
    """Return the options of PGD attacks on finished networks, by steps alone, as in the paper."""
    n_steps, seed = task.recipe.n_steps, task.run.seed
    common = {"threat_model": threat_model, "random_state": seed}
    return {"n_steps": n_steps, "nearest": False, **common}


class StaticallyAugmentedClassifier(NaturalClassifier):
    """Natural training on samples and on adversarial copies of them, made once.

    A standard network is trained and attacked at all training samples; a second one is trained on
    samples and copies. Neither is attacked while it is trained.

    `eps` is the L-inf radius of an attack of `n_steps` PGD steps on the cross-entropy, each
    ``2.5 * eps / n_steps`` long. `standard_` is the fitted standard network.
    """

    def __init__(
        self, *, eps: float, n_steps: int, threat_model: ThreatModel, module: Any,
        max_epochs: int = 20, batch_size: int = 128, class_weight: Any = None,
        random_state: int = 0, verbose: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(
            module=module, max_epochs=max_epochs, batch_size=batch_size, class_weight=class_weight,
            random_state=random_state, verbose=verbose,
        )  # fmt: skip
        self.eps, self.n_steps, self.threat_model = eps, n_steps, threat_model

    def fit(self, X: Any, y: Any, *, sample_weight: Any = None, **groups: Any) -> Any:
        """Train the standard network, attack it, and train the second network on both."""
        shared = {name: getattr(self, name) for name in self.get_params(deep=False)}
        for name in ("eps", "n_steps", "threat_model"):
            del shared[name]
        self.standard_ = NaturalClassifier(**shared).fit(X, y, sample_weight=sample_weight)
        copies = self._attack(np.asarray(X), np.searchsorted(self.standard_.classes_, y))
        # A left-out sample has weight 0, and so has its copy.
        weight = None if sample_weight is None else np.tile(sample_weight, 2)
        return super().fit(np.concatenate([X, copies]), np.tile(y, 2), sample_weight=weight)

    def _attack(self, X: NDArray[Any], codes: NDArray[np.intp]) -> NDArray[Any]:
        """Return a copy of each sample; the same whatever the weights of the samples."""
        model = LogitModel(self.standard_.module_)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        # Not 2.5 / n_steps, which may differ in the last bit.
        step = 2.5 * self.eps / self.n_steps / self.eps
        attack = Attack(self.n_steps, step, np.inf, self.threat_model, Noise(seed))
        parts = []
        for start in range(0, len(X), self.batch_size):
            batch = slice(start, start + self.batch_size)
            label = torch.from_numpy(codes[batch]).to(model.device)
            adversarial = attack(
                model.module, model.tensor(X[batch]).reshape(X[batch].shape),
                torch.full((len(label),), self.eps, dtype=model.dtype, device=model.device),
                partial(away_from_label, label=label), uniform_start=True,
            )  # fmt: skip
            parts.append(adversarial.cpu().numpy().astype(X.dtype, copy=False))
        return np.concatenate(parts)
