"""The one place where something other than the optimiser changes weights, and in which order."""

from __future__ import annotations

import copy
from typing import Any

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import nn

from robfair.training._average import Average
from robfair.training._guard import OverfittingGuard
from robfair.training._step import EpochEnd
from robfair.training._stopping import EarlyStopping

__all__ = ["WeightControl"]


class WeightControl(Callback):
    """Calls average, guard, strategy and early stopping in the order in which they depend.

    - After every step, the average takes in the new weights, if the strategy accepts them.
    - After every epoch, the guard comes first: if a group has collapsed, module, optimiser and
      average go back to where the epoch began. Then the strategy may change the weights. Early
      stopping measures the network as it would be if the run ended here: the strategy's final
      weights or the average, where there is one.
    - At the end of the run, the module becomes that network, or that of the best epoch. The
      strategy has the last look at it.

    Callbacks of the user come after it, so that they see these weights; the checkpoint comes last.

    Parameters
    ----------
    average : Average or None
        Averages the weights.
    guard : OverfittingGuard or None
        Detects an epoch that has to be taken back.
    stopping : EarlyStopping or None
        Ends the run, and keeps the best weights.
    """

    def __init__(
        self,
        average: Average | None,
        guard: OverfittingGuard | None,
        stopping: EarlyStopping | None,
    ) -> None:
        self.average = average
        self.guard = guard
        self.stopping = stopping

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Forget an earlier run."""
        if self.average is not None:
            self.average.begin(net.module_)
        self.fallen_back_ = False
        self.epoch_began_ = self._copy(net)
        if self.stopping is not None:
            self.stopping.begin()

    def on_batch_end(self, net: NeuralNet, training: bool = False, **kwargs: Any) -> None:
        """Average the weights after a step."""
        if training and self.average is not None and net.strategy.accepts_average(net.epoch_):
            self.average.update(net.module_)

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Take back the epoch or keep it, then measure."""
        if self.guard is not None and not self.fallen_back_ and self.guard.has_collapsed(net):
            net.module_.load_state_dict(self.epoch_began_["module"])
            net.optimizer_.load_state_dict(self.epoch_began_["optimizer"])
            if self.average is not None:
                self.average.model_.load_state_dict(self.epoch_began_["average"])
            self._fall_back(net)
        net.strategy.after_epoch(self._end(net))
        if not self.fallen_back_:
            self.epoch_began_ = self._copy(net)
        net.record_strategy()
        if self.stopping is not None:
            self.stopping.measure(net, self._result(net))

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Give the module its last weights, and drop all copies: a pickle would hold them."""
        result = self._result(net)
        if result is not net.module_:
            net.module_.load_state_dict(result.state_dict())
        if self.stopping is not None:
            if self.stopping.weights_:
                net.module_.load_state_dict(self.stopping.weights_)
            del self.stopping.weights_
        net.strategy.after_run(self._end(net))
        if self.average is not None:
            del self.average.model_
        self.epoch_began_ = {}

    def _end(self, net: NeuralNet) -> EpochEnd:
        return EpochEnd(
            net.epoch_, net.max_epochs, net.module_, net.optimizer_,
            self._averaged, net.evaluator,
        )  # fmt: skip

    def _averaged(self) -> nn.Module | None:
        if self.average is None or not self.average.has_steps:
            return None
        return self.average.module

    def _result(self, net: NeuralNet) -> nn.Module:
        """Return the network that would result if the run ended here."""
        weights = net.strategy.final_weights()
        if weights is not None:
            module: nn.Module = copy.deepcopy(net.module_)
            module.load_state_dict(weights)
            return module
        averaged = self._averaged()
        return net.module_ if averaged is None else averaged

    @torch.no_grad()
    def _copy(self, net: NeuralNet) -> dict[str, Any]:
        """Copy all that the guard may have to bring back."""
        if self.guard is None:
            return {}
        average = None if self.average is None else self.average.model_.state_dict()
        module, optimizer = net.module_.state_dict(), net.optimizer_.state_dict()
        return copy.deepcopy({"module": module, "optimizer": optimizer, "average": average})

    def _fall_back(self, net: NeuralNet) -> None:
        """Attack by several steps from now on."""
        assert self.guard is not None
        net.attack_by(self.guard.fallback)
        self.fallen_back_, self.epoch_began_ = True, {}

    def state(self) -> dict[str, Any]:
        """Return the state that a run is resumed from."""
        return {
            "average": None if self.average is None else self.average.model_.state_dict(),
            "fallen_back": self.fallen_back_,
            "epoch_began": self.epoch_began_,
            "stopping": None if self.stopping is None else self.stopping.state(),
        }

    def load_state(self, net: NeuralNet, state: dict[str, Any]) -> None:
        """Go on from a state."""
        if self.average is not None:
            self.average.model_.load_state_dict(state["average"])
        self.epoch_began_ = state["epoch_began"]
        if state["fallen_back"]:  # the net does not save its attack
            self._fall_back(net)
        if self.stopping is not None:
            self.stopping.load_state(state["stopping"])
