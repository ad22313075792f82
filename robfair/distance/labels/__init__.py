"""Searches that see labels only, for whatever predicts."""

from robfair.distance.labels._decision import decision_distance

__all__ = ["decision_distance"]
