"""Progress of a training run."""

from __future__ import annotations

from typing import Any

from skorch import NeuralNet
from skorch.callbacks import Callback

from robfair._progress import ProgressBar

__all__ = ["EpochProgress"]


class EpochProgress(Callback):
    """A progress bar over all epochs of a run, with the losses of the last one and the time left.

    Parameters
    ----------
    description : str, default="training"
        Text before the bar.
    verbose : int, default=1
        1: a bar. None: one on a terminal or in a notebook, after five seconds.
    """

    def __init__(self, description: str = "training", verbose: int | None = 1) -> None:
        self.description = description
        self.verbose = verbose

    def on_train_begin(self, net: NeuralNet, **kwargs: Any) -> None:
        """Open the bar."""
        done = len(net.history)  # by a run that is resumed
        self.bar_ = ProgressBar(
            total=net.max_epochs,
            initial=done,
            desc=self.description,
            unit="epoch",
            verbose=self.verbose,
        )

    def on_epoch_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Move the bar and show the losses."""
        last = net.history[-1]
        shown = {"phase": last["phase"]}
        for name in ("natural_loss", "robust_loss", "robust_accuracy"):
            if name in last:
                shown[name.removesuffix("_loss")] = f"{last[name]:.3f}"
        self.bar_.set_postfix(shown)
        self.bar_.update()

    def on_train_end(self, net: NeuralNet, **kwargs: Any) -> None:
        """Close the bar."""
        self.close()

    def close(self) -> None:
        """Close the bar, if it is open; the net calls it also where training ends by an error."""
        # A bar holds a lock and a stream, which cannot be pickled with the net.
        bar = self.__dict__.pop("bar_", None)
        if bar is not None:
            bar.close()
