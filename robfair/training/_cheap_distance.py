"""The cheap distance by which margins are evened out, and the comparison of it with "strong"."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from robfair.distance import NearestBoundary, nearest_boundary
from robfair.threat import ThreatModel
from robfair.training._evaluator import GroupEvaluator

__all__ = ["CAP", "CheapDistance", "as_tensor"]

CAP = 3.0  # distances count up to this multiple of Rob(f): a few rows must not make a group
N_STEPS = 3  # of each start
MOST_RIVALS = 3  # other classes towards which a search starts; the other starts are random


@dataclass(frozen=True)
class CheapDistance:
    """Searches the nearest boundary from `n_starts` starts.

    Attributes
    ----------
    n_classes, n_starts : int
        Number of classes and of starts.
    scale : float
        Typical distance.
    """

    n_classes: int
    n_starts: int
    scale: float

    @property
    def n_rivals(self) -> int:
        """Starts towards other classes."""
        return min(self.n_classes - 1, MOST_RIVALS, self.n_starts)

    @property
    def n_random(self) -> int:
        """Starts in random directions."""
        return self.n_starts - self.n_rivals

    @property
    def n_passes(self) -> int:
        """Passes forward and back to the sample."""
        return self.n_starts * (N_STEPS + 1)

    def search(
        self,
        module: nn.Module,
        X: Tensor,
        y: Tensor,
        threat_model: ThreatModel,
        noise: list[Tensor],
    ) -> NearestBoundary:
        """Search from the samples, and from around them by `n_random` tensors of noise."""
        return nearest_boundary(
            module, X, y, threat_model=threat_model, noise=torch.stack(noise) if noise else None,
            scale=self.scale, n_rivals=self.n_rivals, n_steps=N_STEPS,
        )  # fmt: skip

    def of(self, evaluator: GroupEvaluator) -> NearestBoundary:
        """Search the samples of an evaluator, with the same noise each time."""
        module = evaluator.module
        X, y = as_tensor(evaluator.X, module), as_tensor(evaluator.y, module)
        generator = torch.Generator().manual_seed(0)
        noise = [torch.randn(X.shape, generator=generator).to(X) for _ in range(self.n_random)]
        return self.search(module, X, y, evaluator.threat_model, noise)

    def distances(self, evaluator: GroupEvaluator) -> NDArray[np.float64]:
        """Return the distances of the samples of an evaluator, negative for wrong ones."""
        found: NDArray[np.float64] = self.of(evaluator).distance.double().cpu().numpy()
        return found

    def quality(self, evaluator: GroupEvaluator) -> tuple[float, float]:
        """Return accuracy and Rob(f), where each group counts once, by a single start.

        That is longer than the distance by others, but it is compared only with itself.
        """
        distance = replace(self, n_starts=1).distances(evaluator)
        capped = np.clip(distance, 0, CAP * self.scale)
        sums = np.bincount(evaluator.groups, capped, minlength=evaluator.n_groups)
        return float((distance > 0).mean()), float((sums / evaluator.sizes()).mean())

    def strong(self, evaluator: GroupEvaluator) -> NDArray[np.float64]:
        """Return the distances of the samples by "strong", up to the cap."""
        return replace(evaluator, method="strong").distances(CAP * self.scale)

    def agreement(
        self, evaluator: GroupEvaluator, strong: NDArray[np.float64]
    ) -> tuple[float, float]:
        """Return the correlation with the distances by "strong", and the ratio of the means."""
        cheap = np.clip(self.distances(evaluator), 0, CAP * self.scale)
        if min(cheap.std(), strong.std()) < 1e-9 * self.scale:
            return 0.0, float("nan")
        return float(np.corrcoef(cheap, strong)[0, 1]), float(cheap.mean() / strong.mean())


def as_tensor(array: NDArray[Any], module: nn.Module) -> Tensor:
    """Return an array as a tensor on the device of a module."""
    return torch.from_numpy(array).to(next(module.parameters()).device)
