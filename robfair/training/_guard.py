"""A guard against catastrophic overfitting, group by group."""

from __future__ import annotations

import copy
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback

from robfair._warnings import warn
from robfair.exceptions import OverfittingWarning
from robfair.training._average import Average
from robfair.training._objectives import Attack

__all__ = ["OverfittingGuard"]

# Held-out samples of each group that are attacked after every epoch. A collapse takes most of a
# group, so that a hundred show it; all would cost a good part of what a single step saves.
SAMPLES_PER_GROUP = 100
AT_LEAST = 5  # samples, or chance would do in a small group


class OverfittingGuard(Callback):
    """Takes back the epoch in which a group loses its robustness, and trains on by several steps.

    A network trained against a single step may learn to withstand that step and no other, within an
    epoch (catastrophic overfitting: Wong, Rice and Kolter, "Fast is better than free", ICLR 2020),
    and it may do so for one group while the mean over all still looks well. After every epoch
    held-out samples of each group are attacked by one step (FGSM) and by ten (PGD). A group has
    collapsed where more than half of its samples that are right withstand the one, but less than a
    quarter of these the ten, and at least five do not.

    Parameters
    ----------
    attack : Attack
        The attack to train with after a collapse.
    names : sequence
        Names of the groups, for the warning.
    average : Average or None, default=None
        The averaged weights, from which the steps of the epoch are taken back, too.
    """

    def __init__(self, attack: Attack, names: Any, average: Average | None = None) -> None:
        self.attack = attack
        self.names = names
        self.average = average

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Forget an earlier run."""
        self.collapsed_ = False
        self._keep(net)

    def _keep(self, net: NeuralNet) -> None:
        self.good_: dict[str, Any] = {
            "module": copy.deepcopy(net.module_.state_dict()),
            "optimizer": copy.deepcopy(net.optimizer_.state_dict()),
            "average": None if self.average is None else copy.deepcopy(self.average.state()),
        }

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Attack the groups, and take the epoch back if one has collapsed."""
        if self.collapsed_:
            return
        judge = net.judge.part(SAMPLES_PER_GROUP)
        right, single, several = judge.withstanding(net.module_)
        net.history.record("robust_accuracy", float(several.sum() / judge.sizes().sum()))
        fooled = single - several
        lost = (single > right / 2) & (several < single / 4) & (fooled >= AT_LEAST)
        if not lost.any():
            self._keep(net)
            return
        found = ", ".join(
            f"{self.names[group]} (of {right[group]} samples that are right {single[group]} "
            f"withstand one step, {several[group]} withstand ten)"
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
        if self.average is not None:
            self.average.load_state(net, self.good_["average"])
        self._give_up(net)

    def _give_up(self, net: NeuralNet) -> None:
        net.attack = self.attack
        self.collapsed_, self.good_ = True, {}

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Drop the copy of the weights, or it would be pickled with the net."""
        del self.good_

    def state(self) -> dict[str, Any]:
        """State that a run is resumed from."""
        return {"collapsed": self.collapsed_, "good": self.good_}

    def load_state(self, net: NeuralNet, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.good_ = state["good"]
        if state["collapsed"]:
            self._give_up(net)
