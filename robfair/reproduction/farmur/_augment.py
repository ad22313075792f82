"""Random crops and mirror images of a batch, which ResNets need on CIFAR-10."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robfair.training import Attack, Losses, Noise, Objective

__all__ = ["Augmented", "crop_and_mirror"]

PADDING = 4  # pixels on each side, as in He et al. (2016), section 4.2


class Augmented:
    """An objective of images that are first moved by up to four pixels, and mirrored or not.

    Each sample is moved anew in every epoch. It is then attacked as it is moved.

    Parameters
    ----------
    objective : Objective
        Gives the losses of the moved samples.
    """

    def __init__(self, objective: Objective) -> None:
        self.objective = objective

    def __call__(
        self, module: nn.Module, X: Tensor, y: Tensor, eps: Tensor, beta: Tensor, attack: Attack
    ) -> Losses:
        """Return the losses of a batch."""
        return self.objective(module, crop_and_mirror(X, attack.noise), y, eps, beta, attack)


def crop_and_mirror(X: Tensor, noise: Noise) -> Tensor:
    """Move images of shape (n, channels, height, width) by random whole pixels; zeros fill in."""
    n, _, height, width = X.shape
    drawn = noise.draw(torch.rand, X.new_empty(n, 3))
    down, right = (drawn[:, :2] * (2 * PADDING + 1)).long().T
    columns = torch.arange(width, device=X.device).expand(n, width)
    columns = torch.where(drawn[:, 2:] < 0.5, columns.flip(1), columns) + right[:, None]
    rows = torch.arange(height, device=X.device) + down[:, None]
    padded = F.pad(X, [PADDING] * 4)
    samples = torch.arange(n, device=X.device)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[samples, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2).contiguous()
