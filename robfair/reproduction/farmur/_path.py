"""The path from TRADES to FARMUR: networks whose weights lie between the two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from robfair.distance import boundary_distance
from robfair.metrics import find_measure
from robfair.reproduction._paper import Task

__all__ = ["KEEP", "PATH", "WeightPath", "Weights", "copy_weights", "walk"]

PATH = "path"  # the protocol of its measures
KEEP = 0.99  # the part of Rob(f) that the chosen network keeps
GRID = tuple(step / 10 for step in range(11))
MEASURES = tuple(find_measure(key) for key in ("rob_f", "v_f", "cv"))
Weights = dict[str, Tensor]


def copy_weights(weights: Weights) -> Weights:
    """Copy weights to the CPU."""
    return {name: value.detach().cpu().clone() for name, value in weights.items()}


@dataclass(frozen=True)
class WeightPath:
    """Networks between two, whose weights `module` takes in turn.

    Batch normalisation is estimated anew on the training samples `X`, `batch_size` at a time.
    """

    module: nn.Module
    first: Weights
    last: Weights
    X: Tensor
    batch_size: int

    def at(self, t: float) -> Weights:
        """Put weights (1 - t) of the first and t of the last into the module, and return them.

        At the ends the module is that of training, to the last bit. Integers stay those of the
        first.
        """
        mixed = {
            name: torch.lerp(value, self.last[name], t) if value.is_floating_point() else value
            for name, value in self.first.items()
        }
        self.module.load_state_dict(mixed)
        if 0 < t < 1:
            device = next(self.module.parameters()).device
            with torch.no_grad():
                update_bn(self.X.split(self.batch_size), self.module, device=device)
        self.module.eval()
        return copy_weights(self.module.state_dict())


def walk(
    task: Task, held_out: NDArray[np.bool_], path: WeightPath, grid: Sequence[float] = GRID
) -> Weights:
    """Measure networks on the path on held-out rows, and choose the last that keeps Rob(f)."""
    recipe, data = task.recipe, task.data
    rows = np.flatnonzero(held_out)[: recipe.n_path]
    X, y, name = data.X_train[rows], data.y_train[rows], recipe.names.between
    robustness, weights = {}, {}
    for t in grid:
        weights[t] = path.at(t)
        # Not by DeepFool, whose distances are too loose to choose by.
        measured = boundary_distance(
            path.module, X, y=y, threat_model=data.threat_model, return_adversarial=False
        )  # fmt: skip
        keywords: dict[str, Any] = {
            "distance": measured.distance,
            "sensitive_features": data.groups_train[rows],
            "tau_max": recipe.tau_max,
        }
        values = {
            measure.symbol: float(measure.function(y, measured.predicted, **keywords))
            for measure in MEASURES
        }
        robustness[t] = values["Rob(f)"]
        for symbol, value in values.items():
            task.run.add("training", PATH, name, symbol, value, label=t)
    chosen = max(t for t in grid if robustness[t] >= KEEP * robustness[0])
    task.run.add("training", PATH, name, "t", chosen)
    return weights[chosen]
