"""The papers' tables and figures, run end to end by `reproduce`.

`FARMUR` and `FAIRNESS` are the two papers, each a `Paper`.
"""

from robfair.reproduction._paper import Paper, reproduce
from robfair.reproduction.fairness import FAIRNESS
from robfair.reproduction.farmur import FARMUR

__all__ = ["FAIRNESS", "FARMUR", "Paper", "reproduce"]
