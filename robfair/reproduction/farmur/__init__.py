"""`FARMUR`: "FARMUR: Fair Adversarial Retraining to Mitigate Unfairness in Robustness" (2023)."""

from robfair.reproduction.farmur._paper import FARMUR

__all__ = ["FARMUR"]
