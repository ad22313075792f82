"""Any model as a function to logits, or to labels, in the space that is perturbed.

Everything below the adapters (distances, attacks) sees only what they return.
"""

from robfair.adapters._labels import LabelModel, as_labels, as_model
from robfair.adapters._logits import (
    LogitModel,
    NotDifferentiable,
    affine_map,
    as_logits,
    evaluation_mode,
)
from robfair.adapters._slopes import by_autograd, slopes

__all__ = [
    "LabelModel",
    "LogitModel",
    "NotDifferentiable",
    "affine_map",
    "as_labels",
    "as_logits",
    "as_model",
    "by_autograd",
    "evaluation_mode",
    "slopes",
]
