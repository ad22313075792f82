"""Tells whether a classifier is easier to attack for some groups than for others.

robfair measures the distance of samples to the decision boundary of a classifier, compares it
between groups, and trains classifiers for which it differs less.
"""

from robfair._version import __version__
from robfair.auditing import audit, compare
from robfair.distance import BoundaryDistance, boundary_distance
from robfair.estimators import AdversarialClassifier, FarmurClassifier, NaturalClassifier
from robfair.scorers import get_scorer, get_scorer_names
from robfair.threat import ThreatModel

__all__ = [
    "AdversarialClassifier",
    "BoundaryDistance",
    "FarmurClassifier",
    "NaturalClassifier",
    "ThreatModel",
    "__version__",
    "audit",
    "boundary_distance",
    "compare",
    "get_scorer",
    "get_scorer_names",
]
