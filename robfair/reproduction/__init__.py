"""The papers' tables and figures, run end to end."""

from robfair.reproduction._fairness import reproduce_fairness
from robfair.reproduction._farmur import reproduce_farmur
from robfair.reproduction._farmur_recipes import find_recipe

__all__ = ["find_recipe", "reproduce_fairness", "reproduce_farmur"]
