"""Distance of samples to the decision boundary of a classifier, d(x).

`boundary_distance` takes any model that :mod:`robfair.adapters` can differentiate and returns a
`BoundaryDistance`: a distance per sample with the status of its search.
"""

from robfair.distance._api import boundary_distance
from robfair.distance._result import BoundaryDistance

__all__ = ["BoundaryDistance", "boundary_distance"]
