"""States of a net: on disk after every epoch, in memory, and as the beginning of another run."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback

from robfair._checkpoint import read_checkpoint, write_checkpoint
from robfair._files import check_target

__all__ = ["Checkpoint", "Snapshots", "StartFrom"]


class Checkpoint(Callback):
    """Writes the state of the net after every epoch, and begins with it if it is there.

    Parameters
    ----------
    path : path-like
        The file, in safetensors form.
    description : dict of str to object
        Everything on which the run depends; see `robfair._fingerprint.describe`.

    Raises
    ------
    ResultsError
        If the file is of another run, or damaged.
    OSError
        If the file could not be written.
    """

    def __init__(self, path: Any, description: dict[str, Any]) -> None:
        self.path = Path(path)
        self.description = description
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Read now, so that a file of another run ends `fit` before it trains.
        self.earlier: dict[str, Any] | None = read_checkpoint(self.path, description)
        check_target(self.path)

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Go on where the file ends."""
        if self.earlier is not None:
            net.load_state(self.earlier)
            self.earlier = None  # a copy of all weights

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Write the state."""
        write_checkpoint(self.path, self.description, net.state())


class Snapshots(Callback):
    """Keeps the state of the net after some epochs.

    Parameters
    ----------
    epochs : iterable of int
        Numbers of the epochs, counted from 1.

    Attributes
    ----------
    states_ : dict of int to dict
        State by epoch, for `StartFrom`. Its "average" is that of the averaged weights, or None.
    weights_ : dict of int to dict
        The module's state dict by epoch; not averaged, whatever the estimator averages.
    """

    def __init__(self, epochs: Iterable[int]) -> None:
        self.epochs = tuple(epochs)

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Forget an earlier run."""
        self.states_: dict[int, dict[str, Any]] = {}
        self.weights_: dict[int, dict[str, Any]] = {}

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Keep the state if this is one of the epochs."""
        epoch = net.epoch_ + 1
        if epoch in self.epochs:
            state = net.state()
            callbacks = state.pop("callbacks")  # earlier snapshots among them
            state["average"] = callbacks.get("WeightControl", {}).get("average")
            self.states_[epoch] = copy.deepcopy(state)
            self.weights_[epoch] = self.states_[epoch]["module"]

    def state(self) -> dict[str, Any]:
        """Return the state that a run is resumed from."""
        return {"states": self.states_}

    def load_state(self, net: NeuralNet, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.states_ = state["states"]
        self.weights_ = {epoch: kept["module"] for epoch, kept in self.states_.items()}


class StartFrom(Callback):
    """Begins a run with the state of another one, and runs only the epochs that are left.

    Weights, optimiser, the order of batches and history are taken over; plan and strategy are not:
    a strategy whose plan is the same up to there ends as if it had run from the beginning. So
    FARMUR can go on from adversarial training that several methods share.

    Parameters
    ----------
    state : dict
        The state, from `Snapshots`.
    """

    def __init__(self, state: dict[str, Any]) -> None:
        self.from_state = state

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Take the state over."""
        shared = ("module", "optimizer", "order", "epoch", "history")
        net.load_state({name: self.from_state[name] for name in shared})
