"""`FAIRNESS`: "Adversarial Training Negatively Affects Fairness" (Sooksatra, Rivas, 2022)."""

from robfair.reproduction.fairness._paper import FAIRNESS

__all__ = ["FAIRNESS"]
