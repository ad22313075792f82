"""FixedThresholdClassifier and TunedThresholdClassifierCV over trees.

A threshold on the probability of one class is a threshold on the score: the base moves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    VotingClassifier,
)
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from robfair.adapters.trees._ensemble import Ensemble, UnreadableTrees
from robfair.adapters.trees._sklearn import is_forest, is_pure

__all__ = ["HALF", "Threshold", "has_threshold", "move_threshold", "reordered", "score_at"]

# Boosters whose probability is the logistic function of the score, by what names the objective.
LOGISTIC = {
    "XGBClassifier": ("objective", ("binary:logistic",)),
    "LGBMClassifier": ("objective_", ("binary",)),
}


@dataclass(frozen=True)
class Threshold:
    """A threshold on what is said of one of two classes, from which on this one is predicted.

    Attributes
    ----------
    value : float
        The threshold.
    on_first : bool
        Whether it is the first class.
    """

    value: float
    on_first: bool

    @classmethod
    def of(cls, estimator: Any, classes: NDArray[Any], is_raw: bool = False) -> Threshold:
        """Return that of a FixedThresholdClassifier or TunedThresholdClassifierCV."""
        if isinstance(estimator, TunedThresholdClassifierCV):
            value, positive = estimator.best_threshold_, estimator._curve_scorer._get_pos_label()
        else:
            value, positive = estimator.threshold, estimator.pos_label
            if value == "auto":
                value = 0.0 if is_raw else 0.5
        return cls(float(value), positive is not None and positive == classes[0])

    @property
    def level(self) -> float:
        """The probability of the second class at the threshold."""
        return 1 - self.value if self.on_first else self.value

    @property
    def ties_to(self) -> int:
        """The class that is predicted at the threshold itself."""
        return 0 if self.on_first else 1

    def is_second(self, p: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Flag the probabilities of the second class at which it is predicted."""
        return ~(1 - p >= self.value) if self.on_first else p >= self.value


HALF = Threshold(0.5, on_first=True)  # argmax, of two equal probabilities the first


def has_threshold(estimator: Any) -> bool:
    """Tell whether an estimator puts a threshold on the output of a fitted classifier."""
    kinds = FixedThresholdClassifier | TunedThresholdClassifierCV
    return isinstance(estimator, kinds) and hasattr(estimator, "estimator_")


def move_threshold(estimator: Any, inner: Any, ensemble: Ensemble) -> Ensemble:
    """Return the trees of a classifier with a threshold of its own.

    Parameters
    ----------
    estimator : FixedThresholdClassifier or TunedThresholdClassifierCV
        The classifier.
    inner : object
        The classifier inside, without what has been wrapped around it.
    ensemble : Ensemble
        The trees of `inner`, of two classes.

    Returns
    -------
    Ensemble
        The trees, with the score 0 at the threshold.

    Raises
    ------
    UnreadableTrees
        If the threshold is on something else than a known function of the score.
    """
    if len(ensemble.classes) != 2:
        raise UnreadableTrees("a threshold needs two classes")
    is_raw = _sees_scores(estimator, inner)
    threshold = Threshold.of(estimator, ensemble.classes, is_raw)
    if is_forest(inner) and not is_raw and is_pure(ensemble.value):
        cut, slack = _votes_at(len(ensemble.roots), threshold), 0.0
    elif is_raw:
        cut = -threshold.value if threshold.on_first else threshold.value
        slack = reordered(ensemble, cut)
    else:
        level = threshold.level
        if not 0 < level < 1:
            raise UnreadableTrees(f"its threshold of {threshold.value:g} leaves one class")
        cut = score_at(inner, ensemble, level)
        # The probability is rounded, and in float32 if the scores are.
        eps = np.finfo(np.float32 if ensemble.single else np.float64).eps
        slack = 4 * float(eps) * max(1 / (level * (1 - level)), 2 * len(ensemble.roots))
        slack += reordered(ensemble, cut)
    return replace(
        ensemble,
        base=ensemble.base - cut,
        ties_to=threshold.ties_to,
        rounding=ensemble.rounding + slack,
        single=False,
    )


def reordered(ensemble: Ensemble, cut: float) -> float:
    """Bound how far sums that begin at another base are from the model's own."""
    n_trees = len(ensemble.roots)
    greatest = n_trees * np.abs(ensemble.value).max() + np.abs(ensemble.base).max() + abs(cut)
    return float(n_trees * greatest * np.finfo(np.float64).eps)


def _sees_scores(estimator: Any, inner: Any) -> bool:
    if estimator.response_method == "decision_function":
        if not isinstance(inner, GradientBoostingClassifier | HistGradientBoostingClassifier):
            raise UnreadableTrees("its threshold is on the decision function")
        return True
    return False  # "auto" prefers probabilities, which all of these have


def _votes_at(n_trees: int, threshold: Threshold) -> float:
    """Return a score between those of too few and of enough trees for the positive class."""
    enough = np.flatnonzero(np.arange(n_trees + 1) / n_trees >= threshold.value)
    if not 0 < enough.min(initial=n_trees + 1) <= n_trees:
        raise UnreadableTrees(f"its threshold of {threshold.value:g} leaves one class")
    between = float(2 * enough[0] - n_trees - 1)
    return -between if threshold.on_first else between


def score_at(inner: Any, ensemble: Ensemble, level: float) -> float:
    """Return the score at which the probability of the second class is `level`."""
    if is_forest(inner):
        return float(len(ensemble.roots) * (2 * level - 1))  # a sum, not the average
    if isinstance(inner, BaggingClassifier | VotingClassifier):
        return 2 * level - 1
    logit = float(np.log(level / (1 - level)))
    if isinstance(inner, GradientBoostingClassifier | HistGradientBoostingClassifier):
        return logit / 2 if inner.loss == "exponential" else logit
    attribute, known = LOGISTIC.get(type(inner).__name__, ("", ()))
    if getattr(inner, attribute, None) not in known or _averages(inner):
        raise UnreadableTrees(
            f"its threshold is on probabilities of {type(inner).__name__} that are not known as a "
            "function of the score"
        )
    return logit / float(inner.get_params().get("sigmoid", 1.0))


def _averages(inner: Any) -> bool:
    """Tell whether probabilities are those of the mean of the trees, as LightGBM's "rf" has it."""
    booster = getattr(inner, "booster_", None)
    return booster is not None and "\naverage_output\n" in booster.model_to_string()
