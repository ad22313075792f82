"""A guard against catastrophic overfitting, group by group."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray
from skorch import NeuralNet
from skorch.callbacks import Callback

from robfair.exceptions import OverfittingWarning
from robfair.metrics._validation import warn
from robfair.training._objectives import Attack

__all__ = ["OverfittingGuard"]

# Held-out samples of each group that are attacked after every epoch. A collapse takes most of a
# group, so that a hundred show it; all would cost a good part of what a single step saves.
SAMPLES_PER_GROUP = 100


class OverfittingGuard(Callback):
    """Takes back the epoch in which a group loses its robustness, and trains on by several steps.

    A network trained against a single step may learn to withstand that step and no other, within an
    epoch (catastrophic overfitting: Wong, Rice and Kolter, "Fast is better than free", ICLR 2020),
    and it may do so for one group while the mean over all still looks well. After every epoch each
    group is attacked by PGD with ten steps. A group has collapsed where the share of its samples
    that withstand, among those that the network gets right, is less than half of what it was in its
    best epoch, and less by more than three standard errors. A group that the network merely gets
    wrong for an epoch has not: its samples are not right in the first place.

    Parameters
    ----------
    attack : Attack
        The attack to train with after a collapse.
    names : sequence
        Names of the groups, for the warning.
    """

    def __init__(self, attack: Attack, names: Any) -> None:
        self.attack = attack
        self.names = names

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Forget an earlier run."""
        self.best_: NDArray[np.float64] = np.zeros(len(self.names))
        self.collapsed_ = False
        self.good_: dict[str, Any] = {}

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Attack the groups, and take the epoch back if one has collapsed."""
        if self.collapsed_:
            return
        judge = net.judge.part(SAMPLES_PER_GROUP)
        right, robust = judge.withstanding(net.module_)
        net.history.record("robust_accuracy", float(robust.sum() / judge.sizes().sum()))
        rates = robust / np.maximum(right, 1)
        error = np.sqrt(self.best_ * (1 - self.best_) / np.maximum(right, 1))
        lost = (right > 0) & (rates < self.best_ / 2) & (self.best_ - rates > 3 * error)
        if lost.any():
            self._take_back(net, lost, rates)
            return
        self.best_ = np.maximum(self.best_, rates)
        self.good_ = {
            "module": copy.deepcopy(net.module_.state_dict()),
            "optimizer": copy.deepcopy(net.optimizer_.state_dict()),
        }

    def _take_back(
        self, net: NeuralNet, lost: NDArray[np.bool_], rates: NDArray[np.float64]
    ) -> None:
        found = ", ".join(
            f"{self.names[group]!r} ({rates[group]:.0%} of what is right withstands, "
            f"{self.best_[group]:.0%} before)"
            for group in lost.nonzero()[0]
        )
        warn(
            f"catastrophic overfitting in epoch {net.epoch_ + 1}: a single step no longer attacks "
            f"group {found}. The epoch is taken back, and training goes on with "
            f"{self.attack.n_steps} steps of PGD.",
            OverfittingWarning,
        )
        net.module_.load_state_dict(self.good_["module"])
        net.optimizer_.load_state_dict(self.good_["optimizer"])
        self._give_up(net)

    def _give_up(self, net: NeuralNet) -> None:
        net.attack = self.attack
        self.collapsed_, self.good_ = True, {}

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Drop the copy of the weights, or it would be pickled with the net."""
        del self.good_

    def state(self) -> dict[str, Any]:
        """State that a run is resumed from."""
        return {"best": self.best_, "collapsed": self.collapsed_, "good": self.good_}

    def load_state(self, net: NeuralNet, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.best_, self.good_ = state["best"], state["good"]
        if state["collapsed"]:
            self._give_up(net)
