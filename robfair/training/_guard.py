"""A guard against catastrophic overfitting, group by group."""

from __future__ import annotations

from typing import Any

from skorch import NeuralNet

from robfair._warnings import warn
from robfair.exceptions import OverfittingWarning
from robfair.training._objectives import Attack

__all__ = ["OverfittingGuard"]

# Held-out samples of each group that are attacked after every epoch. A collapse takes most of a
# group, so that a hundred show it; all would cost a good part of what a single step saves.
SAMPLES_PER_GROUP = 100
AT_LEAST = 5  # samples, or chance would do in a small group


class OverfittingGuard:
    """Detects the epoch in which a group loses its robustness to all but a single step.

    A network trained against a single step may learn to be robust against that step and no other,
    within an epoch (catastrophic overfitting: Wong, Rice and Kolter, "Fast is better than free",
    ICLR 2020), and it may do so for one group while the mean over all still looks well. After every
    epoch held-out samples of each group are attacked by one step (FGSM) and by ten (PGD). A group
    has collapsed if more than half of its correct samples are robust against the one, but less than
    a quarter of these against the ten, and at least five are not.

    Parameters
    ----------
    fallback : Attack
        The attack to train with after a collapse.
    names : sequence
        Names of the groups, for the warning.
    """

    def __init__(self, fallback: Attack, names: Any) -> None:
        self.fallback = fallback
        self.names = names

    def has_collapsed(self, net: NeuralNet) -> bool:
        """Attack the groups, and warn if one has collapsed."""
        evaluator = net.evaluator.part(SAMPLES_PER_GROUP)
        right, single, several = evaluator.robustly_correct(net.module_)  # the average lags behind
        net.history.record("robust_accuracy", float(several.sum() / evaluator.sizes().sum()))
        fooled = single - several
        collapsed = (single > right / 2) & (several < single / 4) & (fooled >= AT_LEAST)
        if not collapsed.any():
            return False
        groups = ", ".join(
            f"{self.names[group]} (of {right[group]} correct samples {single[group]} withstand "
            f"one step, {several[group]} withstand ten)"
            for group in collapsed.nonzero()[0]
        )
        warn(
            f"catastrophic overfitting in epoch {net.epoch_ + 1}: a single step no longer attacks "
            f"group {groups}. The epoch is taken back, and training goes on with "
            f"{self.fallback.n_steps} steps of PGD.",
            OverfittingWarning,
        )
        return True
