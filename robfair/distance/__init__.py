"""Distance of samples to the decision boundary of a classifier, d(x).

`boundary_distance` returns a `BoundaryDistance`: a distance per sample with the status of its
search. `measure_distance` is the same with the options in one `DistanceOptions`, and
`join_distances` puts those of blocks of rows together. `METHODS` is the
registry: by name what a method fits, uses and proves. `nearest_boundary` is a cheap distance of
networks with a gradient by their weights, to train with.
"""

from robfair.distance._api import boundary_distance, measure_distance
from robfair.distance._joined import join_distances
from robfair.distance._methods import METHODS
from robfair.distance._options import DistanceOptions
from robfair.distance._result import BoundaryDistance
from robfair.distance.gradient import NearestBoundary, nearest_boundary

__all__ = [
    "METHODS",
    "BoundaryDistance",
    "DistanceOptions",
    "NearestBoundary",
    "boundary_distance",
    "join_distances",
    "measure_distance",
    "nearest_boundary",
]
