"""The numbers on which the results of paper A's reproduction depend.

What the paper states: eps 0.031, "perturbation steps 0.007" (the size of a step), learning rate
0.1, SGD, batches of 64, 120 epochs, FARMUR 100 + 20. What it leaves open, and what is taken here:
10 steps, beta 6 and weight decay 2e-4, as in the code of TRADES; the learning rate's schedule.
TRADES' momentum of 0.9 is taken for ResNet-18 only: the other networks have no batch normalisation,
and 0.1 is the paper's rate for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

__all__ = ["FarmurRecipe", "Methods"]


class Methods(NamedTuple):
    """Names of the methods, with the recipe's own numbers of epochs."""

    natural: str
    early: str  # TRADES, stopped where FARMUR judges the groups
    trades: str  # TRADES to the end: the control that the paper lacks
    averaged: str  # the average of the weights of TRADES over its steps
    farmur: str
    between: str  # weights between `trades` and `farmur`


@dataclass(frozen=True)
class FarmurRecipe:
    """Numbers that the results of one data set, network and scale depend on.

    None stands for all rows. All methods train for `epochs` and `retrain_epochs`, but for the one
    that stops after `epochs`, where the groups are judged.
    """

    n_train: int | None = None
    n_test: int | None = None
    epochs: int = 100
    retrain_epochs: int = 20
    batch_size: int = 64
    optimizer: str = "sgd"  # or "adam", without momentum
    lr: float = 0.1
    momentum: float = 0.0
    weight_decay: float = 2e-4
    lr_schedule: str | None = None
    averaging: float = 0.999  # decay of the average of the weights
    # Of the attack and the loss of TRADES; L-inf.
    eps: float = 0.031
    step_size: float = 0.007
    n_steps: int = 10
    beta: float = 6.0
    # Part of each group that no method trains on, to judge the groups and to choose the
    # interpolation, and how many of these rows measure the interpolated networks.
    validation_fraction: float = 0.1
    n_path: int | None = None
    n_distance: int | None = None  # test rows whose distance is measured
    n_boot: int = 1000  # bootstrap samples behind each interval
    tau_max: float = 10.0  # from this distance on a sample counts as out of reach

    @property
    def n_epochs(self) -> int:
        """Epochs in all."""
        return self.epochs + self.retrain_epochs

    @property
    def names(self) -> Methods:
        """Names of the methods."""
        epochs = f"{self.epochs}+{self.retrain_epochs}"
        return Methods(
            "natural",
            f"TRADES {self.epochs}",
            f"TRADES {epochs}",
            f"TRADES {self.n_epochs} averaged",
            f"FARMUR {epochs}",
            "TRADES-FARMUR interpolated",
        )

    def small(self, n_train: int = 200, n_measured: int = 20) -> FarmurRecipe:
        """Shrink the recipe, to see that everything works.

        It keeps `n_train` rows to train on, and measures the distance of `n_measured`.
        """
        return replace(
            self, n_train=n_train, n_test=3 * n_measured, epochs=2, retrain_epochs=1, n_steps=2,
            step_size=0.8 * self.eps, n_path=n_measured, n_distance=n_measured, n_boot=50,
        )  # fmt: skip
