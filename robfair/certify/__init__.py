"""Certified lower bounds of distances, by linear bound propagation through the layers."""

from robfair.certify._affine import UnsupportedLayer
from robfair.certify._radius import certified_radius

__all__ = ["UnsupportedLayer", "certified_radius"]
