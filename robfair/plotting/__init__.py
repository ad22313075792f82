"""Figures: numbers are kept in a Display, drawing is in its ``plot`` (scikit-learn's form)."""

from robfair.plotting._attacks import AttackSuccessDisplay
from robfair.plotting._classes import ClassAccuracyDisplay
from robfair.plotting._curves import RobustnessCurveDisplay
from robfair.plotting._groups import GroupRobustnessDisplay
from robfair.plotting._tradeoff import TradeoffDisplay

__all__ = [
    "AttackSuccessDisplay",
    "ClassAccuracyDisplay",
    "GroupRobustnessDisplay",
    "RobustnessCurveDisplay",
    "TradeoffDisplay",
]
