"""Torch modules of the papers and for tables."""

from robfair.models._tabular import tabular_network

__all__ = ["tabular_network"]
