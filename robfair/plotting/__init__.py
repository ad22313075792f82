"""Figures: numbers are kept in a Display, drawing is in its ``plot`` (scikit-learn's form)."""

from robfair.plotting._curves import RobustnessCurveDisplay

__all__ = ["RobustnessCurveDisplay"]
