"""Recipes that run end to end: the demo on UCI Adult."""

from robfair.experiments._demo import run_demo

__all__ = ["run_demo"]
