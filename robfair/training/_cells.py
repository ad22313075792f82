"""The groups whose margins are compared, overall or inside each class, and their Rob(P)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from robfair.training._cheap_distance import CAP, CheapDistance, as_tensor
from robfair.training._differences import common_means, groups_differ
from robfair.training._evaluator import GroupEvaluator
from robfair.training._response import mean_response
from robfair.training._step import Step

__all__ = ["Cells"]

MOST_ROWS, MOST_OF_GROUP = 3000, 500  # that are measured at a time
RESPONSE_ROWS = 60  # of each group

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cells:
    """Groups, or groups inside each class, as numbers from 0: class times `n_groups`, plus group.

    Attributes
    ----------
    n_groups : int
        Number of groups.
    within_labels : bool
        Whether the classes are kept apart.
    sizes : ndarray of shape (n_cells,)
        Training samples of each cell.
    cheap : CheapDistance
        The distance to measure by.
    """

    n_groups: int
    within_labels: bool
    sizes: NDArray[np.intp]
    cheap: CheapDistance

    @property
    def there(self) -> NDArray[np.bool_]:
        """Tell which cells have samples."""
        return self.sizes > 0

    @property
    def quota(self) -> int:
        """Return the number of samples of a group that are measured at most."""
        return min(MOST_OF_GROUP, max(MOST_ROWS // self.n_groups, 1))

    def of(self, y: NDArray[Any], groups: NDArray[Any]) -> NDArray[np.intp]:
        """Return the cell of each sample."""
        return y * self.n_groups + groups if self.within_labels else groups

    def rows(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return values by cell with a row for each class, or with one for all."""
        return values.reshape(-1, self.n_groups)

    def robustness(self, evaluator: GroupEvaluator) -> tuple[Floats, Floats]:
        """Return Rob(P) of each cell on training samples, and standard errors."""
        train = replace(evaluator.training(self.quota), module=evaluator.module)
        distance = np.clip(self.cheap.distances(train), 0, None)
        distance = np.minimum(distance, CAP * distance.mean())
        cell, n_cells = self.of(train.y, train.groups), len(self.sizes)
        n = np.maximum(np.bincount(cell, minlength=n_cells), 1)
        means = np.bincount(cell, distance, minlength=n_cells) / n
        squares = np.bincount(cell, distance**2, minlength=n_cells) / n
        spread = np.maximum(squares - means**2, 1e-12 * squares.max())
        return means, np.sqrt(spread / np.maximum(n - 1, 1))

    def common(self, robustness: Floats) -> Floats:
        """Return the mean over the groups with which each cell is compared."""
        return common_means(self.rows(robustness), self.rows(self.there)).flatten()

    def differ(self, robustness: Floats, error: Floats) -> bool:
        """Tell whether cells differ by more than sampling error."""
        return groups_differ(self.rows(robustness), self.rows(error), self.rows(self.there))

    def spread(self, robustness: Floats) -> float:
        """Return the mean square of the gaps to the common mean, relative to it."""
        gaps = robustness / self.common(robustness) - 1
        return float((gaps[self.there] ** 2).mean())

    def response(self, step: Step, base: Floats) -> float:
        """Return by how much the optimiser changes Rob(P), relative to `base`, in an epoch.

        For a coefficient of 1, to first order: the geometric mean over the cells.
        """
        assert step.evaluator is not None
        module = step.module
        train = replace(step.evaluator.training(RESPONSE_ROWS, random_state=1), module=module)
        found = self.cheap.of(train)
        cell = self.of(train.y, train.groups)
        near = as_tensor(found.distance.abs().cpu().numpy() < CAP * base[cell], module)
        relative = found.trainable(module, as_tensor(train.y, module))
        relative = torch.where(near, relative / as_tensor(base[cell], module), 0)
        cells = np.unique(cell)
        values = [relative[as_tensor(cell == each, module)].mean() for each in cells]
        share = self.sizes[cells] / self.sizes.sum()
        return mean_response(values, share, step.optimizer, n_steps=step.n_batches)
