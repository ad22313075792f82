"""Searches that follow gradients, for networks."""

from robfair.distance.gradient._deepfool import deepfool_distance
from robfair.distance.gradient._minimum_norm import tight_distance

__all__ = ["deepfool_distance", "tight_distance"]
