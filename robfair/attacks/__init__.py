"""Attacks with a fixed budget eps."""

from robfair.attacks._pgd import Ball, projected_gradient

__all__ = ["Ball", "projected_gradient"]
