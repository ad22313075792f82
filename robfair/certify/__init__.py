"""Certified lower bounds of distances, by linear bound propagation through the layers."""

from robfair.certify._affine import TracedNetwork, UnsupportedLayer
from robfair.certify._radius import certified_radius, traced_network

__all__ = ["TracedNetwork", "UnsupportedLayer", "certified_radius", "traced_network"]
