"""Searches over the valid rows of a table: categories, integers and units.

They take `TABLE_ROWS` samples together, which bounds their memory.
"""

from robfair.distance.tabular._distance import (
    TABLE_ROWS,
    some_rows,
    table_decision,
    table_distance,
)
from robfair.distance.tabular._linear import table_linear
from robfair.distance.tabular._space import TableSpace

__all__ = [
    "TABLE_ROWS",
    "TableSpace",
    "some_rows",
    "table_decision",
    "table_distance",
    "table_linear",
]
