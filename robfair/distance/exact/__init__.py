"""Exact distances, for affine models and small ReLU networks.

Bounds that are a relative `TOLERANCE` apart count as one exact distance.
"""

from robfair.distance.exact._linear import linear_distance
from robfair.distance.exact._reading import Reading, ReadingDiffers
from robfair.distance.exact._relu import TOLERANCE, relu_distance

__all__ = ["TOLERANCE", "Reading", "ReadingDiffers", "linear_distance", "relu_distance"]
