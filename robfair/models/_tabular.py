"""The networks for tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import nn

__all__ = ["adult_network", "tabular_network"]


def tabular_network(
    n_features: int,
    n_classes: int,
    hidden_layer_sizes: Sequence[int] = (64, 64),
    *,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """Fully connected network; it returns logits.

    Parameters
    ----------
    n_features : int
        Number of inputs.
    n_classes : int
        Number of outputs.
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Width of each hidden layer; empty for a linear classifier.
    activation : callable, default=torch.nn.ReLU
        A class of module, or another function without arguments that makes one, for the layer
        after each hidden layer.

    Returns
    -------
    torch.nn.Sequential
        The module, with torch's default initial weights.

    See Also
    --------
    adult_network : With the depth and the activation of a paper.

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
        layers += [nn.Linear(n_in, n_out), activation()]
    return nn.Sequential(*layers, nn.Linear(widths[-1], n_classes))


def adult_network(n_features: int, n_classes: int = 2, width: int = 64) -> nn.Sequential:
    """Four hidden dense layers with tanh, as for UCI Adult in [1]_; it returns logits.

    Parameters
    ----------
    n_features : int
        Number of inputs, after categories are encoded.
    n_classes : int, default=2
        Number of outputs.
    width : int, default=64
        Width of each hidden layer. The paper does not give it.

    Returns
    -------
    torch.nn.Sequential
        The module, with torch's default initial weights.

    See Also
    --------
    robfair.datasets.load_adult : The data.

    References
    ----------
    .. [1] "Adversarial Training Negatively Affects Fairness", section IV.A.

    Examples
    --------
    >>> from robfair.models import adult_network
    >>> adult_network(104)
    Sequential(
      (0): Linear(in_features=104, out_features=64, bias=True)
      (1): Tanh()
      (2): Linear(in_features=64, out_features=64, bias=True)
      (3): Tanh()
      (4): Linear(in_features=64, out_features=64, bias=True)
      (5): Tanh()
      (6): Linear(in_features=64, out_features=64, bias=True)
      (7): Tanh()
      (8): Linear(in_features=64, out_features=2, bias=True)
    )
    """
    return tabular_network(n_features, n_classes, (width,) * 4, activation=nn.Tanh)
