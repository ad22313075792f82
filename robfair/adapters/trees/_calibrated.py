"""CalibratedClassifierCV over one ensemble of trees, of two classes.

A sigmoid, an isotonic regression or a temperature rises or falls with what the classifier inside
says, so that a probability of 0.5, or a threshold of its own, is a threshold on the score, and the
base moves. Averages of several calibrated classifiers do not amount to one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.calibration import CalibratedClassifierCV

from robfair.adapters.trees._ensemble import Ensemble, UnreadableTrees
from robfair.adapters.trees._thresholds import HALF, Threshold, reordered, score_at

__all__ = ["calibrated_inside", "move_calibrated"]

# Boosters whose decision function is the sum of their trees.
SUMS = ("GradientBoostingClassifier", "HistGradientBoostingClassifier", "LGBMClassifier")
ONE_CLASS = "its calibration leaves one class"


def calibrated_inside(estimator: Any) -> Any:
    """Return the classifier that a single curve calibrates; None for any other estimator."""
    if not isinstance(estimator, CalibratedClassifierCV):
        return None
    members: list[Any] = getattr(estimator, "calibrated_classifiers_", [])
    if len(members) != 1 or len(estimator.classes_) != 2:
        return None
    return members[0].estimator


def move_calibrated(
    estimator: Any, inner: Any, ensemble: Ensemble, threshold: Threshold = HALF
) -> Ensemble:
    """Return the trees of a calibrated classifier.

    Parameters
    ----------
    estimator : CalibratedClassifierCV
        The classifier, of which `calibrated_inside` has found the one inside.
    inner : object
        The classifier inside, without what has been wrapped around it.
    ensemble : Ensemble
        The trees of `inner`, of two classes.
    threshold : Threshold, default=HALF
        That on the calibrated probability.

    Returns
    -------
    Ensemble
        The trees, with the score 0 at the threshold.

    Raises
    ------
    UnreadableTrees
        If nothing crosses that probability, or the score there is not known.
    """
    (calibrator,) = estimator.calibrated_classifiers_[0].calibrators
    is_sum = hasattr(inner, "decision_function")
    place = _CROSSES[estimator.method](calibrator, threshold, is_sum)
    eps = float(np.finfo(np.float32 if ensemble.single else np.float64).eps)
    slack = 8 * eps * (1 + abs(place.level) + place.width)
    if is_sum and type(inner).__name__ in SUMS:
        cut = place.level
    elif is_sum:
        raise UnreadableTrees("its calibration is of a decision function that is not a sum")
    else:
        if not 0 < place.level < 1:
            raise UnreadableTrees(ONE_CLASS)
        cut = score_at(inner, ensemble, place.level)
        slack *= max(1 / (place.level * (1 - place.level)), 2 * len(ensemble.roots))
    sign = 1.0 if place.rises else -1.0
    return replace(
        ensemble,
        base=sign * (ensemble.base - cut),
        value=sign * ensemble.value,
        ties_to=threshold.ties_to,
        rounding=ensemble.rounding + slack + reordered(ensemble, cut),
        single=False,
    )


@dataclass(frozen=True)
class _Crossing:
    """The place at which a curve crosses a threshold on the probability."""

    level: float  # what the classifier inside says there
    width: float  # by how much that changes where the probability does by 1, as steeply as there
    rises: bool = True


def _of_sigmoid(calibrator: Any, threshold: Threshold, is_sum: bool) -> _Crossing:
    slope, offset = -float(calibrator.a_), -float(calibrator.b_)  # of the logit
    if slope == 0:
        raise UnreadableTrees("its calibration is constant, and so leaves one class")
    p = threshold.level
    if not 0 < p < 1:
        raise UnreadableTrees(f"its threshold of {threshold.value:g} leaves one class")
    place = (float(np.log(p / (1 - p))) - offset) / slope
    return _Crossing(place, 1 / (4 * p * (1 - p) * abs(slope)), slope > 0)


def _of_isotonic(calibrator: Any, threshold: Threshold, is_sum: bool) -> _Crossing:
    """Return where a curve of straight pieces, which rises, goes over to the second class."""
    x, p = (
        np.asarray(a, dtype=float) for a in (calibrator.X_thresholds_, calibrator.y_thresholds_)
    )
    at = int((~threshold.is_second(p)).sum()) - 1
    if not 0 <= at < len(p) - 1:
        raise UnreadableTrees(ONE_CLASS)
    width = float((x[at + 1] - x[at]) / (p[at + 1] - p[at]))
    place = x[at] + (threshold.level - p[at]) * width
    return _Crossing(float(np.clip(place, x[at], x[at + 1])), width)


def _of_temperature(calibrator: Any, threshold: Threshold, is_sum: bool) -> _Crossing:
    if threshold.level != 0.5:  # one half it leaves where it is
        raise UnreadableTrees("its threshold is on a probability that a temperature has changed")
    return _Crossing(0.0 if is_sum else 0.5, 1.0)


_CROSSES = {"sigmoid": _of_sigmoid, "isotonic": _of_isotonic, "temperature": _of_temperature}
