"""Early stopping: the weights of the epoch that was most robust on held-out samples."""

from __future__ import annotations

import copy
from typing import Any

from skorch import NeuralNet
from torch import nn

__all__ = ["EarlyStopping"]


class EarlyStopping:
    """Ends a run whose robust accuracy on held-out samples no longer rises; keeps the best weights.

    With adversarial training the last epoch is rarely the best one (robust overfitting: Rice, Wong
    and Kolter, "Overfitting in adversarially robust deep learning", ICML 2020). The best epoch is
    one of the last phase of a strategy, since phases train for different things.

    Parameters
    ----------
    patience : int
        Epochs without a new best one after which the run ends.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience

    def begin(self) -> None:
        """Forget an earlier run."""
        self.phase_, self.best_, self.waited_ = "", -1.0, 0
        self.weights_: dict[str, Any] = {}

    def measure(self, net: NeuralNet, module: nn.Module) -> None:
        """Measure the robust accuracy of `module`, and stop the net if it has not risen for long.

        `module` is the network that would result if the run ended here.
        """
        accuracy = float(net.evaluator.robust_accuracy(module))
        net.history.record("robust_accuracy", accuracy)
        if self.phase_ != net.plan_.phase:
            self.phase_, self.best_ = net.plan_.phase, -1.0
        if accuracy > self.best_:
            self.best_, self.waited_ = accuracy, 0
            self.weights_ = copy.deepcopy(module.state_dict())  # which the next step overwrites
        else:
            self.waited_ += 1
        if self.waited_ >= self.patience and net.strategy.may_stop(net.epoch_):
            net.stop()

    def state(self) -> dict[str, Any]:
        """Return the state that a run is resumed from."""
        names = ("phase", "best", "waited", "weights")
        return {name: getattr(self, f"{name}_") for name in names}

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.__dict__.update({f"{name}_": value for name, value in state.items()})
