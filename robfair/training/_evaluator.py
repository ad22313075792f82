"""Rob(P) of each group for strategies, robust accuracy to stop or to guard by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from robfair._isolation import SEEDING, seed_generator
from robfair._warnings import warn
from robfair.adapters import LogitModel
from robfair.attacks import attack_success
from robfair.distance import boundary_distance
from robfair.exceptions import CensoredDistanceWarning
from robfair.threat import ThreatModel

__all__ = ["GroupEvaluator"]

# Steps of the attack behind a robust accuracy: half of what a report would take, after each epoch.
N_STEPS = 10


@dataclass(frozen=True)
class GroupEvaluator:
    """Measures groups and attacks them, on held-out samples or on some to train on.

    Attributes
    ----------
    module : torch.nn.Module
        The network that is being trained.
    X, y, groups : ndarray
        Samples, with classes and groups as integers from 0: those held out, of which there may be
        none. `training` gives an evaluator of others.
    n_groups : int
        Number of groups.
    method : str
        Method of :func:`robfair.boundary_distance`.
    threat_model : ThreatModel
        Norm, box and mutable features of the distance.
    eps, norm : float
        Radius and norm of the attack behind a robust accuracy; with ``eps = 0`` it is accuracy.
    train : GroupEvaluator or None
        The same with the samples that the network is trained on.
    """

    module: nn.Module
    X: NDArray[Any]
    y: NDArray[np.intp]
    groups: NDArray[np.intp]
    n_groups: int
    method: Any
    threat_model: ThreatModel
    eps: float = 0.0
    norm: float = np.inf
    train: GroupEvaluator | None = None

    def training(self, quota: int | None = None, random_state: int = 0) -> GroupEvaluator:
        """Return an evaluator of training samples: at most `quota` of each group, drawn at random.

        None takes all. The network was fitted to these samples, so that they are further from its
        boundary than new ones, but they are many.
        """
        if self.train is None:
            raise ValueError("this evaluator was made without training samples.")
        rng = np.random.default_rng(random_state)
        groups = range(self.train.n_groups)
        drawn = [rng.permutation(np.flatnonzero(self.train.groups == g))[:quota] for g in groups]
        return self.train[np.sort(np.concatenate(drawn))]

    def robustness(self, tau_max: float | None = None) -> NDArray[np.float64]:
        """Rob(P) of each group, of shape (n_groups,).

        A distance above `tau_max` counts as `tau_max`, as where no boundary was found. If it is
        None, samples of the latter kind count with the largest distance that was found, and a
        warning says how many they are. A constant classifier is equally robust for all groups.
        """
        distance = self.distances(tau_max)
        sums = np.bincount(self.groups, weights=distance, minlength=self.n_groups)
        return sums / self.sizes()

    def distances(self, tau_max: float | None = None) -> NDArray[np.float64]:
        """Distance of each sample, 0 if it is misclassified; `tau_max` as in `robustness`."""
        if len(self.X) == 0:
            raise ValueError(
                "no samples are held out: set needs_held_out = True in the strategy, or measure "
                "evaluator.training()."
            )
        with SEEDING:  # a module may draw in evaluation mode, too
            seed_generator(0, LogitModel(self.module).device)
            result = boundary_distance(
                self.module,
                self.X,
                y=self.y,
                method=self.method,
                threat_model=self.threat_model,
                return_adversarial=False,
            )
        # A misclassified sample is on the wrong side already: a distance of 0.
        distance = np.where(result.status == "skipped", 0.0, result.distance)
        censored = result.status == "censored"
        if tau_max is not None:
            return np.minimum(np.where(censored, tau_max, distance), tau_max)
        if censored.any():
            finite = distance[~censored]
            cap = finite.max() if finite.size else 0.0
            warn(
                f"no boundary was found for {int(censored.sum())} of {len(distance)} "
                f"samples; in Rob(P) they count with distance {cap:.4g}, the largest found.",
                CensoredDistanceWarning,
            )
            distance[censored] = cap
        return distance

    def sizes(self) -> NDArray[np.intp]:
        """Count the samples of each group, of shape (n_groups,)."""
        return np.bincount(self.groups, minlength=self.n_groups)

    def part(self, n: int) -> GroupEvaluator:
        """Keep at most `n` samples of each group, the first ones."""
        groups = range(self.n_groups)
        first = [np.flatnonzero(self.groups == group)[:n] for group in groups]
        return self[np.sort(np.concatenate(first))]

    def __getitem__(self, rows: NDArray[np.intp]) -> GroupEvaluator:
        return replace(self, X=self.X[rows], y=self.y[rows], groups=self.groups[rows])

    def robustly_correct(self, module: nn.Module) -> tuple[NDArray[np.intp], ...]:
        """Count each group's correct samples: unattacked, after one step (FGSM) and ten (PGD)."""
        attacks = ((0.0, "fgsm"), (self.eps, "fgsm"), (self.eps, "pgd"))
        return tuple(
            np.bincount(self.groups[~self._fooled(module, *each)], minlength=self.n_groups)
            for each in attacks
        )

    def robust_accuracy(self, module: nn.Module) -> float:
        """Share of all samples that `module` gets right after PGD with ten steps."""
        return float((~self._fooled(module, self.eps, "pgd")).mean())

    def _fooled(self, module: nn.Module, eps: float, method: str) -> NDArray[np.bool_]:
        with SEEDING:
            seed_generator(0, LogitModel(module).device)
            fooled = attack_success(
                module,
                self.X,
                self.y,
                eps,
                method=method,
                n_steps=N_STEPS,
                nearest=False,  # in every epoch: the nearest points cost ten times as much
                threat_model=replace(self.threat_model, norm=self.norm),
                random_state=0,  # the same starts after every epoch, so that epochs can be compared
            )
        return np.asarray(fooled)
