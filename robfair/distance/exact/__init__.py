"""Exact distances, for affine models and small ReLU networks."""

from robfair.distance.exact._linear import linear_distance
from robfair.distance.exact._relu import relu_distance
from robfair.distance.exact._relu_layers import relu_layers

__all__ = ["linear_distance", "relu_distance", "relu_layers"]
