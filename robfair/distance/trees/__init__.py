"""Distances for decision trees, from their leaves."""

from robfair.distance.trees._single import tree_distance

__all__ = ["tree_distance"]
