"""Tree ensembles of any library as one table of nodes, whose sum of leaves gives the labels."""

from robfair.adapters.trees._behind import StepsBefore
from robfair.adapters.trees._ensemble import Ensemble, UnreadableTrees
from robfair.adapters.trees._read import is_tree_ensemble, read_trees
from robfair.adapters.trees._splits import last_left
from robfair.adapters.trees._wrappers import holds_steps

__all__ = [
    "Ensemble",
    "StepsBefore",
    "UnreadableTrees",
    "holds_steps",
    "is_tree_ensemble",
    "last_left",
    "read_trees",
]
