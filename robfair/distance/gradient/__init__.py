"""Searches that follow gradients, for networks.

`AUTO` and `STRONG` are the budgets of the methods of these names.
"""

from robfair.distance.gradient._budget import AUTO, STRONG, OwnBudget, SearchBudget
from robfair.distance.gradient._deepfool import deepfool_distance
from robfair.distance.gradient._descent import DescentSchedule, refine
from robfair.distance.gradient._minimum_norm import (
    minimum_norm_distance,
    minimum_norm_fallback,
    search_pool,
)
from robfair.distance.gradient._nearest_boundary import NearestBoundary, nearest_boundary
from robfair.distance.gradient._own_search import own_distance

__all__ = [
    "AUTO",
    "STRONG",
    "DescentSchedule",
    "NearestBoundary",
    "OwnBudget",
    "SearchBudget",
    "deepfool_distance",
    "minimum_norm_distance",
    "minimum_norm_fallback",
    "nearest_boundary",
    "own_distance",
    "refine",
    "search_pool",
]
