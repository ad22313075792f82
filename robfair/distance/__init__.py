"""Distance of samples to the decision boundary of a classifier, d(x).

`boundary_distance` returns a `BoundaryDistance`: a distance per sample with the status of its
search. `measure_distance` is the same with the options in one `DistanceOptions`. `METHODS` has a
`Method` for each name: what it fits, uses and proves.
"""

from robfair.distance._api import boundary_distance, measure_distance
from robfair.distance._methods import METHODS, Method
from robfair.distance._options import DistanceOptions
from robfair.distance._result import BoundaryDistance

__all__ = [
    "METHODS",
    "BoundaryDistance",
    "DistanceOptions",
    "Method",
    "boundary_distance",
    "measure_distance",
]
