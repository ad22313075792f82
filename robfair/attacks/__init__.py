"""Attacks with a fixed budget eps, and the least eps at which they succeed."""

from robfair.attacks._api import attack
from robfair.attacks._least_eps import least_eps
from robfair.attacks._pgd import Ball, projected_gradient
from robfair.attacks._rates import RobustAccuracy, attack_success, robust_accuracy
from robfair.attacks._result import AttackResult, LeastEps

__all__ = [
    "AttackResult",
    "Ball",
    "LeastEps",
    "RobustAccuracy",
    "attack",
    "attack_success",
    "least_eps",
    "projected_gradient",
    "robust_accuracy",
]
