"""Any model as a function to logits, in the space that is perturbed.

Everything below the adapters (distances, attacks) sees only what they return.
"""

from robfair.adapters._logits import LogitModel, affine_map, as_logits, evaluation_mode

__all__ = ["LogitModel", "affine_map", "as_logits", "evaluation_mode"]
