"""Names that the command line offers before it imports what they stand for.

Nothing is imported here, so that a help text never waits for torch. The registries own the names;
`tests/test_names.py` compares them.
"""

from __future__ import annotations

from typing import Literal, get_args

__all__ = [
    "ARCHITECTURES",
    "ATTACK_METHODS",
    "AUDIT_MEASURES",
    "DISTANCE_METHODS",
    "NETWORKS",
    "SCALES",
    "ClassWeight",
    "DistanceMethod",
    "HeldOutMethod",
    "OptimizerName",
    "ScheduleName",
]

# Types, so that editors offer the names and mypy finds a slip.
DistanceMethod = Literal["auto", "strong", "linear", "exact", "decision", "deepfool", "paper"]
HeldOutMethod = Literal["auto", "strong", "deepfool", "linear", "paper"]  # while a network trains
ClassWeight = Literal["balanced", "oversample"]
OptimizerName = Literal["adam", "sgd"]
ScheduleName = Literal["step", "cosine", "cyclic"]

AUDIT_MEASURES = ("accuracy", "rob_f", "v_f", "cv", "worst_group", "gap", "ratio", "gini")
DISTANCE_METHODS: tuple[DistanceMethod, ...] = get_args(DistanceMethod)
ATTACK_METHODS = ("pgd", "fgsm", "kl")
ARCHITECTURES = ("tabular", "adult", "lenet5", "alexnet", "cifar", "resnet18", "utkface")
# Of the reproduction: the networks that fit a data set, and how much of a paper is computed.
NETWORKS = {
    "digits": ("tabular",),
    "adult": ("tabular",),
    "mnist": ("lenet5", "alexnet"),
    "cifar10": ("resnet18",),
    "utkface": ("utkface",),
}
SCALES = ("small", "reduced", "wide", "full", "paper")
