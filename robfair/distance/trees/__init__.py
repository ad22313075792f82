"""Distances for decision trees and sums of trees, from their leaves."""

from robfair.distance.trees._distance import EnsembleBudget, ensemble_distance
from robfair.distance.trees._search import Donors, Nearest
from robfair.distance.trees._single import tree_distance

__all__ = ["Donors", "EnsembleBudget", "Nearest", "ensemble_distance", "tree_distance"]
