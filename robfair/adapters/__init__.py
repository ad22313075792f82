"""Any model as a function to logits, or to labels, in the space that is perturbed.

Distances and attacks see a model only through what the adapters return. `Slopes` is the type of a
function from points to logits and their `Pullback`, which turns weights of logits into gradients.
"""

from robfair.adapters._labels import LabelModel, as_labels, as_model
from robfair.adapters._logits import (
    LogitModel,
    NotDifferentiable,
    affine_map,
    as_logits,
    evaluation_mode,
)
from robfair.adapters._vjp import Pullback, Slopes, by_autograd, slopes

__all__ = [
    "LabelModel",
    "LogitModel",
    "NotDifferentiable",
    "Pullback",
    "Slopes",
    "affine_map",
    "as_labels",
    "as_logits",
    "as_model",
    "by_autograd",
    "evaluation_mode",
    "slopes",
]
