"""CalibratedClassifierCV with a sigmoid over one ensemble of trees, of two classes.

The sigmoid rises or falls with what the classifier inside says, so that a probability of 0.5 is a
threshold on the score, and the base moves. Averages of several calibrated classifiers, and steps of
an isotonic regression, do not amount to one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV

from robfair.adapters.trees._ensemble import Ensemble, UnreadableTrees
from robfair.adapters.trees._thresholds import reordered, score_at

__all__ = ["calibrated_inside", "move_calibrated"]

# Boosters whose decision function is the sum of their trees.
SUMS = ("GradientBoostingClassifier", "HistGradientBoostingClassifier", "LGBMClassifier")


def calibrated_inside(estimator: Any) -> Any:
    """Return the classifier that a single sigmoid calibrates; None for any other estimator."""
    if not isinstance(estimator, CalibratedClassifierCV) or estimator.method != "sigmoid":
        return None
    members: list[Any] = getattr(estimator, "calibrated_classifiers_", [])
    if len(members) != 1 or len(estimator.classes_) != 2:
        return None
    return members[0].estimator


def move_calibrated(estimator: Any, inner: Any, ensemble: Ensemble) -> Ensemble:
    """Return the trees of a calibrated classifier.

    Parameters
    ----------
    estimator : CalibratedClassifierCV
        The classifier, of which `calibrated_inside` has found the one inside.
    inner : object
        The classifier inside, without what has been wrapped around it.
    ensemble : Ensemble
        The trees of `inner`, of two classes.

    Returns
    -------
    Ensemble
        The trees, with the score 0 where both classes are equally probable.

    Raises
    ------
    UnreadableTrees
        If nothing crosses that probability, or the score there is not known.
    """
    (calibrator,) = estimator.calibrated_classifiers_[0].calibrators
    slope, offset = -float(calibrator.a_), -float(calibrator.b_)  # of the logit
    if slope == 0:
        raise UnreadableTrees("its calibration is constant, and so leaves one class")
    level = -offset / slope
    eps = float(np.finfo(np.float32 if ensemble.single else np.float64).eps)
    slack = 8 * eps * (1 + abs(level) + 1 / abs(slope))
    if hasattr(inner, "decision_function") and type(inner).__name__ in SUMS:
        cut = level
    elif hasattr(inner, "decision_function"):
        raise UnreadableTrees("its calibration is of a decision function that is not a sum")
    else:
        if not 0 < level < 1:
            raise UnreadableTrees("its calibration leaves one class")
        cut = score_at(inner, ensemble, level)
        slack *= max(1 / (level * (1 - level)), 2 * len(ensemble.roots))
    sign = 1.0 if slope > 0 else -1.0
    return replace(
        ensemble,
        base=sign * (ensemble.base - cut),
        value=sign * ensemble.value,
        ties_to=0,  # argmax of two equal probabilities
        rounding=ensemble.rounding + slack + reordered(ensemble, cut),
        single=False,
    )
