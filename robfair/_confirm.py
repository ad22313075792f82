"""Adversarials that stay adversarial: predicted once more, beyond what rounding can take back.

The logits of a sample depend, in their last bits, on the batch that it passes the network with. So
a margin counts as negative only if it is so by more than :func:`rounding`, and a search that ends
on the boundary steps out a little with :func:`confirm`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

__all__ = ["beyond_rounding", "confirm", "outwards", "rounding"]

# Sums of d terms differ by about sqrt(d) roundings after their order; 32 is that for 1,000 terms.
ROUNDINGS = 32


def rounding(logits: Tensor, dtype: torch.dtype) -> Tensor:
    """Return by how much each row's margin may differ in another batch, of shape (n,)."""
    return ROUNDINGS * torch.finfo(dtype).eps * logits.abs().amax(dim=1)


def beyond_rounding(margin: Tensor, logits: Tensor, dtype: torch.dtype) -> Tensor:
    """Tell which margins are negative in any batch, from the logits computed in `dtype`."""
    return margin < -rounding(logits, dtype)


def outwards(dtype: torch.dtype) -> tuple[float, float, float]:
    """Return how far to step out, relative to the perturbation: what rounding needs, then more."""
    return torch.finfo(dtype).eps ** 0.5 / 4, 1e-3, 1e-2


def confirm(
    points: Tensor,
    steps: Iterable[float],
    attempt: Callable[[Tensor, float], tuple[Tensor, Tensor, Tensor]],
    last_resort: Iterable[float] = (),
) -> Tensor:
    """Return, for each point (n, d), the first of a few tries that is flipped beyond rounding.

    `attempt` takes rows (m,) and a step, in its own unit. It returns the points tried (m, d),
    whether they are flipped, and whether they are so beyond rounding. Where no try is, the result
    is the first that is flipped at all, or else the first that is so by steps of the last resort,
    or NaN.
    """
    confirmed = torch.full_like(points, torch.nan)
    rows = torch.arange(len(points), device=points.device)
    for step in steps:
        if len(rows) == 0:
            break
        tried, flipped, sure = attempt(rows, step)
        # Flipped within rounding: kept for now, and replaced if a longer step is sure.
        taken = sure | (flipped & confirmed[rows].isnan().any(dim=1))
        confirmed[rows[taken]] = tried[taken]
        rows = rows[~sure]
    for step in last_resort:
        rows = confirmed.isnan().any(dim=1).nonzero()[:, 0]
        if len(rows) == 0:
            break
        tried, flipped, _ = attempt(rows, step)
        confirmed[rows[flipped]] = tried[flipped]
    return confirmed
