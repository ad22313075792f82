"""Threat models: the norm, the box, and the changes that each feature may undergo.

A feature of a table is a number, an integer, or part of a block that always holds one category;
:class:`robfair.ThreatModel` says which it is, and how much a change of it costs.
"""

from robfair.threat._block import Block
from robfair.threat._by_default import (
    UnreadableColumns,
    columns_of_frame,
    encodes_columns,
    readable_columns,
)
from robfair.threat._gaps import rows_by_gaps
from robfair.threat._model import ThreatModel

__all__ = [
    "Block",
    "ThreatModel",
    "UnreadableColumns",
    "columns_of_frame",
    "encodes_columns",
    "readable_columns",
    "rows_by_gaps",
]
