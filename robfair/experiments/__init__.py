"""Recipes that run end to end: the demo on UCI Adult, and the papers' tables and figures."""

from robfair.experiments._demo import run_demo
from robfair.experiments._fairness import reproduce_fairness

__all__ = ["reproduce_fairness", "run_demo"]
