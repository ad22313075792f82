"""The path from TRADES to FARMUR: networks whose weights lie between the two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from robfair.distance import boundary_distance
from robfair.metrics import classifier_robustness, robustness_dispersion, robustness_variance
from robfair.reproduction._farmur_data import FarmurData
from robfair.reproduction._farmur_recipes import FarmurRecipe
from robfair.reproduction._records import Run

__all__ = ["KEEP", "PATH", "WeightPath", "Weights", "copy_weights", "walk"]

PATH = "path"  # the protocol of its measures
KEEP = 0.99  # the part of Rob(f) that the chosen network keeps
GRID = tuple(step / 10 for step in range(11))
MEASURES = {
    "Rob(f)": classifier_robustness,
    "V_f": robustness_variance,
    "CV": robustness_dispersion,
}
Weights = dict[str, Tensor]


def copy_weights(weights: Weights) -> Weights:
    """Copy weights to the CPU.

    Parameters
    ----------
    weights : dict of str to Tensor
        A state dict.

    Returns
    -------
    dict of str to Tensor
        The copy.
    """
    return {name: value.detach().cpu().clone() for name, value in weights.items()}


@dataclass(frozen=True)
class WeightPath:
    """Networks between two.

    Attributes
    ----------
    module : torch.nn.Module
        Takes the weights of each network in turn.
    first, last : dict of str to Tensor
        The weights at both ends, on the CPU.
    X : Tensor of shape (n_samples, ...)
        Training samples, on which batch normalisation is estimated anew.
    batch_size : int
        How many of them at a time.
    """

    module: nn.Module
    first: Weights
    last: Weights
    X: Tensor
    batch_size: int

    def at(self, t: float) -> Weights:
        """Put weights (1 - t) of the first and t of the last into the module.

        Parameters
        ----------
        t : float
            From 0 to 1. At the ends the module is that of training, to the last bit.

        Returns
        -------
        dict of str to Tensor
            The weights, on the CPU. What is no floating-point number is that of the first.
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
    run: Run,
    recipe: FarmurRecipe,
    data: FarmurData,
    held_out: NDArray[np.bool_],
    path: WeightPath,
) -> Weights:
    """Measure networks on the path on held-out rows, and choose the last that keeps Rob(f).

    Parameters
    ----------
    run : Run
        Where the measures go.
    recipe : FarmurRecipe
        Says how many rows are measured.
    data : FarmurData
        The training rows.
    held_out : ndarray of bool
        Which of them are held out.
    path : WeightPath
        From TRADES to FARMUR.

    Returns
    -------
    dict of str to Tensor
        Weights of the chosen network.
    """
    rows = np.flatnonzero(held_out)[: recipe.n_path]
    X, y, name = data.X_train[rows], data.y_train[rows], recipe.names.between
    robustness, weights = {}, {}
    for t in GRID:
        weights[t] = path.at(t)
        # Not by DeepFool, whose distances are too loose to choose by.
        found = boundary_distance(
            path.module, X, y=y, threat_model=data.threat_model, return_adversarial=False
        )  # fmt: skip
        keywords: dict[str, Any] = {
            "distance": found.distance,
            "sensitive_features": data.groups_train[rows],
            "tau_max": recipe.tau_max,
        }
        measured = {
            label: float(measure(y, found.predicted, **keywords))
            for label, measure in MEASURES.items()
        }
        robustness[t] = measured["Rob(f)"]
        for label, value in measured.items():
            run.add("training", PATH, name, label, value, label=t)
    chosen = max(t for t in GRID if robustness[t] >= KEEP * robustness[0])
    run.add("training", PATH, name, "t", chosen)
    return weights[chosen]
