"""What an attacker may change: the norm, the box, and how each feature can move.

A feature of a table is a number, an integer, or part of a block that always holds one category;
:class:`robfair.ThreatModel` says which, and what a change of each costs.
"""

from robfair.threat._block import Block
from robfair.threat._model import ThreatModel

__all__ = ["Block", "ThreatModel"]
