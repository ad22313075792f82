"""Data sets: embedded ones, and a synthetic one whose Rob(P) is known in closed form."""

from robfair.datasets._adult import load_adult
from robfair.datasets._synthetic import make_group_margins

__all__ = ["load_adult", "make_group_margins"]
