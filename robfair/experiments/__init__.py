"""Recipes that run end to end: the demo on UCI Adult, and the papers' tables and figures."""

from robfair.experiments._demo import run_demo
from robfair.experiments._fairness import reproduce_fairness
from robfair.experiments._farmur import reproduce_farmur

__all__ = ["reproduce_fairness", "reproduce_farmur", "run_demo"]
