"""Tells whether a classifier is easier to attack for some groups than for others.

robfair measures the distance of samples to the decision boundary of a classifier, compares it
between groups, and trains classifiers for which it differs less.
"""

from typing import TYPE_CHECKING

from robfair._lazy import lazy_names
from robfair._version import __version__

if TYPE_CHECKING:
    from robfair.auditing import audit, compare, discover_groups
    from robfair.distance import BoundaryDistance, boundary_distance
    from robfair.estimators import (
        AdversarialClassifier,
        EvenMarginClassifier,
        FarmurClassifier,
        NaturalClassifier,
    )
    from robfair.scorers import get_scorer, get_scorer_names
    from robfair.threat import ThreatModel
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "AdversarialClassifier": "robfair.estimators",
            "BoundaryDistance": "robfair.distance",
            "EvenMarginClassifier": "robfair.estimators",
            "FarmurClassifier": "robfair.estimators",
            "NaturalClassifier": "robfair.estimators",
            "ThreatModel": "robfair.threat",
            "audit": "robfair.auditing",
            "boundary_distance": "robfair.distance",
            "compare": "robfair.auditing",
            "discover_groups": "robfair.auditing",
            "get_scorer": "robfair.scorers",
            "get_scorer_names": "robfair.scorers",
        },
    )

__all__ = [
    "AdversarialClassifier",
    "BoundaryDistance",
    "EvenMarginClassifier",
    "FarmurClassifier",
    "NaturalClassifier",
    "ThreatModel",
    "__version__",
    "audit",
    "boundary_distance",
    "compare",
    "discover_groups",
    "get_scorer",
    "get_scorer_names",
]
