"""The network for tables."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import nn

__all__ = ["tabular_network"]


def tabular_network(
    n_features: int, n_classes: int, hidden_layer_sizes: Sequence[int] = (64, 64)
) -> nn.Sequential:
    """Fully connected network with ReLU between its layers; it returns logits.

    Parameters
    ----------
    n_features : int
        Number of inputs.
    n_classes : int
        Number of outputs.
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Width of each hidden layer; empty for a linear classifier.

    Returns
    -------
    torch.nn.Sequential
        The module, with torch's default initial weights.

    Examples
    --------
    >>> from robfair.models import tabular_network
    >>> tabular_network(10, 2, hidden_layer_sizes=[8])
    Sequential(
      (0): Linear(in_features=10, out_features=8, bias=True)
      (1): ReLU()
      (2): Linear(in_features=8, out_features=2, bias=True)
    )
    """
    widths = [n_features, *hidden_layer_sizes]
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], n_classes))
