"""Names that the command line offers before it imports what they stand for.

Nothing is imported here, so that a help text never waits for torch. The registries own the names;
`tests/test_names.py` compares them.
"""

from __future__ import annotations

__all__ = ["ATTACK_METHODS", "DISTANCE_METHODS"]

DISTANCE_METHODS = ("auto", "strong", "linear", "exact", "decision", "deepfool", "paper")
ATTACK_METHODS = ("pgd", "fgsm", "kl")
