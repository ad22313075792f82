"""Searches over the valid rows of a table: categories, integers and units."""

from robfair.distance.tabular._distance import table_decision, table_distance

__all__ = ["table_decision", "table_distance"]
