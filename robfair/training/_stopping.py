"""Early stopping: the weights of the epoch that was most robust on held-out samples."""

from __future__ import annotations

import copy
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback

from robfair.training._average import Average

__all__ = ["EarlyStopping"]


class EarlyStopping(Callback):
    """Ends a run whose robust accuracy on held-out samples no longer rises; keeps the best weights.

    With adversarial training the last epoch is rarely the best one (robust overfitting: Rice, Wong
    and Kolter, "Overfitting in adversarially robust deep learning", ICML 2020). The best epoch is
    looked for in the last phase of a strategy alone, since phases train for different things.

    Parameters
    ----------
    patience : int
        Epochs without a new best one after which the run ends.
    average : Average or None
        The averaged weights, which are then those that are judged and kept.
    """

    def __init__(self, patience: int, average: Average | None) -> None:
        self.patience = patience
        self.average = average

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Forget an earlier run."""
        self.phase_, self.best_, self.waited_ = "", -1.0, 0
        self.weights_: dict[str, Any] = {}

    def on_epoch_end(self, net: NeuralNet, dataset_train: Any = None, **kwargs: Any) -> None:
        """Measure the robust accuracy, and end the run where it has not risen for long."""
        module = net.module_
        if self.average is not None:
            module = self.average.module(net, dataset_train.X)
        accuracy = float(net.judge.robust_accuracy(module))
        net.history.record("robust_accuracy", accuracy)
        if self.phase_ != net.plan_.phase:
            self.phase_, self.best_ = net.plan_.phase, -1.0
        if accuracy > self.best_:
            self.best_, self.waited_ = accuracy, 0
            self.weights_ = copy.deepcopy(module.state_dict())
        else:
            self.waited_ += 1
        if self.waited_ >= self.patience and net.strategy.may_stop(net.epoch_):
            net.ended_ = True

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Go back to the weights of the best epoch."""
        if self.weights_:
            net.module_.load_state_dict(self.weights_)
        del self.weights_  # or they would be pickled with the net

    def state(self) -> dict[str, Any]:
        """State that a run is resumed from."""
        return {
            "phase": self.phase_,
            "best": self.best_,
            "waited": self.waited_,
            "weights": self.weights_,
        }

    def load_state(self, net: NeuralNet, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.phase_, self.best_ = state["phase"], state["best"]
        self.waited_, self.weights_ = state["waited"], state["weights"]
