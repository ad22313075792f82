"""A proportional-integral controller of the robustness of each group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PiControl"]

MEMORY = 0.5  # of the running means, in epochs
FAR = 0.1  # a gap that is more than the noise of the running means
MOST_SUM = 60.0  # of the integral: a fuse
MOST_FORCE = 12.0  # coefficient of a group, over its share of the samples and the number of groups

Floats = NDArray[np.float64]


@dataclass
class PiControl:
    """Robustness of the groups so far, and the coefficients that follow from it.

    Attributes
    ----------
    sizes : ndarray of shape (n_groups,)
        Training samples.
    robustness, goal : ndarray of shape (n_groups,)
        Rob(P) as of the last batches, and what it is to become.
    response : float
        Relative change of Rob(P) in an epoch for a coefficient of 1, to first order.
    gain : ndarray of shape (n_groups,)
        Part of a gap that an epoch would close, by this response.
    integral, last_gap : ndarray of shape (n_groups,)
        Sum of the gaps so far, and the gaps at the end of the last epoch.
    """

    sizes: NDArray[np.intp]
    robustness: Floats
    goal: Floats
    response: float
    gain: Floats
    integral: Floats
    last_gap: Floats

    def see(self, distance: Floats, groups: NDArray[np.intp], times: int) -> None:
        """Take in the distances of a batch, which stands for as many as `times` of them."""
        n = np.bincount(groups, minlength=len(self.sizes))
        mean = np.bincount(groups, distance, minlength=len(n)) / np.maximum(n, 1)
        kept = np.exp(-n * times / (MEMORY * np.maximum(self.sizes, 1)))
        self.robustness = kept * self.robustness + (1 - kept) * mean

    def force(self, part: float) -> Floats:
        """Return the coefficient of each group, when `part` of an epoch has gone by."""
        gap = self._gap()
        self.integral = np.clip(self.integral + part * self.gain * gap, -MOST_SUM, MOST_SUM)
        n_groups = np.count_nonzero(self.sizes)
        most = MOST_FORCE * self.sizes.sum() / (n_groups * np.maximum(self.sizes, 1))
        return np.clip((self.integral + self.gain * gap) / self.response, -most, most)

    def end_epoch(self) -> None:
        """Halve the gain of each group that has gone from far on one side to far on the other."""
        gap = self._gap()
        over = (gap * self.last_gap < 0) & (np.minimum(abs(gap), abs(self.last_gap)) > FAR)
        self.damp(np.where(over, 0.5, 1.0))
        self.last_gap = gap

    def damp(self, factor: Floats | float) -> None:
        """Lower gains and coefficients."""
        self.gain, self.integral = self.gain * factor, self.integral * factor

    def _gap(self) -> Floats:
        return np.where(self.sizes > 0, 1 - self.robustness / self.goal, 0)
